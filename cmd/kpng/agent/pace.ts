export interface PaceOptions {
  /** From the end of one run to the next; at least. */
  readonly minIntervalMs: number
  /** A run is followed by a pause so many times as long as the CPU time it took. Default 100: 1 % of a CPU at most. */
  readonly pause?: number
  /** From a request to the run, at least: a change is carried before anything else is made of it. Default 30. */
  readonly delayMs?: number
}

/**
 * Runs work whose cost grows with the cluster as often as it is asked for, but never for more than a small part of
 * a CPU: soon where all was quiet, else after a pause, once for all who asked meanwhile. What the process does
 * between the steps of an asynchronous run counts with it; waiting for a CPU that others use does not.
 */
export class Pace implements Disposable {
  readonly #work: () => void | Promise<void>
  readonly #minIntervalMs: number
  readonly #pause: number
  readonly #delayMs: number
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #asked = false
  #notBeforeMs = Number.NEGATIVE_INFINITY

  /** What `work` throws or rejects with ends the process: it deals with its failures by itself. */
  constructor(work: () => void | Promise<void>, options: PaceOptions) {
    this.#work = work
    this.#minIntervalMs = options.minIntervalMs
    this.#pause = options.pause ?? 100
    this.#delayMs = options.delayMs ?? 30
  }

  request(): void {
    this.#asked = true
    if (this.#timer !== undefined || this.#running !== undefined) return
    const delayMs = Math.max(this.#delayMs, this.#notBeforeMs - performance.now())
    this.#timer = setTimeout(() => void this.flush(), delayMs)
    this.#timer.unref()
  }

  /** Does now what was asked for and is not done yet; resolves when it is. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#running !== undefined) await this.#running
    if (!this.#asked) return
    this.#running = this.#run()
    await this.#running
  }

  async #run(): Promise<void> {
    this.#asked = false
    const before = cpuMs()
    try {
      await this.#work()
    } finally {
      const pauseMs = (cpuMs() - before) * this.#pause
      this.#notBeforeMs = performance.now() + Math.max(this.#minIntervalMs, pauseMs)
      this.#running = undefined
      if (this.#asked) this.request()
    }
  }

  /** Calls off what waits. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

/** Of all threads of the process. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
