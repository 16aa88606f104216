import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { ControlPlane, type ControlPlaneOptions } from '@kpng/lab'
import { noServers, TestHost } from '../agent.ts'
import { endProcess, hasEnded, untilEnded } from '../end-process.ts'
import { kpngOk, kpngPath } from '../lab.ts'
import { getText, postJson } from '../unix-http.ts'

const apiAddress = '172.31.255.1'

/** A host of a test's own with a real API server on it, and an agent that follows that as system:kube-proxy. */
export class ApiHost implements AsyncDisposable {
  readonly host: TestHost
  readonly plane: ControlPlane
  #agent: ChildProcess | undefined
  #log = ''

  private constructor(host: TestHost, plane: ControlPlane) {
    this.host = host
    this.plane = plane
  }

  /** The API server is ready on return; there is no agent yet. */
  static async up(options: Omit<ControlPlaneOptions, 'netns' | 'address'> = {}): Promise<ApiHost> {
    const host = new TestHost()
    try {
      host.addAddresses([`${apiAddress}/32`])
      const plane = await ControlPlane.start({ ...options, netns: host.name, address: apiAddress })
      return new ApiHost(host, plane)
    } catch (reason) {
      await host[Symbol.asyncDispose]()
      throw reason
    }
  }

  get instance(): string {
    return this.host.name
  }

  /** What the agent has written to standard error, in all its lives. */
  get log(): string {
    return this.#log
  }

  get agentPid(): number {
    const pid = this.#agent?.pid
    if (pid === undefined) throw new Error('the agent does not run')
    return pid
  }

  /** Starts `kpng kube … to-ebpf` and does not wait for anything. `source`: options before to-ebpf. */
  async startAgent(
    source?: readonly string[],
    options: readonly string[] = [],
    nodeName = 'node-a',
  ): Promise<void> {
    const from = source ?? ['--kubeconfig', await this.plane.kubeconfigFor({ user: 'system:kube-proxy' })]
    const child = this.host.start([
      kpngPath,
      ...['kube', ...from, 'to-ebpf', '--node-name', nodeName],
      ...['--instance', this.instance, '--cgroup-root', this.host.cgroup, ...noServers, ...options],
    ])
    child.stderr?.on('data', (piece: Buffer) => {
      this.#log += piece.toString()
    })
    this.#agent = child
  }

  /** Resolves when the agent has ended by itself; its exit code. */
  async ended(): Promise<number | null> {
    const child = this.#agent
    this.#agent = undefined
    return await untilEnded(child, 30_000)
  }

  async stopAgent(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#agent
    this.#agent = undefined
    return await endProcess(child, signal)
  }

  /** Everything that the API server has is in the maps; waits for an agent that is starting, a minute at most. */
  async sync(): Promise<void> {
    for (const deadline = performance.now() + 60_000; ; await sleep(50)) {
      try {
        await postJson(`/run/kpng/${this.instance}/status.sock`, '/v1/sync')
        return
      } catch (reason) {
        const ended = this.#agent === undefined || hasEnded(this.#agent)
        if (ended || performance.now() > deadline)
          throw new Error(`the agent does not answer: ${this.#log}`, { cause: reason })
      }
    }
  }

  /** The maps as `kpng get maps` prints them. */
  async maps(): Promise<string> {
    return await kpngOk(['get', 'maps', '--instance', this.instance])
  }

  /** Waits until the maps say so, without asking the agent for anything; gives them. */
  async mapsWhen(wanted: (lines: string) => boolean, timeoutMs = 30_000): Promise<string> {
    let lines = ''
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await sleep(50)) {
      lines = await this.maps().catch(() => '')
      if (wanted(lines)) return lines
    }
    throw new Error(`the maps are not as expected:\n${lines}\n${this.#log}`)
  }

  async metrics(): Promise<string> {
    return await getText(`/run/kpng/${this.instance}/status.sock`, '/metrics')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _host = this.host
    await using _plane = this.plane
    await this.stopAgent('SIGKILL')
    await kpngOk(['cleanup', '--instance', this.instance])
  }
}
