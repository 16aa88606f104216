import type { Logger } from 'pino'

/** By then the first problems have been told and the journal is being written. */
const afterMs = 1_000

/** V8's, where it was started with --expose-gc. */
type Collect = NonNullable<typeof globalThis.gc>

/**
 * bin/kpng lets V8 put off its first collection of the old generation: what a start makes is there to stay, so those
 * that a growing heap has it do find hardly anything, and take a tenth of the CPU time of a start in a large cluster.
 * One is asked for once, when the first view is in place, which gives pages back as well. It stops the event loop (a
 * quarter of a second among 10,000 Services), while the datapath goes on. From then on V8 goes by what is alive.
 */
export class FirstCollection implements Disposable {
  readonly #collect: Collect | undefined
  readonly #logger: Logger
  #timer: NodeJS.Timeout | undefined

  constructor(logger: Logger, collect: Collect | undefined = globalThis.gc) {
    this.#logger = logger
    this.#collect = collect
  }

  /** The first view is in place: the first time counts. */
  placed(): void {
    this.#timer ??= setTimeout(() => void this.#run(), afterMs).unref()
  }

  async #run(): Promise<void> {
    const startedAt = performance.now()
    await this.#collect?.({ type: 'major', execution: 'async', flavor: 'last-resort' })
    this.#logger.debug(
      { elapsedMs: Math.round(performance.now() - startedAt) },
      'what the start has left is collected',
    )
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
