import {
  type Family,
  type NodeView,
  type Problem,
  type ServiceView,
  type SyncState,
  serviceKey,
} from '@kpng/api'
import { NODE_OWNER } from '../plan/address-table.ts'
import { type NodePlan, type NodePortAddresses, planNode } from '../plan/node-plan.ts'
import { type KnownAddress, planService } from '../plan/service-plan.ts'
import type { CfgWriter } from './cfg-writer.ts'
import { cfgOf } from './rows.ts'
import type { Slicer } from './slicer.ts'
import type { ServiceState } from './state.ts'
import type { Tables } from './tables.ts'

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6']

/** What a change of plans means for the work to do. */
export interface PlannerEvents {
  readonly dirty: (service: ServiceState, revision: number) => void
  readonly addresses: () => void
  readonly cfg: () => void
  /** Something is in the kernel that belongs to nobody. */
  readonly prune: () => void
}

/** From what is set and synced to plans and claims. Recording costs nothing; planning happens in slices. */
export class Planner {
  readonly #tables: Tables
  readonly #cfg: CfgWriter
  readonly #slicer: Slicer
  readonly #nodePortAddresses: NodePortAddresses
  readonly #events: PlannerEvents
  /** Recorded since the last sync; undefined = deleted. */
  #recorded = new Map<string, ServiceView | undefined>()
  #recordedNode: { node?: NodeView; local?: readonly string[] } = {}
  /** Handed over by sync, not planned yet. */
  #incoming = new Map<string, ServiceView | undefined>()
  #incomingNode: { readonly node?: NodeView; readonly local?: readonly string[] } | undefined
  #nodeChanged = false
  /** Families in which a former agent served NodePorts. */
  #adoptedFamilies: ReadonlySet<Family> | undefined
  readonly #partlyServed = new Set<ServiceState>()
  /** Services that are wanted. */
  services = 0
  /** Of the oldest sync that is not planned yet. */
  #incomingRevision = 0
  /** Of the last sync. */
  revision = 0
  /** What was adopted and is not set is wanted no more. */
  complete = false
  /** Up to here everything is planned. */
  plannedRevision = 0
  nodePlan: NodePlan = planNode(undefined, 'primary')

  constructor(
    tables: Tables,
    cfg: CfgWriter,
    slicer: Slicer,
    nodePortAddresses: NodePortAddresses,
    events: PlannerEvents,
  ) {
    this.#tables = tables
    this.#cfg = cfg
    this.#slicer = slicer
    this.#nodePortAddresses = nodePortAddresses
    this.#events = events
  }

  setNode(node: NodeView): void {
    this.#recordedNode.node = node
    this.#nodeChanged = true
  }

  setLocalAddresses(local: readonly string[]): void {
    this.#recordedNode.local = local
    this.#nodeChanged = true
  }

  setService(view: ServiceView): void {
    this.#recorded.set(serviceKey(view), view)
  }

  deleteService(namespace: string, name: string): void {
    this.#recorded.set(serviceKey({ namespace, name }), undefined)
  }

