/** How long to go on before others get a turn, in milliseconds. */
export const SLICE_MS = 6

/** Lets long work give way to others every so often: `if (slice.isOver) await slice.next()`. */
export class TimeSlice {
  #endMs = performance.now() + SLICE_MS

  get isOver(): boolean {
    return performance.now() >= this.#endMs
  }

  /** Resolves in another turn of the event loop, after what was waiting. */
  async next(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    this.#endMs = performance.now() + SLICE_MS
  }
}
