import type { Clock } from '@kpng/api'

/** Calls once when nothing was heard for too long. Being heard costs no timer. */
export class Watchdog implements Disposable {
  readonly #clock: Clock
  readonly #onSilence: () => void
  #withinMs: number
  #heardMs: number
  #timer: Disposable | undefined

  constructor(clock: Clock, withinMs: number, onSilence: () => void) {
    this.#clock = clock
    this.#onSilence = onSilence
    this.#withinMs = withinMs
    this.#heardMs = clock.nowMs()
    this.#arm(withinMs)
  }

  heard(): void {
    this.#heardMs = this.#clock.nowMs()
  }

  /** Another patience from now on. */
  expect(withinMs: number): void {
    this.heard()
    this.#withinMs = withinMs
    this.#arm(withinMs)
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
  }

  #arm(delayMs: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = this.#clock.after(delayMs, () => {
      const leftMs = this.#heardMs + this.#withinMs - this.#clock.nowMs()
      if (leftMs > 0) this.#arm(leftMs)
      else this.#onSilence()
    })
  }
}
