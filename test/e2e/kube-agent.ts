import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { TestHost } from './agent.ts'
import { AgentProcess, noServers } from './agent-process.ts'
import { kpngPath } from './lab.ts'

const PORT = 6443

/** A host with a fake API server on its loopback, and an agent that follows it. */
export class KubeHost implements AsyncDisposable {
  readonly host = new TestHost()
  readonly #api: ChildProcessWithoutNullStreams
  readonly #answers: Interface
  readonly agent = new AgentProcess(this.host.name)
  #log = ''

  constructor() {
    const node = join(import.meta.dirname, '../../node_modules/.bin/node')
    const main = join(import.meta.dirname, 'fake-api-main.ts')
    this.#api = this.host.startWithInput([node, main, `${PORT}`])
    this.#api.stderr.on('data', (piece: Buffer) => {
      this.#log += piece.toString()
    })
    this.#answers = createInterface({ input: this.#api.stdout })
  }

  /** What the agent and the API server have written to standard error. */
  get log(): string {
    return `${this.agent.log}${this.#log}`
  }

  /** A command to the fake API server, see there. */
  async api(command: object): Promise<void> {
    const done = once(this.#answers, 'line', { signal: AbortSignal.timeout(30_000) })
    this.#api.stdin.write(`${JSON.stringify(command)}\n`)
    await done
  }

  /** Starts the agent and does not wait for anything. */
  startAgent(options: readonly string[] = []): void {
    const child = this.host.start([
      kpngPath,
      ...['kube', '--server', `http://127.0.0.1:${PORT}`, ...options, 'to-ebpf', '--node-name', 'node-a'],
      ...['--instance', this.agent.instance, '--cgroup-root', this.host.cgroup, ...noServers],
    ])
    this.agent.startedAs(child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _host = this.host
    await using _agent = this.agent
    this.#answers.close()
    this.#api.kill('SIGKILL')
  }
}
