/** Time, injected wherever something waits: tests drive it by hand. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  nowMs(): number
  /** Calls once after delayMs (0: in a turn of its own); dispose to cancel. */
  after(delayMs: number, call: () => void): Disposable
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** A clock that only moves when told to; for tests. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, call: () => void): Disposable {
    const timer = { atMs: this.#nowMs + delayMs, call }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => this.#timers.delete(timer) }
  }

  /** Runs what falls due within the next byMs, in order of time. advance(0): what is due now. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const [next] = [...this.#timers].filter(it => it.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.call()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs) // a call may have moved it
  }

  get pending(): number {
    return this.#timers.size
  }
}
