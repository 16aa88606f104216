import type { Clock, Family } from '@kpng/api'

export interface SyncHealthOptions {
  readonly families: readonly Family[]
  /** An update that is queued for so long, without any success since, makes its family unhealthy. */
  readonly timeoutMs: number
  readonly clock: Clock
}

export interface FamilyHealth {
  readonly healthy: boolean
  /** Milliseconds since 1970 of the last success. */
  readonly updatedMs: number
}

export interface HealthReport {
  /** No family is late. */
  readonly healthy: boolean
  /** Of the family that was updated last; undefined before the first update. */
  readonly updatedMs: number | undefined
  /** Families that were updated at least once. */
  readonly families: ReadonlyMap<Family, FamilyHealth>
}

/**
 * Whether the datapath follows what is wanted, for each family by itself: late is who has had something to do for too
 * long and has not succeeded since. Idle is healthy, and so is a family that was never up to date: it starts up.
 */
export class SyncHealth {
  readonly #options: SyncHealthOptions
  readonly #updatedMs = new Map<Family, number>()
  /** Steady time of the oldest update that is not done. */
  readonly #queuedMs = new Map<Family, number>()

  constructor(options: SyncHealthOptions) {
    this.#options = options
  }

  /** Something is to be done. What is queued already keeps its older time. */
  queued(families = this.#options.families): void {
    const now = this.#options.clock.nowMs()
    for (const family of families) if (!this.#queuedMs.has(family)) this.#queuedMs.set(family, now)
  }

  /** Everything is done. */
  updated(families = this.#options.families): void {
    for (const family of families) {
      this.#queuedMs.delete(family)
      this.#updatedMs.set(family, this.#options.clock.wallMs())
    }
  }

  report(): HealthReport {
    const now = this.#options.clock.nowMs()
    const families = new Map<Family, FamilyHealth>()
    for (const family of this.#options.families) {
      const updatedMs = this.#updatedMs.get(family)
      if (updatedMs === undefined) continue
      const queuedMs = this.#queuedMs.get(family) ?? now
      families.set(family, { healthy: now - queuedMs < this.#options.timeoutMs, updatedMs })
    }
    const healths = [...families.values()]
    return {
      healthy: healths.every(({ healthy }) => healthy),
      updatedMs: healths.length === 0 ? undefined : Math.max(...healths.map(({ updatedMs }) => updatedMs)),
      families,
    }
  }
}
