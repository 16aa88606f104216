import { type NodeView, type Problem, type ServiceView, serviceKey, type ViewSink } from '@kpng/api'
import { NODE_OWNER } from '../plan/address-table.ts'
import { type NodePlan, type NodePortAddresses, planNode } from '../plan/node-plan.ts'
import { type KnownAddress, planService } from '../plan/service-plan.ts'
import type { Adopted } from './adopted.ts'
import { Applier, type Outcome } from './applier.ts'
import { CfgWriter } from './cfg-writer.ts'
import { Chore } from './chore.ts'
import { type BackoffOptions, backoffMs, type Clock, systemClock } from './clock.ts'
import { isFull } from './entry-batch.ts'
import type { DeadBackend, ReconcilerHooks } from './hooks.ts'
import { releaseLimbo } from './limbo.ts'
import { DEFAULT_TIMES, type ReconcilerOptions, type ReconcilerTimes } from './options.ts'
import { Retirement } from './retirement.ts'
import { cfgOf } from './rows.ts'
import { seed } from './seed.ts'
import { Slicer } from './slicer.ts'
import { StaleSockets } from './stale-sockets.ts'
import type { PortState, Resource, ServiceState } from './state.ts'
import type { ReconcilerStatus } from './status.ts'
import { Tables } from './tables.ts'
import { Verifier } from './verifier.ts'

/** Services brought to the kernel together: bounds how long a newer change waits behind them. */
const MAX_CHUNK_SERVICES = 256
const MAX_CHUNK_ENDPOINTS = 8192
/** So many Services that do not fit are tried when room appears; the next ones at the next room. */
const MAX_UNFIT_RETRIES = 64

/**
 * Drives the maps to what the node-local view wants.
 *
 * Calls only record; `sync` hands over what was recorded, and the work happens afterwards in slices. Before the
 * first `sync` nothing is written and nothing deleted. Everything that fails is tried again with backoff, one
 * Service by itself; what does not fit is reported, and tried again when room appears.
 */
export class Reconciler implements ViewSink {
  readonly #tables: Tables
  readonly #cfg: CfgWriter
  readonly #applier: Applier
  readonly #verifier: Verifier
  readonly #retirement: Retirement
  readonly #stale: StaleSockets
  readonly #slicer: Slicer
  readonly #hooks: ReconcilerHooks
  readonly #clock: Clock
  readonly #random: () => number
  readonly #times: ReconcilerTimes
  readonly #backoff: BackoffOptions
  readonly #nodePortAddresses: NodePortAddresses
  readonly #chores: { readonly addresses: Chore; readonly cfg: Chore; readonly prune: Chore }
  /** Beside the other work, for it waits for the kernel. */
  readonly #limbo: Chore
  readonly #cancels = new Set<() => void>()

  /** Recorded since the last sync; undefined = deleted. */
  #recorded = new Map<string, ServiceView | undefined>()
  /** Handed over by sync, not planned yet. */
  #incoming = new Map<string, ServiceView | undefined>()
  #node: NodeView | undefined
  #localAddresses: readonly string[] | undefined
  #nodeRecorded = false
  #nodeIncoming:
    | { readonly node: NodeView | undefined; readonly local: readonly string[] | undefined }
    | undefined
  #nodePlan: NodePlan = planNode(undefined, 'primary')

  /** To begin with; undefined when that is done. */
  #adopted: Adopted | undefined
  #begun = false
  /** Adopted service ports whose names are not in the maps. */
  readonly #unnamed = new Set<PortState>()
  readonly #strays: DeadBackend[] = []
  #revision = 0
  /** Of the oldest sync that is not planned yet. */
  #incomingRevision = 0
  #plannedRevision = 0
  readonly #reachedRevision = { written: 0, settled: 0 }
  /** To do now; Services that go first, for they make room. */
  readonly #going = new Set<ServiceState>()
  readonly #dirty = new Set<ServiceState>()
  /** To do again when a timer says so. */
  readonly #retrying = new Set<ServiceState>()
  /** To do again after a grace period. */
  readonly #awaiting = new Set<ServiceState>()
  /** Done as far as there is room. */
  readonly #unfit = new Set<ServiceState>()
  /** Services that the applier has in hand. */
  #chunk: readonly ServiceState[] = []
  readonly #leaving = new Set<{ readonly dead: DeadBackend; readonly revision: number }>()
  #waiters: Waiter[] = []
  #working = false
  #scheduled = false
  #limboRunning = false
  #limboUrged = false
  #verifyDue = false
  #verifyFailures = 0
  #retries = 0
  #closed = false

