export interface AttachmentOptions {
  /** Puts the programs in place; throws where that cannot be done now. */
  readonly attach: () => void
  /** What is not in place as it should be, as a sentence; undefined: all is. May throw. */
  readonly fault: () => string | undefined
  /** The programs are in place now: for the first time, or again after `fault`. */
  readonly onAttached: (fault: string | undefined) => void
  /** They could not be put in place: told once for each message. */
  readonly onFailed: (reason: unknown) => void
  /** Between two looks at programs that are in place. Default 5,000. */
  readonly checkIntervalMs?: number
  /** After a failure; doubles up to checkIntervalMs. Default 250. */
  readonly retryMs?: number
}

/**
 * Keeps programs where they belong: puts them in place when `begin` is called, tries again where that fails, and
 * from then on looks whether they still are. A link to a cgroup that was removed looks healthy for as long as a
 * socket that was born there lives, and a cgroup of the same name may be there again.
 */
export class Attachment implements Disposable {
  readonly #options: AttachmentOptions
  readonly #checkIntervalMs: number
  readonly #retryMs: number
  #timer: NodeJS.Timeout | undefined
  #begun = false
  #attached = false
  #failures = 0
  #failure: Error | undefined
  #closed = false

  constructor(options: AttachmentOptions) {
    this.#options = options
    this.#checkIntervalMs = options.checkIntervalMs ?? 5_000
    this.#retryMs = options.retryMs ?? 250
  }

  /** They are in place, as far as the last look tells. */
  get attached(): boolean {
    return this.#attached
  }

  /** Why they are not in place; undefined before `begin` too. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Puts the programs in place now, or tries to where that failed before. */
  begin(): void {
    if (!this.#attached) this.#look()
  }

  #look(): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    try {
      const fault = this.#begun ? this.#options.fault() : undefined
      if (!this.#begun || !this.#attached || fault !== undefined) {
        this.#attached = false
        this.#options.attach()
        this.#attached = true
        this.#failure = undefined
        this.#options.onAttached(fault)
      }
      this.#begun = true
      this.#failures = 0
    } catch (reason) {
      this.#fail(reason)
    }
    const retryMs = this.#retryMs * 2 ** Math.min(this.#failures, 20)
    const delayMs = this.#attached ? this.#checkIntervalMs : Math.min(retryMs, this.#checkIntervalMs)
    this.#timer = setTimeout(() => this.#look(), delayMs).unref()
  }

  #fail(reason: unknown): void {
    this.#attached = false
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
