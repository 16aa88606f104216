import type { Clock } from './clock.ts'

/** A clock that only moves when told to; for tests. Begins at a wall time, and at 0 for what is measured. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #startMs: number
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>()

  constructor(start = '2026-01-02T03:04:05Z') {
    this.#startMs = Date.parse(start)
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#startMs + this.#nowMs
  }

  after(delayMs: number, call: () => void): Disposable {
    const timer = { atMs: this.#nowMs + delayMs, call }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => this.#timers.delete(timer) }
  }

  /** Runs what falls due within the next byMs, in order of time. advance(0): what is due now. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    while (this.runNext(untilMs));
    this.#nowMs = Math.max(this.#nowMs, untilMs) // a call may have moved it
  }

  /** Goes on to what falls due first, and runs that, unless it is later than untilMs. Says whether there was something. */
  runNext(untilMs: number): boolean {
    const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs)
    if (next === undefined || next.atMs > untilMs) return false
    this.#timers.delete(next)
    this.#nowMs = Math.max(this.#nowMs, next.atMs)
    next.call()
    return true
  }

  /** How many calls wait. */
  get pending(): number {
    return this.#timers.size
  }
}
