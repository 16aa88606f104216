/** Lets the event loop run between slices of long work. */
export class Slicer {
  readonly #budgetMs: number
  #startedMs = performance.now()

  constructor(budgetMs: number) {
    this.#budgetMs = budgetMs
  }

  /** A turn of the event loop begins with us. */
  begin(): void {
    this.#startedMs = performance.now()
  }

  /** Resolves at once while the slice lasts, else after what waits in the event loop has run. */
  async breathe(): Promise<void> {
    if (!this.over) return
    await new Promise(resolve => setImmediate(resolve))
    this.#startedMs = performance.now()
  }

  /** Asking is cheaper than awaiting: `if (slicer.over) await slicer.breathe()`. */
  get over(): boolean {
    return performance.now() - this.#startedMs >= this.#budgetMs
  }
}
