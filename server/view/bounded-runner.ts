import type { Clock } from '@kpng/api'

/** What a piece of work came to: 'more' when it stopped in the middle so that others have their turns. */
export type WorkResult = 'done' | 'more'

/**
 * Runs a piece of work when asked, but not too often: the first request after idle in the next turn, later ones
 * at least minIntervalMs after the end of the run before. Requests in between become one run. Work that is not done
 * goes on in the next turn.
 */
export class BoundedRunner implements Disposable {
  readonly #work: () => WorkResult
  readonly #minIntervalMs: number
  readonly #clock: Clock
  #timer: Disposable | undefined
  #notBeforeMs = 0
  #running = false
  #again = false
  #disposed = false

  constructor(work: () => WorkResult, minIntervalMs: number, clock: Clock) {
    this.#work = work
    this.#minIntervalMs = minIntervalMs
    this.#clock = clock
  }

  request(): void {
    if (this.#running) this.#again = true
    if (this.#running || this.#timer !== undefined || this.#disposed) return
    const delayMs = Math.max(0, this.#notBeforeMs - this.#clock.nowMs())
    this.#timer = this.#clock.after(delayMs, () => this.runNow())
  }

  /** As request, whatever the interval. */
  requestNow(): void {
    this.#notBeforeMs = 0
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    this.request()
  }

  /** Runs in this turn, whatever the interval; counts as the run that was asked for. */
  runNow(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    if (this.#disposed || this.#running) return
    this.#running = true
    this.#again = false
    let result: WorkResult = 'done'
    try {
      result = this.#work()
    } finally {
      this.#running = false
      this.#notBeforeMs = result === 'more' ? 0 : this.#clock.nowMs() + this.#minIntervalMs
      if (this.#again || result === 'more') this.request()
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }
}
