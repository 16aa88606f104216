import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { noServers, TestHost } from './agent.ts'
import { endProcess } from './end-process.ts'
import { kpngOk, kpngPath } from './lab.ts'
import { getText, postJson } from './unix-http.ts'

const PORT = 6443

/** A host with a fake API server on its loopback, and an agent that follows it. */
export class KubeHost implements AsyncDisposable {
  readonly host = new TestHost()
  readonly #api: ChildProcessWithoutNullStreams
  readonly #answers: Interface
  #agent: ChildProcess | undefined
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
    return this.#log
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
      ...['--instance', this.host.name, '--cgroup-root', this.host.cgroup, ...noServers],
    ])
    child.stderr?.on('data', (piece: Buffer) => {
      this.#log += piece.toString()
    })
    this.#agent = child
  }

  async stopAgent(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#agent
    this.#agent = undefined
    return await endProcess(child, signal)
  }

  /** Waits until the maps say so, 40 seconds at most; gives them. */
  async maps(wanted: (lines: string) => boolean): Promise<string> {
    let lines = ''
    for (const deadline = performance.now() + 40_000; performance.now() < deadline; await sleep(50)) {
      lines = await kpngOk(['get', 'maps', '--instance', this.host.name]).catch(() => '')
      if (wanted(lines)) return lines
    }
    throw new Error(`the maps are not as expected:\n${lines}\n${this.#log}`)
  }

  /** Messages of the problems that the agent has now. */
  async problems(): Promise<string[]> {
    const answer = await getText(`/run/kpng/${this.host.name}/status.sock`, '/v1/status')
    const { problems } = JSON.parse(answer) as { problems: ReadonlyArray<{ message: string }> }
    return problems.map(it => it.message)
  }

  /** POST /v1/sync. */
  async sync(): Promise<void> {
    await postJson(`/run/kpng/${this.host.name}/status.sock`, '/v1/sync')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgent('SIGKILL')
    this.#answers.close()
    this.#api.kill('SIGKILL')
    await kpngOk(['cleanup', '--instance', this.host.name])
    await this.host[Symbol.asyncDispose]()
  }
}
