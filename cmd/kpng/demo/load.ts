import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError } from '@kpng/api'
import { start } from './cli.ts'

/** Connections since the start, by the backend that answered and by what went wrong. */
export interface LoadReport {
  readonly answered: Readonly<Record<string, number>>
  readonly failed: Readonly<Record<string, number>>
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

export const answeredOf = (report: LoadReport): number => sum(report.answered)
export const failedOf = (report: LoadReport): number => sum(report.failed)

/** Clients of a lab that connect to one destination without pause, in a process of their own. */
export class Load implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #ended: Promise<unknown>
  #latest: LoadReport = { answered: {}, failed: {} }
  #stderr = ''

  /** Called with each report: for those who show it. */
  onReport: (report: LoadReport) => void = () => {}

  constructor(lab: string, who: string, host: string, port: number) {
    const client = join(import.meta.dirname, 'load-client.ts')
    const command = [process.execPath, client, host, `${port}`, '4', '200']
    this.#child = start(['lab', 'exec', '--name', lab, who, '--', ...command])
    this.#ended = once(this.#child, 'close')
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    createInterface({ input: this.#child.stdout }).on('line', line => {
      this.#latest = JSON.parse(line) as LoadReport
      this.onReport(this.#latest)
    })
  }

  get latest(): LoadReport {
    return this.#latest
  }

  /** Resolves once `count` more connections have been answered; throws when they do not come. */
  async more(count: number, timeoutMs = 15_000): Promise<void> {
    const goal = answeredOf(this.#latest) + count
    const deadline = Date.now() + timeoutMs
    while (answeredOf(this.#latest) < goal) {
      if (this.#child.exitCode !== null || Date.now() > deadline)
        throw new KpngError(
          'internal',
          `the clients got no further: ${JSON.stringify(this.#latest)} ${this.#stderr}`,
        )
      await sleep(20)
    }
  }

  /** Ends the clients and gives the final count. */
  async stop(): Promise<LoadReport> {
    this.#child.kill('SIGTERM')
    await this.#ended
    return this.#latest
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop()
  }
}
