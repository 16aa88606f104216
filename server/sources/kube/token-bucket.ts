import type { Clock } from '@kpng/api'

export interface Rate {
  /** Requests a second in the long run. */
  readonly qps: number
  /** Requests at once, after a pause that was long enough. */
  readonly burst: number
}

/** As client-go's: so many at once, then so many a second; who comes later waits longer. */
export class TokenBucket {
  readonly #rate: Rate
  readonly #clock: Clock
  /** Below 0: taken in advance by those who wait. */
  #tokens: number
  #atMs: number

  constructor(rate: Rate, clock: Clock) {
    this.#rate = { qps: rate.qps, burst: Math.max(1, rate.burst) }
    this.#clock = clock
    this.#tokens = this.#rate.burst
    this.#atMs = clock.nowMs()
  }

  /** Takes one; resolves when it is there. Rejects with the signal's reason, and gives it back. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const nowMs = this.#clock.nowMs()
    const { qps, burst } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * qps) - 1
    this.#atMs = nowMs
    if (this.#tokens >= 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    using _timer = this.#clock.after((-this.#tokens / qps) * 1000, resolve)
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } catch (reason) {
      this.#tokens++
      throw reason
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}
