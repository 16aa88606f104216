import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, hasEnded, untilEnded } from './end-process.ts'
import { kpngOk } from './lab.ts'
import { getText, postJson } from './unix-http.ts'

/** Health and metrics over TCP are off, unless later options say where. */
export const noServers: readonly string[] = ['--healthz-bind-address=', '--metrics-bind-address=']

/** What the status API answers, as far as tests look at it. */
export interface AgentAnswer {
  readonly synced: boolean
  readonly revision: number
  readonly problems: ReadonlyArray<{ where: string; field: string; message: string }>
  readonly datapath: Record<string, unknown>
}

/** An agent of one instance in all its lives; what it leaves in the kernel is removed at the end. */
export class AgentProcess implements AsyncDisposable {
  readonly instance: string
  #child: ChildProcess | undefined
  #log = ''

  constructor(instance: string) {
    this.instance = instance
  }

  get #socketPath(): string {
    return `/run/kpng/${this.instance}/status.sock`
  }

  /** What it has written to standard error, in all its lives. */
  get log(): string {
    return this.#log
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('the agent is not running')
    return pid
  }

  get isRunning(): boolean {
    return this.#child !== undefined && !hasEnded(this.#child)
  }

  /** It has just been started as this process. */
  startedAs(child: ChildProcess): void {
    child.stderr?.on('data', (piece: Buffer) => {
      this.#log += piece.toString()
    })
    this.#child = child
  }

  /** POST /v1/sync; waits for the agent to come up, a minute at most, for machines that have none to spare. */
  async sync(): Promise<AgentAnswer> {
    for (const deadline = performance.now() + 60_000; ; await sleep(20)) {
      try {
        return (await postJson(this.#socketPath, '/v1/sync')) as AgentAnswer
      } catch (reason) {
        if (this.isRunning && performance.now() <= deadline) continue
        const exit = this.#child?.exitCode
        throw new Error(`the agent does not answer (exit ${exit}): ${this.#log}`, { cause: reason })
      }
    }
  }

  async status(): Promise<AgentAnswer> {
    return JSON.parse(await getText(this.#socketPath, '/v1/status')) as AgentAnswer
  }

  /** Messages of the problems that it has now. */
  async problems(): Promise<string[]> {
    return (await this.status()).problems.map(it => it.message)
  }

  async metrics(): Promise<string> {
    return await getText(this.#socketPath, '/metrics')
  }

  /** The maps as `kpng get maps` prints them. */
  async maps(): Promise<string> {
    return await kpngOk(['get', 'maps', '--instance', this.instance])
  }

  /** Waits until the maps say so, without asking the agent for anything; gives them. */
  async mapsWhen(wanted: (lines: string) => boolean, timeoutMs = 40_000): Promise<string> {
    let lines = ''
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await sleep(50)) {
      lines = await this.maps().catch(() => '')
      if (wanted(lines)) return lines
    }
    throw new Error(`the maps are not as expected:\n${lines}\n${this.#log}`)
  }

  /** Resolves when it has ended by itself; its exit code. */
  async ended(): Promise<number | null> {
    const child = this.#child
    this.#child = undefined
    return await untilEnded(child, 30_000)
  }

  /** Ends it and waits until it is gone; the datapath stays. Gives the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    this.#child = undefined
    return await endProcess(child, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
    await kpngOk(['cleanup', '--instance', this.instance])
  }
}
