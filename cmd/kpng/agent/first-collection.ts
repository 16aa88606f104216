import type { Logger } from 'pino'

/** By then the first problems have been told and the journal is being written. */
const afterMs = 1_000

/** V8's, where it was started with --expose-gc. */
type Collect = NonNullable<typeof globalThis.gc>

/**
 * bin/kpng lets V8 put off its first collection of the old generation: what a start makes is there to stay, so those
 * that a growing heap has it do find hardly anything, and take a fifth of the CPU time of a start in a large cluster.
 * One is asked for once, when the first view is in place. From then on V8 goes by what is alive, and a small cluster
 * keeps no garbage of its start.
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
    await this.#collect?.({ type: 'major', execution: 'async' })
    this.#logger.debug(
      { elapsedMs: Math.round(performance.now() - startedAt) },
      'what the start has left is collected',
    )
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