  sync(state: SyncState = { complete: true }): void {
    this.complete ||= state.complete
    this.revision++
    if (this.plannedRevision === this.revision - 1) this.#incomingRevision = this.revision
    if (this.#incoming.size === 0) this.#incoming = this.#recorded
    else for (const [key, view] of this.#recorded) this.#incoming.set(key, view)
    this.#recorded = new Map()
    if (this.#nodeChanged) this.#incomingNode = { ...this.#recordedNode }
    this.#nodeChanged = false
  }

  /** A sync was complete: what was adopted and nobody has set is wanted no more. */
  inherit(): void {
    for (const { key, view } of this.#tables.services.values()) {
      // NodePorts may have been planned for families that only the former agent knew.
      const mayChange = view === undefined || view.ports.some(port => port.nodePort !== 0)
      if (mayChange && !this.#incoming.has(key)) this.#incoming.set(key, view)
    }
    this.#tables.addresses.touch([...this.#tables.addresses.applied.keys()])
    this.#events.addresses()
    // Without a Node no ServiceCIDR is known, whatever a former agent knew.
    this.#cfg.wanted = cfgOf(this.nodePlan.serviceCIDRs)
    this.#events.cfg()
  }

  /** What the socket datapath does not serve of the Services, and why. */
  notServed(): Problem[] {
    return [...this.#partlyServed].flatMap(({ plan }) => plan?.notServed ?? [])
  }

  /** Plans all that was synced, before any of it is written: a claim may move between Services. */
  async plan(): Promise<void> {
    while (this.#incoming.size > 0 || this.#incomingNode !== undefined) {
      const revision = this.#incomingRevision
      await this.#planNode(revision)
      const incoming = this.#incoming
      this.#incoming = new Map()
      for (const [key, view] of incoming) {
        this.#planService(key, view, revision)
        if (this.#slicer.over) await this.#slicer.breathe()
      }
    }
    this.plannedRevision = this.revision
  }

  async #planNode(revision: number): Promise<void> {
    if (this.#incomingNode === undefined) return
    const { node, local } = this.#incomingNode
    this.#incomingNode = undefined
    const before = this.nodePlan
    this.nodePlan = planNode(node, this.#nodePortAddresses, local)
    const known = this.nodePlan.nodePortAddresses.map(address => ({ address, kind: 'node' as const }))
    this.#know(NODE_OWNER, known)
    const { IPv4, IPv6 } = this.nodePlan.serviceCIDRs
    // That none is known takes the former agent's away only when nothing is missing.
    if (this.complete || IPv4.length + IPv6.length > 0) {
      this.#cfg.wanted = cfgOf(this.nodePlan.serviceCIDRs)
      if (this.#cfg.dirty) this.#events.cfg()
    }
    const { nodePortFamilies, primaryAddresses } = this.nodePlan
    const otherFamilies = before.nodePortFamilies.symmetricDifference(nodePortFamilies).size > 0
    const otherPrimary = FAMILIES.some(family => before.primaryAddresses[family] !== primaryAddresses[family])
    if (!otherFamilies && !otherPrimary) return
    for (const { key, view } of [...this.#tables.services.values()]) {
      if (view === undefined) continue
      const concerned =
        (otherFamilies && view.ports.some(port => port.nodePort !== 0)) ||
        (otherPrimary && Object.values(view.addresses).some(({ sourceRanges }) => sourceRanges.length > 0))
      if (concerned) this.#planService(key, view, revision)
      if (this.#slicer.over) await this.#slicer.breathe()
    }
  }

  #planService(key: string, view: ServiceView | undefined, revision: number): void {
    if (view === undefined && !this.#tables.services.has(key)) return
    const { claims } = this.#tables
    const service = this.#tables.service(key)
    this.services += (view === undefined ? 0 : 1) - (service.view === undefined ? 0 : 1)
    service.view = view
    const { primaryAddresses } = this.nodePlan
    service.plan = view && planService(view, { nodePortFamilies: this.#nodePortFamilies(), primaryAddresses })
    if ((service.plan?.notServed.length ?? 0) > 0) this.#partlyServed.add(service)
    else this.#partlyServed.delete(service)
    const before = claims.claims(key)
    const touched = claims.set(key, service.plan?.frontends ?? [])
    for (const frontend of before) this.#abandon(frontend.key, revision)
    this.#know(key, service.plan?.addresses ?? [])
    this.#events.dirty(service, revision)
    for (const other of touched) this.#events.dirty(this.#tables.service(other), revision)
  }

  /** Before a sync was complete the Node may be among what is missing: NodePorts that are served go on. */
  #nodePortFamilies(): ReadonlySet<Family> {
    if (this.complete) return this.nodePlan.nodePortFamilies
    this.#adoptedFamilies ??= new Set(
      this.#tables.frontends.entries
        .values()
        .filter(({ place }) => place.address === '')
        .map(({ place }) => place.family),
    )
    return this.nodePlan.nodePortFamilies.union(this.#adoptedFamilies)
  }

  /** A frontend that nobody claims now, but that still leads to one who claimed it before: that one takes it away. */
  #abandon(key: string, revision: number): void {
    if (this.#tables.claims.winner(key) !== undefined) return
    const frontend = this.#tables.frontends.entries.get(key)
    if (frontend?.port !== undefined) this.#events.dirty(frontend.port.service, revision)
    else if (frontend !== undefined) this.#events.prune()
  }

  #know(owner: string, addresses: readonly KnownAddress[]): void {
    const touched = this.#tables.wantedAddresses.set(owner, addresses)
    if (touched.size === 0) return
    this.#tables.addresses.touch(touched)
    this.#events.addresses()
  }
}
