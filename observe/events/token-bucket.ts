import type { Clock } from '@kpng/api'

/** So many at once, and so many per second on average, as client-go limits its requests. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  readonly #clock: Clock
  #tokens: number
  #atMs: number

  /** perSecond 0 or less: no limit. */
  constructor(perSecond: number, burst: number, clock: Clock) {
    this.#perMs = perSecond > 0 ? perSecond / 1_000 : Number.POSITIVE_INFINITY
    this.#burst = Math.max(1, burst)
    this.#clock = clock
    this.#tokens = this.#burst
    this.#atMs = clock.nowMs()
  }

  /** Until there is one to take. */
  waitMs(): number {
    this.#fill()
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs
  }

  take(): void {
    this.#fill()
    this.#tokens--
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs()
    const gained = nowMs === this.#atMs ? 0 : (nowMs - this.#atMs) * this.#perMs
    this.#tokens =
      this.#perMs === Number.POSITIVE_INFINITY ? this.#burst : Math.min(this.#burst, this.#tokens + gained)
    this.#atMs = nowMs
  }
}
