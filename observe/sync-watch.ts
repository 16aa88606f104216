import type { Clock, Family, NodeView, ServiceView, SyncState, ViewSink } from '@kpng/api'
import type { SyncHealth } from './health/sync-health.ts'
import type { PendingCounts, SyncMetrics } from './metrics/sync-metrics.ts'
import { type ViewFacts, ViewTally } from './view-tally.ts'

export interface SyncWatchOptions {
  /** Who is given the view. */
  readonly sink: ViewSink
  /** Resolves when connections are decided by all that the sink was given up to its last sync. */
  readonly inForce: () => Promise<void>
  readonly health: SyncHealth
  readonly metrics: SyncMetrics
  readonly clock: Clock
  /** Connections are decided by a view of which these are the facts. */
  readonly onSynced: (facts: ViewFacts) => void
}

/** An object that a source has spoken of. */
export interface WatchedWrite {
  readonly kind: string
  readonly key: string
  readonly changed: boolean
}

/** The work on the datapath that has just ended. */
export interface WatchedPass {
  readonly durationMs: number
  readonly full: boolean
  readonly failed: boolean
  readonly upToDate: boolean
}

/** When that happened which made an EndpointSlice change. */
export interface WatchedTrigger {
  readonly atMs: number
  readonly family: Family
}

/** What has been handed to the sink and is not in force. */
interface Batch {
  facts: ViewFacts
  readonly services: Set<string>
  slices: number
  readonly triggers: WatchedTrigger[]
}

/** Bound on the triggers that wait while nothing can be written. */
const maxTriggers = 10_000

/**
 * Stands between a view and its sink, and follows each change on its way: written by a source, handed to the sink, in
 * force. From that come health and metrics of syncs; a sync succeeds when all that was handed over is in force.
 */
export class SyncWatch implements ViewSink {
  readonly #options: SyncWatchOptions
  readonly #tally = new ViewTally()
  /** Changed since the view looked last. */
  #services = new Set<string>()
  #slices = 0
  #triggers: WatchedTrigger[] = []
  /** Being written, and what comes after it. */
  #current: Batch | undefined
  #next: Batch | undefined
  /** The newest facts that were synced. */
  #facts: ViewFacts = this.#tally.facts()
  #inPlace = false

  constructor(options: SyncWatchOptions) {
    this.#options = options
    // As kube-proxy: a start counts as an update, from which on the first one must not take too long.
    options.health.updated()
    options.metrics.queued(options.clock.wallMs())
    options.metrics.watchPending(() => this.#pending())
  }

  /** A source has said something; ready: the view is handed over, for all first lists are there. */
  written({ kind, key, changed }: WatchedWrite, ready: boolean): void {
    if (kind === 'Service') {
      this.#options.metrics.serviceWritten()
      if (changed) this.#services.add(key)
    } else if (kind === 'EndpointSlice') {
      this.#options.metrics.sliceWritten()
      if (changed) this.#slices++
    }
    if (!changed) return
    if (ready) this.#queued()
  }

  /** Slices have changed because of these, and the view has seen it. */
  triggered(triggers: readonly WatchedTrigger[]): void {
    this.#triggers.push(...triggers.slice(0, maxTriggers - this.#triggers.length))
  }

  setNode(node: NodeView): void {
    this.#options.sink.setNode(node)
  }

  setService(view: ServiceView): void {
    this.#tally.set(view)
    this.#options.sink.setService(view)
  }

  deleteService(namespace: string, name: string): void {
    this.#tally.delete(namespace, name)
    this.#options.sink.deleteService(namespace, name)
  }

  sync(state?: SyncState): void {
    this.#facts = this.#tally.facts()
    this.#queued()
    this.#options.sink.sync(state)
  }

  /** The sink has been handed all there is; nothing, perhaps. */
  caughtUp(): void {
    const batch: Batch = {
      facts: this.#facts,
      services: this.#services,
      slices: this.#slices,
      triggers: this.#triggers,
    }
    this.#services = new Set()
    this.#slices = 0
    this.#triggers = []
    if (this.#current === undefined) {
      this.#current = batch
      void this.#follow(batch)
    } else {
      this.#next = this.#next === undefined ? batch : merged(this.#next, batch)
    }
  }

  passed({ durationMs, full, failed, upToDate }: WatchedPass): void {
    this.#options.metrics.passed(durationMs, full, failed)
    // A repair may fail, or succeed, though nothing was handed over.
    if (failed) this.#queued()
    else if (upToDate) this.#restored()
  }

  /** Whether the programs are in place: once they were, to be without them is something to be done. */
  look(inPlace: boolean): void {
    if (inPlace === this.#inPlace) return
    this.#inPlace = inPlace
    if (inPlace) this.#restored()
    else this.#queued()
  }

  #restored(): void {
    if (this.#current === undefined && this.#services.size === 0 && this.#slices === 0) this.#updated()
  }

  async #follow(first: Batch): Promise<void> {
    for (let batch: Batch | undefined = first; batch !== undefined; batch = this.#current) {
      await this.#options.inForce()
      this.#current = this.#next
      this.#next = undefined
      this.#succeeded(batch)
    }
  }

  #succeeded({ facts, triggers }: Batch): void {
    this.#updated()
    // The rest is queued, and not younger than this.
    if (this.#current !== undefined || this.#services.size > 0 || this.#slices > 0)
      this.#options.health.queued()
    const nowMs = this.#options.clock.wallMs()
    this.#options.metrics.synced(nowMs, facts.noLocal)
    for (const { atMs, family } of triggers) this.#options.metrics.programmed(family, nowMs - atMs)
    this.#options.onSynced(facts)
  }

  #queued(): void {
    this.#options.health.queued()
    this.#options.metrics.queued(this.#options.clock.wallMs())
  }

  #updated(): void {
    this.#options.health.updated()
  }

  /** What is not in force. */
  #pending(): PendingCounts {
    const batches = [this.#current, this.#next].filter(batch => batch !== undefined)
    const services = batches.reduce((all, batch) => all.union(batch.services), this.#services)
    const slices = batches.reduce((sum, batch) => sum + batch.slices, this.#slices)
    return { services: services.size, slices }
  }
}

const merged = (older: Batch, newer: Batch): Batch => ({
  facts: newer.facts,
  services: older.services.union(newer.services),
  slices: older.slices + newer.slices,
  triggers: [...older.triggers, ...newer.triggers].slice(0, maxTriggers),
})
