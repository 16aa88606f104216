import type { Clock } from '@kpng/api'
import { type BackoffOptions, backoffMs } from './backoff.ts'

/** Work that belongs to no Service: tried when asked for, again with backoff when it fails. */
export class Chore {
  readonly name: string
  readonly #work: () => Promise<void> | void
  readonly #wake: () => void
  readonly #retry: { readonly clock: Clock; readonly random: () => number; readonly backoff: BackoffOptions }
  #due = false
  #running = false
  #attempts = 0
  #retryTimer: Disposable | undefined
  /** Why the last attempt failed. */
  failure: unknown
  retries = 0

  constructor(
    name: string,
    work: () => Promise<void> | void,
    wake: () => void,
    retry: { readonly clock: Clock; readonly random: () => number; readonly backoff: BackoffOptions },
  ) {
    this.name = name
    this.#work = work
    this.#wake = wake
    this.#retry = retry
  }

  /** To be run as soon as its owner has time. */
  request(): void {
    this.#retryTimer?.[Symbol.dispose]()
    this.#retryTimer = undefined
    this.#due = true
    this.#wake()
  }

  get due(): boolean {
    return this.#due
  }

  /** Nothing left to do, now or later. */
  get done(): boolean {
    return !this.#due && !this.#running && this.#retryTimer === undefined
  }

  async run(): Promise<void> {
    this.#due = false
    this.#running = true
    try {
      await this.#work()
      this.failure = undefined
      this.#attempts = 0
    } catch (error) {
      this.failure = error
      this.retries++
      const { clock, random, backoff } = this.#retry
      if (this.#due) return
      this.#retryTimer = clock.after(backoffMs(this.#attempts++, backoff, random), () => this.request())
    } finally {
      this.#running = false
    }
  }

  close(): void {
    this.#retryTimer?.[Symbol.dispose]()
    this.#retryTimer = undefined
    this.#due = false
  }
}
