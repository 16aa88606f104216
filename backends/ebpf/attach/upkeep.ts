export interface UpkeepOptions {
  /** Puts it in place; throws where that cannot be done now. */
  readonly put: () => void
  /** What is not in place as it should be, as a sentence; undefined: all is. May throw. */
  readonly fault: () => string | undefined
  /** It is in place now: for the first time, or again after `fault`. */
  readonly onPut: (fault: string | undefined) => void
  /** It could not be put in place: told once for each message. */
  readonly onFailed: (reason: unknown) => void
  /** Between two looks at what is in place. Default 2,000. */
  readonly checkIntervalMs?: number
  /** After a failure; doubles up to checkIntervalMs. Default 250. */
  readonly retryMs?: number
}

/** What an upkeep tells of itself. */
export interface UpkeepState {
  /** As far as the last look tells. */
  readonly inPlace: boolean
  /** How often it was put in place again. */
  readonly repairs: number
}

/**
 * Keeps something in the kernel where it belongs: puts it in place when `begin` is called, tries again where that
 * fails, and from then on looks whether it still is, for others may take it away, and the kernel tells nobody.
 */
export class Upkeep implements Disposable {
  readonly #options: UpkeepOptions
  readonly #checkIntervalMs: number
  readonly #retryMs: number
  #timer: NodeJS.Timeout | undefined
  #begun = false
  #inPlace = false
  #repairs = 0
  #failures = 0
  #failure: Error | undefined
  #closed = false

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#checkIntervalMs = options.checkIntervalMs ?? 2_000
    this.#retryMs = options.retryMs ?? 250
  }

  get state(): UpkeepState {
    return { inPlace: this.#inPlace, repairs: this.#repairs }
  }

  /** Why it is not in place; undefined before `begin` too. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Puts it in place now, or tries to where that failed before. */
  begin(): void {
    if (!this.#inPlace) this.#look()
  }

  /** Puts it in place again, for what is to be there has changed. */
  renew(): void {
    this.#attempt(() => this.#put(undefined))
  }

  #look(): void {
    this.#attempt(() => {
      const fault = this.#begun ? this.#options.fault() : undefined
      if (!this.#inPlace || fault !== undefined) this.#put(fault)
    })
  }

  #attempt(work: () => void): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    try {
      work()
      this.#failures = 0
    } catch (reason) {
      this.#fail(reason)
    }
    const retryMs = this.#retryMs * 2 ** Math.min(this.#failures, 20)
    const delayMs = this.#inPlace ? this.#checkIntervalMs : Math.min(retryMs, this.#checkIntervalMs)
    this.#timer = setTimeout(() => this.#look(), delayMs).unref()
  }

  #put(fault: string | undefined): void {
    this.#inPlace = false
    this.#options.put()
    this.#inPlace = true
    // What was wrong may have gone by itself, as a file system that is mounted again.
    const mended = this.#begun ? (fault ?? this.#failure?.message) : undefined
    this.#failure = undefined
    this.#begun = true
    if (mended !== undefined) this.#repairs++
    this.#options.onPut(mended)
  }

  #fail(reason: unknown): void {
    this.#inPlace = false
    this.#failures++
    const failure = reason instanceof Error ? reason : new Error(String(reason))
    const known = this.#failure?.message === failure.message
    this.#failure = failure
    if (!known) this.#options.onFailed(reason)
  }

  [Symbol.dispose](): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}
