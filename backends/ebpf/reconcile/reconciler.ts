import {
  backgroundClock,
  type Clock,
  type NodeView,
  type ServiceView,
  type SyncState,
  type ViewSink,
} from '@kpng/api'
import type { ServiceName } from '../bindings.gen.ts'
import type { Adopted } from './adopted.ts'
import { Applier, type Outcome } from './applier.ts'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import { CfgWriter } from './cfg-writer.ts'
import { Chore } from './chore.ts'
import { isFull } from './entry-batch.ts'
import type { DeadBackend, ReconcilerHooks } from './hooks.ts'
import { releaseLimbo } from './limbo.ts'
import { DEFAULT_TIMES, type ReconcilerOptions, type ReconcilerTimes } from './options.ts'
import { Planner } from './planner.ts'
import { Progress } from './progress.ts'
import { prune } from './prune.ts'
import { Retirement } from './retirement.ts'
import { seed } from './seed.ts'
import { ServiceQueues } from './service-queues.ts'
import { Slicer } from './slicer.ts'
import { StaleSockets } from './stale-sockets.ts'
import type { PortState, Resource, ServiceState } from './state.ts'
import { countsOf, failureProblems, type ReconcilerStatus, serviceProblems } from './status.ts'
import { Tables } from './tables.ts'
import { Verifier } from './verifier.ts'

