import type { Clock } from '../clock.ts'

/** A clock that only moves when told to. Begins at the given wall time, its steady time at 0. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #startMs: number
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>()

  constructor(start = '2026-01-02T03:04:05Z') {
    this.#startMs = Date.parse(start)
  }

  wallMs(): number {
    return this.#startMs + this.#nowMs
  }

  steadyMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, call: () => void): Disposable {
    const timer = { atMs: this.#nowMs + delayMs, call }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => this.#timers.delete(timer) }
  }

  /** Runs what falls due within the next byMs, in order of time. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const [next] = [...this.#timers].filter(it => it.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.call()
    }
    this.#nowMs = untilMs
  }

  get pending(): number {
    return this.#timers.size
  }
}
