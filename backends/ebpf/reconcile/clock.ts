/** Time and chance, so that tests can hold both. */
export interface Clock {
  /** Monotonic. */
  nowMs(): number
  /** Calls back once; the result calls it off. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

export interface BackoffOptions {
  readonly firstMs: number
  readonly mostMs: number
}

/** Doubles from firstMs to mostMs, between half and all of it by chance: those who failed together spread out. */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const whole = Math.min(options.mostMs, options.firstMs * 2 ** Math.min(attempt, 30))
  return whole * (0.5 + random() / 2)
}