/** What limbo gives back when nobody remembers an id any more. */
const LIMBO_HOLDS: readonly Resource[] = ['service port ids', 'backend ids', 'service']

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
  readonly #planner: Planner
  readonly #queues: ServiceQueues
  readonly #applier: Applier
  readonly #verifier: Verifier
  readonly #retirement: Retirement
  readonly #stale: StaleSockets
  readonly #progress = new Progress()
  readonly #slicer: Slicer
  readonly #hooks: ReconcilerHooks
  readonly #clock: Clock
  readonly #random: () => number
  readonly #times: ReconcilerTimes
  readonly #backoff: BackoffOptions
  readonly #chores: { readonly addresses: Chore; readonly cfg: Chore; readonly prune: Chore }
  /** Beside the other work, for it waits for the kernel. */
  readonly #limbo: Chore
  readonly #timers = new Set<Disposable>()
  /** To begin with; undefined when that is done. */
  #adopted: Adopted | undefined
  /** The first sync has come. */
  #begun = false
  #inherited = false
  /** Adopted service ports whose names are not in the maps. */
  readonly #unnamed = new Set<PortState>()
  #strays: readonly DeadBackend[] = []
  /** Dead, in the grace period before their sockets are looked for. */
  readonly #leaving = new Set<{ readonly dead: DeadBackend; readonly revision: number }>()
  #working = false
  /** Woken while working: it may have been too late for the step that found nothing left. */
  #wokenAgain = false
  #scheduled = false
  #limboRunning = false
  #limboUrged = false
  #verifyDue = false
  #verifyFailures = 0
  /** Why a part of the pass that goes on could not be compared. */
  #verifyFailure: unknown
  #retries = 0
  #closed = false

  constructor(options: ReconcilerOptions) {
    this.#hooks = options.hooks
    this.#clock = options.clock ?? backgroundClock
    this.#random = options.random ?? Math.random
    this.#times = { ...DEFAULT_TIMES, ...options.times }
    this.#slicer = new Slicer(this.#times.sliceMs)
    this.#backoff = { firstMs: this.#times.retryFirstMs, mostMs: this.#times.retryMostMs }
    const timing = { clock: this.#clock, random: this.#random, backoff: this.#backoff }
    const wake = (): void => this.#wake()
    this.#retirement = new Retirement({
      ...timing,
      grace: () => this.#hooks.grace(),
      released: resources => this.#released(resources),
    })
    const tables = new Tables(options.maps, options.limits, this.#retirement)
    this.#tables = tables
    this.#cfg = new CfgWriter(options.maps.cfg, tables.outside)
    this.#queues = new ServiceQueues({ ...timing, wake })
    this.#applier = new Applier(tables, this.#slicer)
    this.#verifier = new Verifier(tables, this.#cfg, this.#slicer)
    this.#stale = new StaleSockets({
      ...timing,
      destroyStale: dead => this.#hooks.destroyStale(dead),
      serves: ({ id, generation }) => {
        const member = tables.members[id]
        return member?.generation === generation && member.serves
      },
      progressed: () => this.#checkProgress(),
    })
    this.#chores = {
      addresses: new Chore('addresses', () => this.#settleAddresses(), wake, timing),
      cfg: new Chore('cfg', () => this.#cfg.write(), wake, timing),
      prune: new Chore('prune', () => this.#prune(), wake, timing),
    }
    this.#limbo = new Chore(
      'limbo',
      () => this.#releaseLimbo(),
      () => void this.#runLimbo(),
      timing,
    )
    this.#planner = new Planner(tables, this.#cfg, this.#slicer, options.nodePortAddresses ?? 'primary', {
      dirty: (service, revision) => this.#queues.add(service, revision),
      addresses: () => this.#chores.addresses.request(),
      cfg: () => this.#chores.cfg.request(),
      prune: () => this.#chores.prune.request(),
    })
    this.#adopted = options.adopted
    if (options.adopted !== undefined) this.#wake()
  }

  setNode(node: NodeView): void {
    this.#planner.setNode(node)
  }

  /** Addresses of the node's interfaces, for `nodePortAddresses` to choose from. Like all calls, counts at sync. */
  setLocalAddresses(addresses: readonly string[]): void {
    this.#planner.setLocalAddresses(addresses)
  }

  setService(service: ServiceView): void {
    this.#planner.setService(service)
  }

  deleteService(namespace: string, name: string): void {
    this.#planner.deleteService(namespace, name)
  }

  sync(state?: SyncState): void {
    this.#planner.sync(state)
    this.#wake()
  }

  /**
   * Resolves when everything up to the last sync is in the kernel or reported as not fitting, and the sockets
   * that it made stale are gone or given up.
   */
  settled(): Promise<void> {
    return this.#progress.wait('settled', this.#planner.revision)
  }

  /** The same without the sockets: when programs that begin to look at the maps find everything in them. */
  written(): Promise<void> {
    return this.#progress.wait('written', this.#planner.revision)
  }

  /** Compares the kernel with what should be there. Resolves with how much differs and is being repaired. */
  async verify(): Promise<number> {
    if (this.#planner.revision === 0) return 0
    const before = this.#verifier.repairs
    await new Promise<void>(resolve => {
      this.#verifier.onPass(resolve)
      this.#goOnVerifying()
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
    for (const timer of this.#timers) timer[Symbol.dispose]()
    for (const service of this.#tables.services.values()) service.retryTimer?.[Symbol.dispose]()
  }

  /** All that have an id, as they are in the map `service`. */
  servicePorts(): ReadonlyArray<{ readonly id: number; readonly name: ServiceName }> {
    const found: PortState[] = []
    for (const { ports } of this.#tables.services.values())
      for (const port of ports.values()) found.push(port)
    return found
  }

  status(): ReconcilerStatus {
    const chores = this.#allChores()
    const failures = chores.map(({ name, failure }) => [name, failure] as const)
    failures.push(['grace period', this.#retirement.failure], ['stale sockets', this.#stale.failure])
    failures.push(['verification', this.#verifyFailure])
    const { flips, moves } = this.#tables.lists
    return {
      synced: this.#progress.reached('settled') > 0,
      revision: this.#planner.revision,
      settledRevision: this.#progress.reached('settled'),
      problems: [
        ...this.#planner.nodePlan.problems,
        ...serviceProblems(this.#tables, this.#queues.troubled),
        ...failureProblems(failures),
      ],
      notServed: this.#planner.notServed(),
      counts: countsOf(this.#tables, this.#planner.services, this.#queues),
      counters: {
        flips,
        moves,
        graces: this.#retirement.graces,
        retries: this.#retries + this.#queues.retries + chores.reduce((sum, { retries }) => sum + retries, 0),
        repairs: this.#verifier.repairs,
        verifications: this.#verifier.passes,
        staleSocketsDestroyed: this.#stale.destroyed,
        staleBackendsGivenUp: this.#stale.givenUp,
      },
    }
  }

  #allChores(): Chore[] {
    return [...Object.values(this.#chores), this.#limbo]
  }

  #once(delayMs: number, callback: () => void): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer)
      callback()
    })
    this.#timers.add(timer)
  }

  #every(intervalMs: number, callback: () => void): void {
    this.#once(intervalMs, () => {
      callback()
      this.#every(intervalMs, callback)
    })
  }

  #wake(): void {
    this.#wokenAgain = true
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
    const startedMs = performance.now()
    const { passes } = this.#verifier
    const first = this.#progress.reached('written') === 0
    let steps = 0
    if (this.#adopted !== undefined) {
      await seed(this.#tables, this.#cfg, this.#adopted, () => this.#slicer.breathe())
      this.#strays = this.#adopted.ids.strays
      this.#adopted = undefined
    }
    if (this.#planner.revision > 0 && !this.#begun) this.#begin()
    if (this.#begun && (await this.#carryNames())) {
      do {
        this.#wokenAgain = false
        while (!this.#closed && (await this.#step())) steps++
      } while (this.#wokenAgain && !this.#closed)
    }
    this.#working = false
    if (!this.#begun) return
    this.#retirement.start()
    const upToDate = this.#checkProgress()
    if (steps === 0) return
    this.#hooks.passed?.({
      durationMs: performance.now() - startedMs,
      full: first || this.#verifier.passes > passes,
      failed:
        this.#queues.failing > 0 || Object.values(this.#chores).some(({ failure }) => failure !== undefined),
      upToDate,
    })
  }

  #begin(): void {
    this.#begun = true
    for (const { ports } of this.#tables.services.values())
      for (const port of ports.values()) if (!port.named) this.#unnamed.add(port)
    for (const stray of this.#strays) this.#leave(stray, this.#planner.revision)
    this.#every(this.#times.verifyIntervalMs, () => this.#startVerifying())
    this.#every(this.#times.limboIntervalMs, () => this.#limbo.request())
    this.#every(this.#times.unfitRetryMs, () => this.#retryUnfit(undefined))
  }

  /** From now on what nobody has set is taken away. */
  #inherit(): void {
    this.#inherited = true
    this.#planner.inherit()
    this.#chores.prune.request()
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
    if (this.#planner.complete && !this.#inherited) this.#inherit()
    await this.#planner.plan()
    const chunk = this.#queues.take()
    if (chunk.length > 0) {
      this.#applied(chunk, await this.#applier.apply(chunk))
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

  #applied(chunk: readonly ServiceState[], outcome: Outcome): void {
    const oldest = this.#queues.applied(outcome, this.#planner.plannedRevision)
    for (const member of outcome.dead) this.#leave(member, oldest)
    for (const service of [...chunk, ...this.#tables.emptied]) {
      const gone = service.view === undefined && service.ports.size === 0
      if (gone && !this.#queues.has(service)) this.#tables.services.delete(service.key)
    }
    this.#tables.emptied.clear()
    if (chunk.some(({ unfit }) => LIMBO_HOLDS.some(resource => unfit.has(resource)))) this.#urgeLimbo()
    if (outcome.room.size > 0) this.#retryUnfit(outcome.room)
    this.#retirement.start()
    this.#checkProgress()
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
    this.#queues.retryAwaiting()
    if (resources.size > 0) this.#retryUnfit(resources)
    this.#checkProgress()
  }

  #retryUnfit(resources: ReadonlySet<Resource> | undefined): void {
    this.#queues.retryUnfit(resources)
    if (resources === undefined && this.#tables.addresses.unfit.size > 0) this.#chores.addresses.request()
  }

  async #settleAddresses(): Promise<void> {
    const errors = await this.#tables.addresses.settle(() => this.#slicer.breathe())
    if (errors.length > 0) throw errors[0]
  }

  #prune(): void {
    // Before a sync was complete nobody knows what is nobody's; then it is asked for again.
    if (!this.#inherited) return
    for (const heir of prune(this.#tables)) this.#queues.add(heir, 0)
    this.#retirement.start()
  }

  #startVerifying(): void {
    this.#verifier.begin()
    this.#goOnVerifying()
  }

  /** The pass may have ended since it was to go on. */
  #goOnVerifying(): void {
    if (!this.#verifier.due) return
    this.#verifyDue = true
    this.#wake()
  }

  async #verifyStep(): Promise<void> {
    const verified = await this.#verifier.step()
    for (const service of verified.dirty) this.#queues.add(service, 0)
    if (this.#tables.addresses.dirty.size > 0) this.#chores.addresses.request()
    if (this.#cfg.dirty) this.#chores.cfg.request()
    if (verified.prune) this.#chores.prune.request()
    if (verified.ended) this.#verifyFailures = 0
    if (!verified.ended && verified.failure === undefined) return
    this.#verifyDue = false
    this.#verifyFailure = verified.failure
    if (verified.ended) return
    this.#retries++
    this.#once(backoffMs(this.#verifyFailures++, this.#backoff, this.#random), () => this.#goOnVerifying())
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
    if (await releaseLimbo(this.#tables, this.#hooks, this.#slicer)) this.#retryUnfit(new Set(LIMBO_HOLDS))
  }

  /** Whether everything is written. */
  #checkProgress(): boolean {
    const { dirty, unfit } = this.#tables.addresses
    if (!Object.values(this.#chores).every(chore => chore.done) || dirty.size > unfit.size) return false
    const written = Math.min(this.#planner.plannedRevision, this.#queues.oldestRevision() - 1)
    let settled = Math.min(written, this.#stale.oldestRevision() - 1)
    for (const { revision } of this.#leaving) settled = Math.min(settled, revision - 1)
    this.#progress.reach({ written, settled })
    return written >= this.#planner.revision
  }
}
