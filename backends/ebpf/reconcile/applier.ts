import type { EndpointView, Family, PortEndpointsView, Problem } from '@kpng/api'
import { Algorithm, Reason, SvcFlag, type SvcValue } from '../bindings.gen.ts'
import { orderOf } from '../plan/buddy.ts'
import { decisionOf, type Frontend, type ListKind, type ServicePortPlan } from '../plan/service-plan.ts'
import { isFull } from './entry-batch.ts'
import type { FrontendDelete, FrontendWrite } from './frontend-table.ts'
import { type ListJob, rangeResource } from './list-table.ts'
import type { NameWrite } from './name-table.ts'
import { protocolNumber, sameSvcValue } from './rows.ts'
import type { Slicer } from './slicer.ts'
import type { SourceEntry } from './source-table.ts'
import {
  type FrontendState,
  type ListState,
  type Member,
  memberIdKey,
  memberKey,
  type PortState,
  type Resource,
  type ServiceState,
} from './state.ts'
import type { Tables } from './tables.ts'

/** What became of the Services of one `apply`. */
export interface Outcome {
  /** To try again later, with what went wrong last. */
  readonly failed: Map<ServiceState, Problem>
  /** What there is no room for. */
  readonly unfit: Map<ServiceState, Map<Resource, Problem>>
  /** To try again after a grace period, which makes room. */
  readonly awaiting: Set<ServiceState>
  /** What has got more room. */
  readonly room: Set<Resource>
  /** Memberships of UDP service ports that serve no more. */
  readonly dead: Member[]
}

/**
 * Brings the kernel to what some Services want. The order of the writes is what keeps every connection whole:
 * names, then ranges, then flips, then sources, then frontends; what is left behind is retired after that.
 */
export class Applier {
  readonly #tables: Tables
  readonly #slicer: Slicer
  #names: NameWrite[] = []
  /** By service port: what is written once that has its name. */
  #sources = new Map<PortState, SourceEntry[]>()
  /** One for a list: a later one replaces it. */
  #lists = new Map<ListState, ListJob>()
  #outcome: Outcome = newOutcome()

  constructor(tables: Tables, slicer: Slicer) {
    this.#tables = tables
    this.#slicer = slicer
  }

  async apply(services: readonly ServiceState[]): Promise<Outcome> {
    const { names, lists, addresses, sources, frontends, left } = this.#tables
    const breathe = (): Promise<void> => this.#slicer.breathe()
    this.#outcome = newOutcome()
    for (const service of services) {
      this.#prepare(service)
      await breathe()
    }
    await names.write(this.#names, breathe)
    await lists.write([...this.#lists.values()], breathe)
    await addresses.add(breathe)
    const later: SourceEntry[] = []
    await sources.write(this.#newSources(later), breathe)
    const writes: FrontendWrite[] = []
    const deletes: FrontendDelete[] = []
    for (const service of services) {
      this.#diffFrontends(service, writes, deletes)
      await breathe()
    }
    await frontends.write(writes, deletes, breathe)
    const ports = services.flatMap(service => [...service.ports.values()])
    await sources.delete(
      [...new Set([...ports, ...left])].flatMap(port => this.#surplusSources(port)),
      breathe,
    )
    await sources.write(later, breathe)
    for (const port of ports) {
      this.#settlePort(port)
      await breathe()
    }
    for (const port of left) if (port.service.ports.get(port.key) === port) this.#settlePort(port)
    left.clear()
    this.#names = []
    this.#sources.clear()
    this.#lists.clear()
    return this.#outcome
  }

  /** Ids, list indexes and ranges for a Service, and what to write into them. */
  #prepare(service: ServiceState): void {
    for (const port of service.ports.values()) {
      port.wanted = false
      for (const list of port.lists) list.wanted = false
    }
    const won = Map.groupBy(this.#tables.claims.won(service.key), frontend => frontend.servicePort)
    for (const plan of service.plan?.ports ?? []) this.#preparePort(service, plan, won.get(plan.key) ?? [])
  }

  #preparePort(service: ServiceState, plan: ServicePortPlan, won: readonly Frontend[]): void {
    const port = service.ports.get(plan.key) ?? this.#newPort(service, plan)
    if (port === undefined) return
    port.wanted = true
    if (!port.named) this.#name(port)
    const missing = this.#tables.sources.missing(port.id, plan.sources)
    if (missing.length > 0)
      this.#sources.set(
        port,
        missing.map(range => this.#source(port, range)),
      )
    if (port.lists.some(list => list.kind === undefined)) this.#recogniseLists(port, won)
    for (const { family, list: kind } of won) {
      if (port.lists.some(list => list.wanted && list.family === family && list.kind === kind)) continue
      const list =
        port.lists.find(known => known.family === family && known.kind === kind) ??
        this.#tables.lists.create(port, family, kind)
      if (list === undefined) {
        this.#unfit(service, 'list', `${plan.key}: no list index is free`)
        continue
      }
      list.wanted = true
      this.#prepareList(list, port, plan)
    }
  }

  #newPort(service: ServiceState, plan: ServicePortPlan): PortState | undefined {
    const { portIds } = this.#tables
    const id = portIds.acquire(plan.key)?.id
    const { key, protocol, namespace, name, port: text } = plan
    const row = { namespace, name, port: text, proto: protocolNumber(protocol) }
    if (id !== undefined) return this.#tables.addPort(service, { key, id, protocol, name: row })
    this.#unfit(service, 'service port ids', `${plan.key}: all ${portIds.max} service port ids are taken`)
    return undefined
  }

  #name(port: PortState): void {
    const done = (): void => {
      port.named = true
    }
    const failed = (error: unknown): void =>
      this.#failed(port.service, error, 'service', `the name of ${port.key}`)
    this.#names.push({ id: port.id, name: port.name, done, failed })
  }

  /** Of service ports that have their names. Those that find the map full are given: there may be room later. */
  #newSources(later: SourceEntry[]): SourceEntry[] {
    return [...this.#sources].flatMap(([port, entries]) =>
      (port.named ? entries : []).map(entry => ({
        ...entry,
        failed: (error: unknown) => (isFull(error) ? void later.push(entry) : entry.failed(error)),
      })),
    )
  }

  #source(port: PortState, range: string): SourceEntry {
    const resource = range.includes(':') ? 'source6' : 'source4'
    const failed = (error: unknown): void =>
      this.#failed(port.service, error, resource, `source range ${range} of ${port.key}`)
    return { servicePort: port.id, range, failed }
  }