  constructor(options: ReconcilerOptions) {
    this.#hooks = options.hooks
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    this.#times = { ...DEFAULT_TIMES, ...options.times }
    this.#nodePortAddresses = options.nodePortAddresses ?? 'primary'
    this.#slicer = new Slicer(this.#times.sliceMs)
    this.#backoff = { firstMs: this.#times.retryFirstMs, mostMs: this.#times.retryMostMs }
    const timing = { clock: this.#clock, random: this.#random, backoff: this.#backoff }
    this.#retirement = new Retirement({
      ...timing,
      grace: () => this.#hooks.grace(),
      released: resources => this.#released(resources),
    })
    this.#tables = new Tables(options.maps, options.limits, this.#retirement)
    this.#cfg = new CfgWriter(options.maps.cfg)
    this.#applier = new Applier(this.#tables, this.#slicer)
    this.#verifier = new Verifier(this.#tables, this.#cfg, this.#slicer)
    this.#stale = new StaleSockets({
      ...timing,
      destroyStale: dead => this.#hooks.destroyStale(dead),
      serves: ({ id, generation }) => {
        const member = this.#tables.members[id]
        return member?.generation === generation && member.serves
      },
      progressed: () => this.#checkSettled(),
    })
    const chore = (name: string, work: () => Promise<void> | void): Chore =>
      new Chore(name, work, () => this.#wake(), timing)
    this.#chores = {
      addresses: chore('addresses', () => this.#settleAddresses()),
      cfg: chore('cfg', () => {
        if (this.#cfg.dirty) this.#cfg.write()
      }),
      prune: chore('prune', () => this.#prune()),
    }
    this.#limbo = new Chore(
      'limbo',
      () => this.#releaseLimbo(),
      () => void this.#runLimbo(),
      timing,
    )
    this.#adopted = options.adopted
    if (options.adopted !== undefined) this.#wake()
  }

  setNode(node: NodeView): void {
    this.#node = node
    this.#nodeRecorded = true
  }

  /** Addresses of the node's interfaces, for `nodePortAddresses` to choose from. Like all calls, counts at sync. */
  setLocalAddresses(addresses: readonly string[]): void {
    this.#localAddresses = addresses
    this.#nodeRecorded = true
  }

  setService(service: ServiceView): void {
    this.#recorded.set(serviceKey(service), service)
  }

  deleteService(namespace: string, name: string): void {
    this.#recorded.set(serviceKey({ namespace, name }), undefined)
  }

  sync(): void {
    this.#revision++
    if (this.#plannedRevision === this.#revision - 1) this.#incomingRevision = this.#revision
    if (this.#incoming.size === 0) this.#incoming = this.#recorded
    else for (const [key, view] of this.#recorded) this.#incoming.set(key, view)
    this.#recorded = new Map()
    if (this.#nodeRecorded) this.#nodeIncoming = { node: this.#node, local: this.#localAddresses }
    this.#nodeRecorded = false
    this.#wake()
  }

  /**
   * Resolves when everything up to the last sync is in the kernel or reported as not fitting, and the sockets
   * that it made stale are gone or given up.
   */
  settled(): Promise<void> {
    return this.#reached('settled')
  }

  /** The same without the sockets: when programs that begin to look at the maps find everything in them. */
  written(): Promise<void> {
    return this.#reached('written')
  }

  #reached(what: 'settled' | 'written'): Promise<void> {
    const revision = this.#revision
    if (this.#reachedRevision[what] >= revision) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiters.push({ what, revision, resolve })
    })
  }

  /** Compares the kernel with what should be there. Resolves with how much differs and is being repaired. */
  async verify(): Promise<number> {
    if (this.#revision === 0) return 0
    const before = this.#verifier.repairs
    await new Promise<void>(resolve => {
      this.#verifier.onPass(resolve)
      this.#startVerify()
    })
    return this.#verifier.repairs - before
  }

  /** Frees ids that nobody remembers, now rather than at its time. */
  releaseIds(): void {
    this.#limbo.request()
  }

  /** Stops all work. The maps stay as they are. */
  close(): void {
    this.#closed = true
    this.#retirement.close()
    this.#stale.close()
    for (const chore of this.#allChores()) chore.close()
    for (const cancel of this.#cancels) cancel()
    for (const service of this.#tables.services.values()) service.cancelRetry?.()
  }

  status(): ReconcilerStatus {
    const { services, lists, frontends, backendIds, portIds, addresses, maps } = this.#tables
    const usage = (ids: typeof backendIds) => ({ used: ids.live, limbo: ids.inLimbo, max: ids.max })
    const ranges = (family: 'IPv4' | 'IPv6') => ({
      used: lists.ranges[family].used,
      max: lists.ranges[family].capacity,
    })
    const all = [...services.values()]
    return {
      synced: this.#reachedRevision.settled > 0,
      revision: this.#revision,
      settledRevision: this.#reachedRevision.settled,
      problems: this.#problems(all),
      notServed: all.flatMap(service => service.plan?.notServed ?? []),
      counts: {
        services: all.filter(service => service.view !== undefined).length,
        unfit: this.#unfit.size,
        failing: this.#retrying.size,
        frontends: frontends.entries.size,
        addresses: addresses.applied.size,
        lists: { used: lists.lists.size, max: maps.list.maxEntries - 1 },
        ranges: { IPv4: ranges('IPv4'), IPv6: ranges('IPv6') },
        backendIds: usage(backendIds),
        servicePortIds: usage(portIds),
      },
      counters: {
        flips: lists.flips,
        moves: lists.moves,
        graces: this.#retirement.graces,
        retries: this.#retries + this.#allChores().reduce((sum, chore) => sum + chore.retries, 0),
        repairs: this.#verifier.repairs,
        verifications: this.#verifier.passes,
        staleSocketsDestroyed: this.#stale.destroyed,
        staleBackendsGivenUp: this.#stale.givenUp,
      },
    }
  }

  #problems(services: readonly ServiceState[]): Problem[] {
    const problems: Problem[] = [...this.#nodePlan.problems]
    for (const service of services) {
      problems.push(...this.#tables.claims.problems(service.key), ...service.unfit.values())
      if (service.error !== undefined) problems.push(service.error)
    }
    for (const address of this.#tables.addresses.unfit) {
      const message = `${address} does not fit: other ports of it are let through instead of refused`
      for (const where of this.#tables.wantedAddresses.owners(address))
        problems.push({ where, field: '', message })
    }
    const failing: [string, unknown][] = this.#allChores().map(chore => [chore.name, chore.failure])
    failing.push(['grace period', this.#retirement.failure], ['stale sockets', this.#stale.failure])
    for (const [what, failure] of failing) {
      if (failure === undefined) continue
      const text = failure instanceof Error ? failure.message : String(failure)
      problems.push({ where: 'reconciler', field: what, message: `${text}; will be tried again` })
    }
    return problems
  }

  #allChores(): Chore[] {
    return [...Object.values(this.#chores), this.#limbo]
  }

  /** The first sync is complete: what was adopted and is not in it is wanted no more. */
  #begin(): void {
    this.#begun = true
    for (const { ports } of this.#tables.services.values())
      for (const port of ports.values()) if (!port.named) this.#unnamed.add(port)
    for (const dead of this.#strays) this.#leave(dead, this.#revision)
    for (const key of this.#tables.services.keys())
      if (!this.#incoming.has(key)) this.#incoming.set(key, undefined)
    this.#chores.prune.request()
    // Without a Node no ServiceCIDR is known, whatever a former agent knew.
    this.#cfg.wanted = cfgOf(this.#nodePlan.serviceCIDRs)
    this.#chores.cfg.request()
    if (this.#tables.addresses.dirty.size > 0) this.#chores.addresses.request()
    this.#every(this.#times.verifyIntervalMs, () => this.#startVerify())
    this.#every(this.#times.limboIntervalMs, () => this.#limbo.request())
    this.#every(this.#times.unfitRetryMs, () => this.#retryUnfit(undefined))
  }

  #once(delayMs: number, callback: () => void): void {
    const cancel = this.#clock.after(delayMs, () => {
      this.#cancels.delete(cancel)
      callback()
    })
    this.#cancels.add(cancel)
  }

  #every(intervalMs: number, callback: () => void): void {
    this.#once(intervalMs, () => {
      callback()
      this.#every(intervalMs, callback)
    })
  }

  #wake(): void {
    if (this.#scheduled || this.#working || this.#closed) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#work()
    })
  }

  /** The one place where work happens: plans first, then Services, then chores, until nothing is left. */
  async #work(): Promise<void> {
    this.#working = true
    this.#slicer.begin()
    if (this.#adopted !== undefined)
      await seed(this.#tables, this.#cfg, this.#adopted, () => this.#slicer.breathe())
    for (const stray of this.#adopted?.ids.strays ?? []) this.#strays.push(stray)
    this.#adopted = undefined
    if (this.#revision > 0 && !this.#begun) this.#begin()
    if (this.#begun && (await this.#carryNames())) while (!this.#closed && (await this.#step()));
    this.#working = false
    if (!this.#begun) return
    this.#retirement.start()
    this.#checkSettled()
  }

  /**
   * In new maps the names of adopted ids come first, whatever becomes of their Services: there was room for them
   * in the old ones, and the next agent knows sockets by them. Gives false when it must be tried again.
   */
  async #carryNames(): Promise<boolean> {
    let again = false
    const writes = [...this.#unnamed].map(port => ({
      id: port.id,
      name: port.name,
      done: () => {
        port.named = true
        this.#unnamed.delete(port)
      },
      failed: (error: unknown) => {
        if (isFull(error)) this.#unnamed.delete(port)
        else again = true
      },
    }))
    if (writes.length > 0) await this.#tables.names.write(writes, () => this.#slicer.breathe())
    if (again) this.#once(backoffMs(this.#retries++ % 8, this.#backoff, this.#random), () => this.#wake())
    return !again
  }

  /** Gives false when there is nothing left to do. */
  async #step(): Promise<boolean> {
    await this.#plan()
    const chunk = this.#takeChunk()
    if (chunk.length > 0) {
      this.#chunk = chunk
      const outcome = await this.#applier.apply(chunk)
      this.#chunk = []
      this.#applied(chunk, outcome)
      this.#checkSettled()
      return true
    }
    for (const chore of Object.values(this.#chores)) {
      if (!chore.due) continue
      await chore.run()
      return true
    }
    if (!this.#verifyDue) return false
    await this.#verifyStep()
    return true
  }

  async #verifyStep(): Promise<void> {
    const verified = await this.#verifier.step()
    for (const service of verified.dirty) this.#markDirty(service, 0)
    if (this.#tables.addresses.dirty.size > 0) this.#chores.addresses.request()
    if (this.#cfg.dirty) this.#chores.cfg.request()
    if (verified.prune) this.#chores.prune.request()
    if (verified.ended) this.#verifyFailures = 0
    if (verified.ended || verified.failure !== undefined) this.#verifyDue = false
    if (verified.failure === undefined) return
    this.#retries++
    this.#once(backoffMs(this.#verifyFailures++, this.#backoff, this.#random), () => this.#startVerify())
  }

  #startVerify(): void {
    this.#verifyDue = true
    this.#wake()
  }

  /** From views to plans and claims, all of them before anything is written: a claim may move between Services. */
  async #plan(): Promise<void> {
    while (this.#incoming.size > 0 || this.#nodeIncoming !== undefined) {
      const revision = this.#incomingRevision
      this.#planNode(revision)
      const incoming = this.#incoming
      this.#incoming = new Map()
      for (const [key, view] of incoming) {
        this.#planService(key, view, revision)
        if (this.#slicer.over) await this.#slicer.breathe()
      }
    }
    this.#plannedRevision = this.#revision
  }

  #planNode(revision: number): void {
    if (this.#nodeIncoming === undefined) return
    const { node, local } = this.#nodeIncoming
    this.#nodeIncoming = undefined
    const before = this.#nodePlan
    this.#nodePlan = planNode(node, this.#nodePortAddresses, local)
    const known = this.#nodePlan.nodePortAddresses.map(address => ({ address, kind: 'node' as const }))
    this.#touchAddresses(NODE_OWNER, known)
    this.#cfg.wanted = cfgOf(this.#nodePlan.serviceCIDRs)
    if (this.#cfg.dirty) this.#chores.cfg.request()
    if (before.nodePortFamilies.symmetricDifference(this.#nodePlan.nodePortFamilies).size === 0) return
    for (const { key, view } of this.#tables.services.values())
      if (view?.ports.some(port => port.nodePort !== 0)) this.#planService(key, view, revision)
  }

  #planService(key: string, view: ServiceView | undefined, revision: number): void {
    if (view === undefined && !this.#tables.services.has(key)) return
    const service = this.#tables.service(key)
    service.view = view
    service.plan = view && planService(view, this.#nodePlan.nodePortFamilies)
    const before = this.#tables.claims.claims(key)
    const touched = this.#tables.claims.set(key, service.plan?.frontends ?? [])
    for (const frontend of before) this.#abandon(frontend.key, revision)
    this.#touchAddresses(key, service.plan?.addresses ?? [])
    this.#markDirty(service, revision)
    for (const other of touched) this.#markDirty(this.#tables.service(other), revision)
  }

  /** A frontend that nobody claims now, but that still leads to one who claimed it before: that one takes it away. */
  #abandon(key: string, revision: number): void {
    if (this.#tables.claims.winner(key) !== undefined) return
    const frontend = this.#tables.frontends.entries.get(key)
    if (frontend?.port !== undefined) this.#markDirty(frontend.port.service, revision)
    else if (frontend !== undefined) this.#chores.prune.request()
  }

  #touchAddresses(owner: string, addresses: readonly KnownAddress[]): void {
    const touched = this.#tables.wantedAddresses.set(owner, addresses)
    if (touched.size === 0) return
    this.#tables.addresses.touch(touched)
    this.#chores.addresses.request()
  }

  /** revision 0: it was in the kernel before, and nobody waits for it. */
  #markDirty(service: ServiceState, revision: number): void {
    service.cancelRetry?.()
    service.cancelRetry = undefined
    this.#retrying.delete(service)
    this.#awaiting.delete(service)
    this.#unfit.delete(service)
    if (service.since === 0) service.since = revision
    this.#dirty.delete(service)
    this.#going.delete(service)
    if (service.view === undefined) this.#going.add(service)
    else this.#dirty.add(service)
    this.#wake()
  }

  #takeChunk(): ServiceState[] {
    const chunk: ServiceState[] = []
    let endpoints = 0
    for (const queue of [this.#going, this.#dirty]) {
      for (const service of queue) {
        if (chunk.length >= MAX_CHUNK_SERVICES || endpoints >= MAX_CHUNK_ENDPOINTS) return chunk
        queue.delete(service)
        chunk.push(service)
        for (const { endpoints: families } of service.plan?.ports ?? [])
          endpoints += (families.IPv4?.endpoints.length ?? 0) + (families.IPv6?.endpoints.length ?? 0)
      }
    }
    return chunk
  }

  #applied(chunk: readonly ServiceState[], outcome: Outcome): void {
    const revisions = chunk.map(service => service.since).filter(since => since > 0)
    const oldest = Math.min(this.#plannedRevision, ...revisions)
    for (const service of chunk) {
      service.unfit = outcome.unfit.get(service) ?? NOTHING_UNFIT
      service.error = undefined
      if (outcome.failed.has(service)) continue
      if (outcome.awaiting.has(service)) {
        this.#awaiting.add(service)
        continue
      }
      service.since = 0
      service.attempts = 0
      if (service.unfit.size > 0) this.#unfit.add(service)
      if (service.unfit.has('service port ids') || service.unfit.has('backend ids')) this.#urgeLimbo()
    }
    for (const [service, problem] of outcome.failed) this.#retryLater(service, problem)
    for (const member of outcome.dead) this.#leave(member, oldest)
    for (const service of [...chunk, ...this.#tables.emptied]) this.#forget(service)
    this.#tables.emptied.clear()
    if (outcome.room.size > 0) this.#retryUnfit(outcome.room)
    this.#retirement.start()
  }

  /** A Service that is wanted no more and has nothing left, unless there is work to do for it. */
  #forget(service: ServiceState): void {
    if (service.view !== undefined || service.ports.size > 0) return
    const queues = [this.#going, this.#dirty, this.#retrying, this.#awaiting]
    if (queues.some(queue => queue.has(service))) return
    this.#unfit.delete(service)
    this.#tables.services.delete(service.key)
  }

  #retryLater(service: ServiceState, problem: Problem): void {
    service.error = problem
    if (this.#dirty.has(service) || this.#going.has(service)) return
    this.#retries++
    this.#awaiting.delete(service)
    this.#retrying.add(service)
    if (service.since === 0) service.since = this.#revision
    service.cancelRetry?.()
    const delayMs = backoffMs(service.attempts++, this.#backoff, this.#random)
    service.cancelRetry = this.#clock.after(delayMs, () => this.#markDirty(service, 0))
  }

  /** Its sockets are destroyed when no running program can make another one. */
  #leave(dead: DeadBackend, revision: number): void {
    const leaving = { dead, revision }
    this.#leaving.add(leaving)
    this.#retirement.add(undefined, () => {
      this.#leaving.delete(leaving)
      this.#stale.add(dead, leaving.revision)
    })
  }

  #released(resources: ReadonlySet<Resource>): void {
    for (const service of [...this.#awaiting]) this.#markDirty(service, 0)
    this.#retryUnfit(resources)
    this.#checkSettled()
  }

  /** Tries some that wait for this kind of room; all kinds when undefined. */
  #retryUnfit(resources: ReadonlySet<Resource> | undefined): void {
    let tried = 0
    for (const service of this.#unfit) {
      if (resources !== undefined && !service.unfit.keys().some(resource => resources.has(resource))) continue
      this.#markDirty(service, 0)
      if (++tried === MAX_UNFIT_RETRIES) break
    }
    if (this.#tables.addresses.unfit.size > 0 && resources === undefined) this.#chores.addresses.request()
  }

  async #settleAddresses(): Promise<void> {
    const errors = await this.#tables.addresses.settle(() => this.#slicer.breathe())
    if (errors.length > 0) throw errors[0]
  }

  /** Takes away what a former agent has left and no plan knows. */
  #prune(): void {
    const { frontends, lists, names, claims } = this.#tables
    for (const [key, { port }] of frontends.entries) {
      const winner = claims.winner(key)
      if (port !== undefined) continue
      if (winner === undefined) frontends.remove(key)
      else this.#markDirty(this.#tables.service(winner.service), 0)
    }
    for (const list of [...lists.lists.values()])
      if (list.port === undefined && list.refs === 0) lists.retire(list)
    frontends.removeStrange()
    names.removeStrange()
    this.#retirement.start()
  }

  #urgeLimbo(): void {
    if (this.#limboUrged) return
    this.#limboUrged = true
    this.#once(this.#times.limboUrgentMs, () => {
      this.#limboUrged = false
      this.#limbo.request()
    })
  }

  async #runLimbo(): Promise<void> {
    if (this.#limboRunning || !this.#begun) return
    this.#limboRunning = true
    while (this.#limbo.due && !this.#closed) await this.#limbo.run()
    this.#limboRunning = false
  }

  async #releaseLimbo(): Promise<void> {
    if (await releaseLimbo(this.#tables, this.#hooks, this.#slicer))
      this.#retryUnfit(new Set(['service port ids', 'backend ids', 'service']))
  }

  #checkSettled(): void {
    if (this.#revision === 0) return
    let written = this.#plannedRevision
    const { addresses, cfg, prune } = this.#chores
    const unfitAddresses = this.#tables.addresses.unfit.size
    if (!(addresses.done && cfg.done && prune.done) || this.#tables.addresses.dirty.size > unfitAddresses)
      return
    for (const queue of [this.#chunk, this.#going, this.#dirty, this.#retrying, this.#awaiting])
      for (const { since } of queue) if (since > 0) written = Math.min(written, since - 1)
    let settled = Math.min(written, this.#stale.oldestRevision() - 1)
    for (const { revision } of this.#leaving) settled = Math.min(settled, revision - 1)
    const reached = this.#reachedRevision
    reached.written = Math.max(reached.written, written)
    reached.settled = Math.max(reached.settled, settled)
    const isReady = ({ what, revision }: Waiter): boolean => reached[what] >= revision
    const ready = this.#waiters.filter(isReady)
    this.#waiters = this.#waiters.filter(waiter => !isReady(waiter))
    for (const waiter of ready) waiter.resolve()
  }
}

const NOTHING_UNFIT: ReadonlyMap<Resource, Problem> = new Map()

interface Waiter {
  readonly what: 'settled' | 'written'
  readonly revision: number
  readonly resolve: () => void
}
