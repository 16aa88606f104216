import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TestHost } from '../agent.ts'

export interface Address {
  readonly address: string
  readonly port: number
}

export interface HammerResult {
  /** Connections made, of all targets. */
  readonly connects: number
  readonly failed: Readonly<Record<string, number>>
  readonly perSecond: number
  readonly slowestMs: number
  /** Connections made, by target in the order given. */
  readonly made: readonly number[]
  /** Connections that arrived, by listener in the order given. */
  readonly arrived: readonly number[]
}

/** Thousands of connections a second from one process to another, both counting. */
export class Hammer implements AsyncDisposable {
  readonly #made: AsyncDisposableStack
  readonly #connects: Counting
  readonly #accepts: Counting

  private constructor(made: AsyncDisposableStack, connects: Counting, accepts: Counting) {
    this.#made = made
    this.#connects = connects
    this.#accepts = accepts
  }

  static async start(
    host: TestHost,
    listeners: readonly Address[],
    targets: readonly Address[],
    ratePerSecond: number,
  ): Promise<Hammer> {
    await using made = new AsyncDisposableStack()
    const build = mkdtempSync(join(tmpdir(), 'kpng-hammer-'))
    made.defer(() => rmSync(build, { recursive: true, force: true }))
    const accepts = made.use(new Counting(host, [compile(build, 'accepts'), ...words(listeners)]))
    await accepts.ready()
    const command = [compile(build, 'connects'), `${ratePerSecond}`, ...words(targets)]
    const connects = made.use(new Counting(host, command))
    await connects.ready()
    return new Hammer(made.move(), connects, accepts)
  }

  /** Ends it and gives the counts. */
  async finish(): Promise<HammerResult> {
    const result = JSON.parse(await this.#connects.finish()) as ConnectsResult
    const arrived = JSON.parse(await this.#accepts.finish()) as number[]
    const connects = result.ok.reduce((sum, count) => sum + count, 0)
    return {
      connects,
      failed: result.failed,
      perSecond: Math.round(connects / result.seconds),
      slowestMs: result.slowest_ms,
      made: result.ok,
      arrived,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made.disposeAsync()
  }
}

/** What connects.c prints. */
interface ConnectsResult {
  readonly ok: readonly number[]
  readonly failed: Readonly<Record<string, number>>
  readonly seconds: number
  readonly slowest_ms: number
}

const words = (addresses: readonly Address[]): string[] =>
  addresses.flatMap(({ address, port }) => [address, `${port}`])

function compile(build: string, name: string): string {
  const out = join(build, name)
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror']
  execFileSync('gcc', [...flags, '-o', out, join(import.meta.dirname, `${name}.c`)])
  return out
}

/** A process that says "ready", and in its last line what it has counted. */
class Counting implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #output: Promise<string>
  readonly #errors: Promise<string>

  constructor(host: TestHost, command: readonly string[]) {
    this.#child = host.startWithInput(command)
    this.#output = text(this.#child.stdout)
    this.#errors = text(this.#child.stderr)
    // Its end before its input's shows in what it has printed.
    this.#child.stdin.on('error', () => {})
  }

  async ready(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#child.stdout.once('data', () => resolve())
      this.#child.once('error', reject)
      this.#child.once('exit', code =>
        this.#errors.then(said => reject(new Error(`exit ${code}: ${said}`)), reject),
      )
    })
  }

  async finish(): Promise<string> {
    this.#child.stdin.end()
    return (await this.#output).trim().split('\n').at(-1) ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await this.#output
  }
}