  /** Those that go: at once where others stay, else when no frontend in the kernel asks for them any more. */
  #surplusSources(port: PortState): SourceEntry[] {
    const { sources, frontends } = this.#tables
    if (!sources.applied.has(port.id)) return []
    const plan = port.wanted ? planOf(port) : undefined
    const wanted = plan?.sources ?? []
    const asks = (key: string): boolean =>
      ((frontends.entries.get(key)?.value.flags ?? 0) & SvcFlag.SOURCE_RANGES) !== 0
    if (wanted.length === 0 && port.frontends.values().some(asks)) return []
    return sources.surplus(port.id, wanted).map(range => {
      this.#outcome.room.add(range.includes(':') ? 'source6' : 'source4')
      return this.#source(port, range)
    })
  }

  /** An adopted list is what all of its frontends want it to be; where they disagree it is given up. */
  #recogniseLists(port: PortState, won: readonly Frontend[]): void {
    const { entries } = this.#tables.frontends
    for (const list of port.lists) {
      if (list.kind !== undefined) continue
      const kinds = new Set<ListKind>()
      for (const frontend of won) if (entries.get(frontend.key)?.list === list) kinds.add(frontend.list)
      const [kind, other] = kinds
      const taken = port.lists.some(known => known.family === list.family && known.kind === kind)
      if (kind !== undefined && other === undefined && !taken) list.kind = kind
    }
  }

  #prepareList(list: ListState, port: PortState, plan: ServicePortPlan): void {
    const selection = plan.endpoints[list.family]
    const chosen = (selection?.endpoints ?? []).filter(endpoint =>
      list.kind === 'local' ? endpoint.inLocal : endpoint.inCluster,
    )
    const slots = this.#membersOf(port, list.family, chosen)
    const reason = emptyReason(selection, list.kind)
    const ids = slots.map(slot => slot.id)
    const { lists } = this.#tables
    if (list.inForce && !list.stale && sameIds(list.ids, ids) && (ids.length > 0 || list.base === reason)) {
      lists.dropPending(list)
      return
    }
    const failed = (error: unknown): void =>
      this.#failed(port.service, error, 'list', `list ${list.index} of ${port.key}`)
    if (list.pending !== undefined && sameIds(list.pending.ids, ids)) {
      this.#lists.set(list, { list, slots, base: list.pending.base, failed })
      return
    }
    lists.dropPending(list)
    this.#lists.delete(list)
    const base = slots.length === 0 ? { base: reason, count: 0 } : this.#range(list, port, ids)
    if (base === undefined) return
    const fitting = slots.slice(0, base.count)
    if (fitting.length > 0) list.pending = { base: base.base, ids: ids.slice(0, base.count) }
    this.#lists.set(list, { list, slots: fitting, base: base.base, failed })
  }

  /** Members for endpoints, ascending by id; new ones get an id in the order of the endpoints. */
  #membersOf(port: PortState, family: Family, endpoints: readonly EndpointView[]): Member[] {
    const { backendIds } = this.#tables
    const members: Member[] = []
    let without = 0
    for (const { address, port: number } of endpoints) {
      const key = memberKey(address, number)
      let member = port.members.get(key)
      if (member === undefined) {
        const id = backendIds.acquire(memberIdKey(port.id, key))
        if (id === undefined) without++
        else member = this.#tables.addMember(port, key, id, { family, address, port: number })
      }
      if (member === undefined) continue
      member.serves = true
      members.push(member)
    }
    if (without > 0) {
      const message = `${port.key}: ${without} of ${endpoints.length} endpoints have no id, all ${backendIds.max} are taken`
      this.#unfit(port.service, 'backend ids', message)
    }
    // Most of the time they are in order, and nobody is there twice.
    const inOrder = members.every((member, at) => at === 0 || (members[at - 1]?.id ?? 0) < member.id)
    return inOrder ? members : [...new Set(members)].sort((a, b) => a.id - b.id)
  }

  /** A range for a list, smaller when not all fit; undefined when it must wait or stay as it is. */
  #range(
    list: ListState,
    port: PortState,
    ids: readonly number[],
  ): { base: number; count: number } | undefined {
    const { lists, retirement } = this.#tables
    const { family } = list
    const resource = rangeResource(family)
    const whole = lists.allocate(family, ids.length)
    if (whole !== undefined) return { base: whole.base, count: ids.length }
    if (!retirement.expects(resource)) {
      const moves = lists.makeRoom(family, ids.length, (moving, error) => {
        if (moving.port !== undefined)
          this.#failed(moving.port.service, error, 'list', `moving list ${moving.index}`)
      })
      if (moves === undefined) return this.#part(list, port, ids)
      for (const move of moves) this.#lists.set(move.list, move)
    }
    this.#outcome.awaiting.add(port.service)
    return undefined
  }

  /** As many endpoints as there is room for: some are better than none, none is better than those that left. */
  #part(
    list: ListState,
    port: PortState,
    ids: readonly number[],
  ): { base: number; count: number } | undefined {
    const { lists } = this.#tables
    const { family } = list
    const wanted = new Set(ids)
    const kept = list.inForce && list.ids.every(id => wanted.has(id)) ? list.ids.length : 0
    let found: { base: number; count: number } | undefined
    for (
      let order = orderOf(ids.length) - 1;
      order >= 0 && found === undefined && 2 ** order > kept;
      order--
    ) {
      const base = lists.allocate(family, 2 ** order)?.base
      if (base !== undefined) found = { base, count: 2 ** order }
    }
    if (found === undefined && kept === 0 && list.inForce) found = { base: Reason.NO_ENDPOINTS, count: 0 }
    const used = found?.count ?? kept
    const message = `${port.key}: ${used} of ${ids.length} ${family} endpoints fit, ${rangeResource(family)} is full`
    this.#unfit(port.service, rangeResource(family), message)
    return found
  }

  /** Which frontends to write and which to delete, now that the lists are what they are. */
  #diffFrontends(service: ServiceState, writes: FrontendWrite[], deletes: FrontendDelete[]): void {
    const { claims, frontends } = this.#tables
    const { entries } = frontends
    const won = claims.won(service.key)
    const plans = new Map(service.plan?.ports.map(plan => [plan.key, plan]))
    for (const frontend of won) {
      const { key, family, address, port: number, protocol, servicePort, list: kind } = frontend
      const port = service.ports.get(servicePort)
      const list = port?.lists.find(known => known.wanted && known.family === family && known.kind === kind)
      const applied = entries.get(key)
      const failed = (error: unknown): void =>
        this.#failed(service, error, family === 'IPv4' ? 'svc4' : 'svc6', `frontend ${key}`)
      if (port === undefined || list === undefined || !list.inForce || !port.named) {
        // It cannot be served now. What is there may stay only while its list is kept up to date, or for a moment.
        const current = applied?.list?.wanted && applied.port === port && !applied.doubtful
        const later = this.#outcome.failed.has(service) || this.#outcome.awaiting.has(service)
        if (applied !== undefined && !current && !later) deletes.push({ key, failed })
        continue
      }
      const timeoutS = plans.get(servicePort)?.affinityTimeoutSeconds ?? 0
      const value = svcValueOf(list, port, timeoutS, frontend.sourceRanges)
      if (applied !== undefined && leadsTo(applied, port, list, value)) continue
      const place = { family, address, port: number, protocol }
      writes.push({ key, place, value, port, list, failed })
    }
    for (const port of service.ports.values()) {
      for (const key of port.frontends) {
        if (claims.winner(key) !== undefined) continue
        const resource = entries.get(key)?.place.family === 'IPv4' ? 'svc4' : 'svc6'
        const failed = (error: unknown): void => this.#failed(service, error, resource, `frontend ${key}`)
        deletes.push({ key, failed })
        this.#outcome.room.add(resource)
      }
    }
  }

  /** Retires lists that nobody leads to, and what is left of service ports and members that are wanted no more. */
  #settlePort(port: PortState): void {
    for (const list of [...port.lists]) if (!list.wanted && list.refs === 0) this.#tables.lists.retire(list)
    this.#settleMembers(port)
    if (port.wanted || port.frontends.size > 0 || port.lists.length > 0) return
    if (this.#tables.sources.applied.has(port.id)) return
    this.#tables.dropPort(port)
  }

  #settleMembers(port: PortState): void {
    const lists = port.lists.filter(list => list.inForce)
    // Ids are in a list once.
    if (lists.length === 1 && lists[0]?.ids.length === port.members.size) return
    const inForce = new Set(lists.flatMap(list => list.ids))
    if (inForce.size === port.members.size) return
    const endpoints = endpointsOf(port)
    for (const [key, member] of port.members) {
      if (inForce.has(member.id)) continue
      const endpoint = endpoints.get(key)
      // Ready counts as well: with publishNotReadyAddresses the lists hold what does not serve.
      if (endpoint?.serving || endpoint?.ready) {
        member.serves = true
        continue
      }
      if (member.serves && port.protocol === 'UDP') this.#outcome.dead.push(member)
      member.serves = false
      if (endpoint === undefined) this.#tables.dropMember(port, key, member)
    }
  }

  #failed(service: ServiceState, error: unknown, resource: Resource, what: string): void {
    const text = error instanceof Error ? error.message : String(error)
    if (isFull(error) && resource !== 'list') {
      this.#unfit(service, resource, `${what} does not fit: ${text}`)
      return
    }
    this.#outcome.failed.set(service, {
      where: service.key,
      field: '',
      message: `${what}: ${text}`,
      reason: 'UpdateFailed',
    })
  }

  #unfit(service: ServiceState, resource: Resource, message: string): void {
    const unfit = this.#outcome.unfit.get(service) ?? new Map<Resource, Problem>()
    unfit.set(resource, { where: service.key, field: '', message, reason: 'CapacityExceeded' })
    this.#outcome.unfit.set(service, unfit)
  }
}

