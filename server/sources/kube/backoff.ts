export interface BackoffOptions {
  /** The first wait is at most this long. */
  readonly firstMs: number
  /** No wait is longer. */
  readonly maxMs: number
  /** 0 to 1, as Math.random. */
  readonly random: () => number
}

/** Waits that double from firstMs to maxMs, each between half and the whole of its step: nodes do not keep step. */
export class Backoff {
  readonly #options: BackoffOptions
  #stepMs: number

  constructor(options: BackoffOptions) {
    this.#options = options
    this.#stepMs = options.firstMs
  }

  nextMs(): number {
    const stepMs = this.#stepMs
    this.#stepMs = Math.min(stepMs * 2, this.#options.maxMs)
    return Math.min(stepMs, this.#options.maxMs) * (1 - this.#options.random() / 2)
  }

  reset(): void {
    this.#stepMs = this.#options.firstMs
  }
}
