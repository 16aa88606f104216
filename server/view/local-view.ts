import {
  type Clock,
  type NodeView,
  type ServiceView,
  serviceKey,
  systemClock,
  type ViewSink,
} from '@kpng/api'
import { sortedUnique } from '../objects/address-fields.ts'
import { DEFAULT_POLICY, type NodePolicy } from '../select/decisions.ts'
import { type LocalDetector, podSources } from '../select/local-detector.ts'
import { selectService } from '../select/service-view.ts'
import type { NodePlace } from '../select/topology.ts'
import type { ChangeFeed, Trigger } from '../store/changes.ts'
import { same } from '../store/same.ts'
import type { Store } from '../store/store.ts'
import { BoundedRunner, type WorkResult } from './bounded-runner.ts'
import { nodeAddresses } from './node-addresses.ts'
import { SLICE_MS } from './time-slice.ts'

export interface LocalViewOptions {
  /** Least time from the end of one batch to the next. Default 10 ms. */
  readonly minIntervalMs?: number
  /**
   * The sink has been told of a revision of the store, in which slices have changed because of these: what has passed
   * since then is the delay, once the sink has done as told. Must only take note.
   */
  readonly onTriggered?: (triggers: readonly Trigger[], revision: number) => void
  /** The sink has been told of all that the store says, if it was anything; after onTriggered. Must only take note. */
  readonly onCaughtUp?: () => void
  /** All traffic to ClusterIPs is masqueraded. Default false. */
  readonly masqueradeAll?: boolean
  /** How pods are told from other sources. Default: they are not. */
  readonly localDetector?: LocalDetector | undefined
  /** false: externalIPs of Services are not served. Default true. */
  readonly externalIPs?: boolean
  /** The node's primary address in its family, canonical. Default, and where unspecified (0.0.0.0): as the Node says. */
  readonly bindAddress?: string
  readonly clock?: Clock
}

/**
 * Keeps a sink up to date with what one node needs to know of a store: computes the rows of the Services that
 * were touched and hands over those that differ from what the sink has, as one batch ended by `sync`. Silent
 * before the store is complete; the first batch holds everything. Batches without content are not sent, but for one:
 * while something of the store is missing syncs are not complete, and when nothing is any more one says so.
 *
 * The sink's calls happen in turns of their own, never inside a write to the store; a large batch takes several, and
 * waits while somebody is in the middle of an update. What the sink throws goes to whoever runs the turn: a sink
 * only records.
 */
export class LocalView implements Disposable {
  readonly #store: Store
  readonly #nodeName: string
  readonly #sink: ViewSink
  readonly #localDetector: LocalDetector | undefined
  readonly #bindAddress: string
  readonly #onTriggered: LocalViewOptions['onTriggered']
  readonly #onCaughtUp: LocalViewOptions['onCaughtUp']
  readonly #clock: Clock
  readonly #feed: ChangeFeed
  readonly #runner: BoundedRunner
  readonly #sent = new Map<string, ServiceView>()
  /** Services to look at; what a failed batch left stays. */
  readonly #dirty = new Set<string>()
  #sentNode: NodeView | undefined
  #policy: NodePolicy
  #revision = 0
  #owesSync = false
  /** The sink has had a sync that was complete: so are all that follow. */
  #complete = false
  #waiting: (() => void)[] = []
  /** Of what the sink has not been told of to its end. */
  #triggers: Trigger[] = []
  #sliceMs = SLICE_MS
  #disposed = false

