import type { Clock, Problem } from '@kpng/api'
import type { Outcome } from './applier.ts'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import type { Resource, ServiceState } from './state.ts'

/** Services brought to the kernel together: bounds how long a newer change waits behind them. */
const MAX_CHUNK_SERVICES = 256
const MAX_CHUNK_ENDPOINTS = 8192
/** So many Services that do not fit are tried when room appears; the next ones at the next room. */
const MAX_UNFIT_RETRIES = 64

export interface ServiceQueuesOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: BackoffOptions
  /** There is something to do. */
  readonly wake: () => void
}

/** What is to be done for which Service, now or later. A Service is in one of the queues at most. */
export class ServiceQueues {
  readonly #options: ServiceQueuesOptions
  /** To do now; those that go come first, for they make room. */
  readonly #going = new Set<ServiceState>()
  readonly #dirty = new Set<ServiceState>()
  /** In the applier's hands. */
  #chunk: readonly ServiceState[] = []
  /** To do again when a timer says so. */
  readonly #retrying = new Set<ServiceState>()
  /** To do again after a grace period. */
  readonly #awaiting = new Set<ServiceState>()
  /** Done as far as there is room. */
  readonly #unfit = new Set<ServiceState>()
  readonly #troubled = new Set<ServiceState>()
  retries = 0

  constructor(options: ServiceQueuesOptions) {
    this.#options = options
  }

  get unfit(): number {
    return this.#unfit.size
  }

  /** Those whose last attempt failed, or that did not fit whole, in whatever queue. */
  get troubled(): ReadonlySet<ServiceState> {
    return this.#troubled
  }

  get failing(): number {
    return this.#retrying.size
  }

  /** revision 0: it was in the kernel before, and nobody waits for it. */
  add(service: ServiceState, revision: number): void {
    service.retryTimer?.[Symbol.dispose]()
    service.retryTimer = undefined
    this.#retrying.delete(service)
    this.#awaiting.delete(service)
    this.#unfit.delete(service)
    if (service.since === 0) service.since = revision
    this.#dirty.delete(service)
    this.#going.delete(service)
    if (service.view === undefined) this.#going.add(service)
    else this.#dirty.add(service)
    this.#options.wake()
  }

  /** The next Services to bring to the kernel; give them back with `applied`. */
  take(): readonly ServiceState[] {
    const chunk: ServiceState[] = []
    let endpoints = 0
    for (const queue of [this.#going, this.#dirty]) {
      for (const service of queue) {
        if (chunk.length >= MAX_CHUNK_SERVICES || endpoints >= MAX_CHUNK_ENDPOINTS) break
        queue.delete(service)
        chunk.push(service)
        for (const { endpoints: families } of service.plan?.ports ?? [])
          endpoints += (families.IPv4?.endpoints.length ?? 0) + (families.IPv6?.endpoints.length ?? 0)
      }
    }
    this.#chunk = chunk
    return chunk
  }

  /** Gives the oldest revision that was among them: what follows from them belongs to it. */
  applied(outcome: Outcome, revision: number): number {
    const chunk = this.#chunk
    this.#chunk = []
    const oldest = Math.min(revision, ...chunk.map(({ since }) => (since > 0 ? since : revision)))
    for (const service of chunk) {
      service.unfit = outcome.unfit.get(service) ?? NOTHING
      service.error = undefined
      if (service.unfit.size > 0) this.#troubled.add(service)
      else this.#troubled.delete(service)
      if (outcome.failed.has(service)) continue
      if (outcome.awaiting.has(service)) {
        this.#awaiting.add(service)
        continue
      }
      service.since = 0
      service.attempts = 0
      if (service.unfit.size > 0) this.#unfit.add(service)
    }
    for (const [service, problem] of outcome.failed) this.#retryLater(service, problem, revision)
    return oldest
  }

  /** Tries those again that waited for a grace period. */
  retryAwaiting(): void {
    for (const service of [...this.#awaiting]) this.add(service, 0)
  }

  /** Tries some that wait for this kind of room; all kinds when undefined. */
  retryUnfit(resources: ReadonlySet<Resource> | undefined): void {
    let tried = 0
    for (const service of this.#unfit) {
      if (resources !== undefined && !service.unfit.keys().some(resource => resources.has(resource))) continue
      this.add(service, 0)
      if (++tried === MAX_UNFIT_RETRIES) break
    }
  }

  /** Whether there is work to do for it, now or later. */
  has(service: ServiceState): boolean {
    return [this.#going, this.#dirty, this.#retrying, this.#awaiting, this.#unfit].some(queue =>
      queue.has(service),
    )
  }

  /** Of the oldest sync that is not in the kernel; Infinity when all are. */
  oldestRevision(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const queue of [this.#chunk, this.#going, this.#dirty, this.#retrying, this.#awaiting])
      for (const { since } of queue) if (since > 0) oldest = Math.min(oldest, since)
    return oldest
  }

  #retryLater(service: ServiceState, problem: Problem, revision: number): void {
    service.error = problem
    this.#troubled.add(service)
    if (this.#dirty.has(service) || this.#going.has(service)) return
    this.retries++
    this.#awaiting.delete(service)
    this.#unfit.delete(service)
    this.#retrying.add(service)
    if (service.since === 0) service.since = revision
    service.retryTimer?.[Symbol.dispose]()
    const { clock, backoff, random } = this.#options
    const delayMs = backoffMs(service.attempts++, backoff, random)
    service.retryTimer = clock.after(delayMs, () => this.add(service, 0))
  }
}

const NOTHING: ReadonlyMap<Resource, Problem> = new Map()
