import type { Clock } from '@kpng/api'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import type { DeadBackend, ReconcilerHooks } from './hooks.ts'

/** So many backends are looked for in one pass: the map `dead` holds more. */
const MAX_BATCH = 1024
/** Sockets that resist so often are given up: nothing reaches a namespace that only a descriptor holds. */
const MAX_RESISTED = 5
/** A sync is not kept waiting by more passes that failed; they go on, for flows are not left where nothing serves. */
const MAX_AWAITED = 5

/**
 * A connect() that a hook has sent to the backend ends after the hook, and when it is preempted in between after
 * the grace period too. So all are looked for a second time: longer than a connect() takes from hook to end.
 */
const SECOND_LOOK_MS = 100

interface Dead extends DeadBackend {
  /** Of the sync that made it dead; Infinity when none waits for it. */
  revision: number
  /** Passes that could not be made, by an error of the kernel. */
  attempts: number
  /** Passes that left a socket of the batch. */
  resisted: number
  readonly second: boolean
}

export interface StaleSocketsOptions {
  readonly destroyStale: ReconcilerHooks['destroyStale']
  /** Whether a backend serves again: its sockets may stay. */
  readonly serves: (dead: DeadBackend) => boolean
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: BackoffOptions
  /** The queue has become shorter. */
  readonly progressed: () => void
}

/** Moves the connected UDP sockets of dead backends on, many backends a pass, with retries. */
export class StaleSockets {
  readonly #options: StaleSocketsOptions
  readonly #queue = new Map<number, Dead>()
  #running = false
  readonly #secondLooks = new Set<Disposable>()
  #retryTimer: Disposable | undefined
  #closed = false
  destroyed = 0
  /** Backends with sockets that could not be destroyed. */
  givenUp = 0
  failure: unknown

  constructor(options: StaleSocketsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#queue.size
  }

  /** Of the oldest sync whose stale sockets are not dealt with; Infinity when all are. */
  oldestRevision(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const { revision } of this.#queue.values()) oldest = Math.min(oldest, revision)
    return oldest
  }

  /** Only after the grace period that follows the flip: a program that runs may still make such a socket. */
  add(dead: DeadBackend, revision: number): void {
    const { id, generation } = dead
    if (this.#options.serves(dead)) return
    this.#enqueue({ id, generation }, revision, false)
    void this.#run()
  }

  #enqueue({ id, generation }: DeadBackend, revision: number, second: boolean): void {
    this.#queue.set(id, { id, generation, revision, second, attempts: 0, resisted: 0 })
  }

  /** Nobody waits for it; those that serve again by then are left alone. */
  #lookAgain(batch: readonly Dead[]): void {
    const timer = this.#options.clock.after(SECOND_LOOK_MS, () => {
      this.#secondLooks.delete(timer)
      for (const dead of batch)
        if (!this.#queue.has(dead.id)) this.#enqueue(dead, Number.POSITIVE_INFINITY, true)
      void this.#run()
    })
    this.#secondLooks.add(timer)
  }

  close(): void {
    this.#closed = true
    this.#retryTimer?.[Symbol.dispose]()
    for (const timer of this.#secondLooks) timer[Symbol.dispose]()
  }

  async #run(): Promise<void> {
    if (this.#running || this.#retryTimer !== undefined) return
    this.#running = true
    // What is added in the same turn goes with it.
    await new Promise(resolve => setImmediate(resolve))
    let failed = false
    while (this.#queue.size > 0 && !failed && !this.#closed) {
      for (const dead of this.#queue.values()) if (this.#options.serves(dead)) this.#queue.delete(dead.id)
      const batch = [...this.#queue.values()].slice(0, MAX_BATCH)
      if (batch.length > 0) failed = !(await this.#destroy(batch))
      // Those that a pass has failed for serve again.
      else this.failure = undefined
      this.#options.progressed()
    }
    this.#running = false
    if (!failed || this.#closed) return
    const attempts = Math.max(0, ...[...this.#queue.values()].map(dead => dead.attempts + dead.resisted))
    const { clock, backoff, random } = this.#options
    this.#retryTimer = clock.after(backoffMs(attempts, backoff, random), () => {
      this.#retryTimer = undefined
      void this.#run()
    })
  }

  /** false when it must be tried again. */
  async #destroy(batch: readonly Dead[]): Promise<boolean> {
    let outcome: 'clean' | 'resisted' | 'failed'
    try {
      const result = await this.#options.destroyStale(batch.map(({ id, generation }) => ({ id, generation })))
      this.destroyed += result.destroyed
      outcome = result.failed === 0 ? 'clean' : 'resisted'
      this.failure =
        outcome === 'clean' ? undefined : new Error(`${result.failed} stale sockets could not be destroyed`)
    } catch (error) {
      outcome = 'failed'
      this.failure = error
    }
    const first = batch.filter(dead => outcome === 'clean' && !dead.second)
    if (first.length > 0) this.#lookAgain(first)
    let waiting = false
    for (const dead of batch) {
      // Dead once more in the meantime: that one has a pass of its own coming.
      if (this.#queue.get(dead.id) !== dead) continue
      if (outcome === 'failed') {
        if (++dead.attempts >= MAX_AWAITED) dead.revision = Number.POSITIVE_INFINITY
        waiting = true
      } else if (outcome === 'resisted' && ++dead.resisted < MAX_RESISTED) {
        waiting = true
      } else {
        if (outcome === 'resisted') this.givenUp++
        this.#queue.delete(dead.id)
      }
    }
    return !waiting
  }
}