const leadsTo = (applied: FrontendState, port: PortState, list: ListState, value: SvcValue): boolean =>
  applied.list === list && applied.port === port && !applied.doubtful && sameSvcValue(applied.value, value)

const planOf = (port: PortState): ServicePortPlan | undefined =>
  port.service.plan?.ports.find(one => one.key === port.key)

/** Why a list without endpoints is empty: what the decision says that uses this list. */
function emptyReason(selection: PortEndpointsView | undefined, kind: ListKind | undefined): Reason {
  const users = selection && (['ClusterIP', 'NodePort'] as const).map(one => decisionOf(one, selection))
  const decision = users?.find(({ list }) => list === kind)
  return decision?.verdict === 'drop' ? Reason.NO_LOCAL_ENDPOINTS : Reason.NO_ENDPOINTS
}

/** All endpoints that the Service names for a service port, by member key. */
function endpointsOf(port: PortState): Map<string, EndpointView> {
  const plan = planOf(port)
  const endpoints = new Map<string, EndpointView>()
  for (const selection of Object.values(plan?.endpoints ?? {})) {
    for (const endpoint of selection.endpoints)
      endpoints.set(memberKey(endpoint.address, endpoint.port), endpoint)
  }
  return endpoints
}

const newOutcome = (): Outcome => ({
  failed: new Map(),
  unfit: new Map(),
  awaiting: new Set(),
  room: new Set(),

  dead: [],
})

const sameIds = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((id, index) => id === b[index])

const svcValueOf = (
  list: ListState,
  port: PortState,
  affinityTimeoutS: number,
  sourceRanges: boolean,
): SvcValue => ({
  list: list.index,
  servicePort: port.id,
  affinityTimeoutS,
  flags: sourceRanges ? SvcFlag.SOURCE_RANGES : 0,
  algorithm: Algorithm.RANDOM,
  maglev: 0,
})
