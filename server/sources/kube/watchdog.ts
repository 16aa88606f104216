import type { Clock } from '@kpng/api'

/** Calls once when nothing was heard for too long. Being heard costs no timer. Waits for nobody until expect(). */
export class Watchdog implements Disposable {
  readonly #clock: Clock
  readonly #onSilence: () => void
  #withinMs = 0
  #heardMs = 0
  #timer: Disposable | undefined

  constructor(clock: Clock, onSilence: () => void) {
    this.#clock = clock
    this.#onSilence = onSilence
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

  /** From now on nobody is expected to say anything. */
  rest(): void {
    this.#timer?.[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.rest()
  }

  #arm(delayMs: number): void {
    this.rest()
    this.#timer = this.#clock.after(delayMs, () => {
      const leftMs = this.#heardMs + this.#withinMs - this.#clock.nowMs()
      if (leftMs > 0) this.#arm(leftMs)
      else this.#onSilence()
    })
  }
}