  constructor(store: Store, nodeName: string, sink: ViewSink, options: LocalViewOptions = {}) {
    this.#store = store
    this.#nodeName = canonicalNodeName(nodeName)
    this.#sink = sink
    this.#localDetector = options.localDetector
    this.#bindAddress = options.bindAddress ?? ''
    this.#policy = {
      masqueradeAll: options.masqueradeAll ?? DEFAULT_POLICY.masqueradeAll,
      podSources: podSources(options.localDetector, []),
      externalIPs: options.externalIPs ?? DEFAULT_POLICY.externalIPs,
    }
    this.#onTriggered = options.onTriggered
    this.#onCaughtUp = options.onCaughtUp
    this.#clock = options.clock ?? systemClock
    this.#runner = new BoundedRunner(() => this.#run(), options.minIntervalMs ?? 10, this.#clock)
    this.#feed = store.subscribe(() => this.#runner.request())
    this.#runner.request()
  }

  /** Whether the sink has had its first sync. */
  get synced(): boolean {
    return this.#sentNode !== undefined
  }

  /** The store's revision that the sink has; 0 before the first sync. */
  get revision(): number {
    return this.#revision
  }

  /** What the sink has, in no order. */
  services(): IterableIterator<ServiceView> {
    return this.#sent.values()
  }

  /** undefined before the first sync. */
  node(): NodeView | undefined {
    return this.#sentNode
  }

  /** Brings the sink up to date now, in this turn, if the store is complete and nobody is in the middle of an update. */
  flush(): void {
    this.#sliceMs = Number.POSITIVE_INFINITY
    try {
      this.#runner.runNow()
    } finally {
      this.#sliceMs = SLICE_MS
    }
  }

  /** Resolves when the sink has what the store says now; at once when the store is not complete. */
  async settled(): Promise<void> {
    if (!this.#store.isComplete() || this.#disposed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    this.#runner.requestNow()
    await promise
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#feed[Symbol.dispose]()
    this.#runner[Symbol.dispose]()
    this.#release()
  }

  #run(): WorkResult {
    if (!this.#store.isComplete() || this.#store.isUpdating) return 'done' // woken when that changes
    const endMs = this.#clock.nowMs() + this.#sliceMs
    const { services, triggers } = this.#feed.take()
    for (const key of services) this.#dirty.add(key)
    for (const trigger of triggers) this.#triggers.push(trigger)
    this.#refreshNode()
    const place = { name: this.#nodeName, zone: this.#sentNode?.zone ?? '' }
    for (const key of this.#dirty) {
      this.#refresh(key, place)
      this.#dirty.delete(key)
      if (this.#clock.nowMs() >= endMs && this.#dirty.size > 0) return 'more'
    }
    this.#revision = this.#store.revision
    this.#sync()
    this.#tellTriggers()
    this.#onCaughtUp?.()
    this.#release()
    return 'done'
  }

  #sync(): void {
    const complete = this.#complete || this.#store.isWhole()
    if (!this.#owesSync && complete === this.#complete) return
    this.#sink.sync({ complete })
    this.#complete = complete
    this.#owesSync = false
  }

  #tellTriggers(): void {
    const triggers = this.#triggers
    if (triggers.length === 0) return
    this.#triggers = []
    this.#onTriggered?.(triggers, this.#revision)
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  #refreshNode(): void {
    this.#refreshPolicy()
    const before = this.#sentNode
    const node = this.#nodeView()
    if (before !== undefined && same(before, node)) return
    // Hints are read against the zone: another zone may select other endpoints of any Service.
    if (before === undefined || before.zone !== node.zone) this.#touchAll()
    this.#owesSync = true
    this.#sink.setNode(node)
    this.#sentNode = node
  }

  /** Pods may become known by the Node's podCIDRs, which come when they come. */
  #refreshPolicy(): void {
    const known = podSources(this.#localDetector, this.#store.node(this.#nodeName)?.podCIDRs ?? [])
    if (same(known, this.#policy.podSources)) return
    this.#policy = { ...this.#policy, podSources: known }
    this.#touchAll()
  }

  #touchAll(): void {
    for (const key of this.#sent.keys()) this.#dirty.add(key)
    for (const service of this.#store.services()) this.#dirty.add(serviceKey(service))
  }

  #refresh(key: string, place: NodePlace): void {
    const service = this.#store.service(key)
    const view = service && selectService(service, this.#store.slicesOf(key), place, this.#policy)
    const before = this.#sent.get(key)
    if (view === undefined) {
      if (before === undefined) return
      this.#owesSync = true
      this.#sink.deleteService(before.namespace, before.name)
      this.#sent.delete(key)
    } else if (before === undefined || !same(before, view)) {
      this.#owesSync = true
      this.#sink.setService(view)
      this.#sent.set(key, view)
    }
  }

  #nodeView(): NodeView {
    const node = this.#store.node(this.#nodeName)
    return {
      name: this.#nodeName,
      addresses: nodeAddresses(this.#bindAddress, node?.addresses ?? []),
      zone: node?.zone ?? '',
      serviceCIDRs: sortedUnique([...this.#store.serviceCIDRs()].flatMap(it => it.cidrs)),
      eligible: node !== undefined && !node.goingAway,
    }
  }
}

/** kube-proxy's: without white space around, in lower case. */
export const canonicalNodeName = (name: string): string => name.trim().toLowerCase()
