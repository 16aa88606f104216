import type { Clock } from '@kpng/api'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import type { Resource } from './state.ts'

/** Something that running programs may still see. */
interface Retired {
  readonly resource: Resource | undefined
  /** Called after a grace period; what throws is tried again after another one. */
  readonly release: () => void
}

export interface RetirementOptions {
  /** Resolves when every program that ran at the call has ended. */
  readonly grace: () => Promise<void>
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: BackoffOptions
  /** Something was released; where it was room, which kind. */
  readonly released: (resources: ReadonlySet<Resource>) => void
}

/**
 * What has left the datapath but may still be seen by programs that run: released after a grace period, one
 * for all that came together.
 */
export class Retirement {
  readonly #options: RetirementOptions
  #queue: Retired[] = []
  #inGrace: Retired[] = []
  #failures = 0
  #retryTimer: Disposable | undefined
  #started = false
  #closed = false
  /** Grace periods that have passed. */
  graces = 0
  /** Why the last grace period or release failed; undefined when it did not. */
  failure: unknown

  constructor(options: RetirementOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#queue.length + this.#inGrace.length
  }

  /** Whether room of this kind will appear by itself. */
  expects(resource: Resource): boolean {
    const same = (retired: Retired): boolean => retired.resource === resource
    return this.#queue.some(same) || this.#inGrace.some(same)
  }

  /** Nothing is released before `start`: what leaves together shares one grace period. */
  add(resource: Resource | undefined, release: () => void): void {
    this.#queue.push({ resource, release })
  }

  start(): void {
    if (this.#started || this.#closed || this.#retryTimer !== undefined || this.#queue.length === 0) return
    this.#started = true
    void this.#run()
  }

  close(): void {
    this.#closed = true
    this.#retryTimer?.[Symbol.dispose]()
  }

  async #run(): Promise<void> {
    const { grace, released } = this.#options
    while (this.#queue.length > 0 && !this.#closed) {
      const batch = this.#queue
      this.#queue = []
      this.#inGrace = batch
      const failed: Retired[] = []
      this.failure = undefined
      try {
        await grace()
        this.graces++
      } catch (error) {
        this.failure = error
        failed.push(...batch)
      }
      this.#inGrace = []
      if (this.#closed) break
      const freed = new Set<Resource>()
      for (const retired of failed.length > 0 ? [] : batch) {
        try {
          retired.release()
          if (retired.resource !== undefined) freed.add(retired.resource)
        } catch (error) {
          this.failure = error
          failed.push(retired)
        }
      }
      this.#queue.push(...failed)
      if (failed.length > 0) this.#retryLater()
      else this.#failures = 0
      released(freed)
      if (failed.length > 0) break
    }
    this.#started = false
  }

  #retryLater(): void {
    const { clock, backoff, random } = this.#options
    this.#retryTimer = clock.after(backoffMs(this.#failures++, backoff, random), () => {
      this.#retryTimer = undefined
      this.start()
    })
  }
}
