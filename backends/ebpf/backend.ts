import { networkInterfaces } from 'node:os'
import { type NodeView, type ServiceView, type SyncState, serviceKey, type ViewSink } from '@kpng/api'
import { type BpfMap, EbpfError, type KeyedMap, keyedMap, perCpuMap, waitForPrograms } from '@kpng/ebpf'
import { byName } from './attach/by-name.ts'
import { DatapathUpkeep, type Kept } from './attach/datapath-upkeep.ts'
import { keepClearOf } from './attach/foreign-ids.ts'
import type { PinnedMap } from './attach/map-set.ts'
import { Datapath, type DatapathOptions } from './attach/open-datapath.ts'
import { SocketRecords } from './attach/socket-records.ts'
import { datapathMapsOf } from './attach/typed-maps.ts'
import type { UpkeepState } from './attach/upkeep.ts'
import { maps, Reason, type ServiceCount, serviceCount } from './bindings.gen.ts'
import { RangedServices } from './namespaces/ranged-services.ts'
import { SourceFinder } from './namespaces/source-finder.ts'
import { type NodePortAddresses, planNode } from './plan/node-plan.ts'
import { adopt } from './reconcile/adopt.ts'
import type { Adopted } from './reconcile/adopted.ts'
import type { SyncPass } from './reconcile/hooks.ts'
import type { DatapathMaps } from './reconcile/maps.ts'
import { Reconciler } from './reconcile/reconciler.ts'
import { transportOf } from './reconcile/rows.ts'
import { Slicer } from './reconcile/slicer.ts'
import type { ReconcilerStatus } from './reconcile/status.ts'
import type { IdLimits } from './reconcile/tables.ts'

/** What a logger must be able to do: pino's is one. */
export interface BackendLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface EbpfBackendOptions extends DatapathOptions {
  readonly nodePortAddresses: NodePortAddresses
  readonly logger: BackendLogger
  /** Something that status() or problems() tells has changed. */
  readonly onChange: () => void
  /** The maps have been worked on; upToDate says whether the programs are in place, too. Must only take note. */
  readonly onPass?: (pass: SyncPass) => void
  /** Something of the datapath was not in place, as the sentence says, and is again. Must only take note. */
  readonly onRepaired?: (what: string) => void
}

/** Of damage that is found at the start: it may be in every entry of a map. */
const maxFindingsLogged = 20

/** How often the interfaces are looked at where NodePorts are served on addresses that CIDRs choose. */
const localAddressIntervalMs = 5_000

const trafficFields = ['connections', 'datagrams', 'refused', 'unreachable'] as const

/** Reading counters goes on for so long before the event loop has its turn. */
const trafficSliceMs = 5

/** Connections and datagrams to Services, and those that were refused or found no local endpoint. */
export type Traffic = Readonly<Record<(typeof trafficFields)[number], number>>

/** The same of one service port. */
export interface ServicePortTraffic extends Traffic {
  readonly namespace: string
  readonly service: string
  /** Name of the port. */
  readonly port: string
  /** TCP or UDP. */
  readonly protocol: string
}

/** What the backend says of itself. */
export interface BackendStatus extends ReconcilerStatus {
  readonly generation: number
  /** What is kept in place against others who take it away. */
  readonly upkeep: Readonly<Record<Kept, UpkeepState>>
  /** Programs of others at the same hooks, as sentences. */
  readonly neighbours: readonly string[]
  /** What became of connections and datagrams that were not translated (enum reason); the rest is traffic. */
  readonly reasons: Readonly<Record<string, number>>
}

/**
 * The eBPF backend of one instance: takes the node-local view and keeps the kernel's maps at it. Programs are put in
 * place (or replaced) when the first complete view is in the maps; until then those of a previous agent go on.
 */
export class EbpfBackend implements ViewSink, AsyncDisposable {
  readonly #options: EbpfBackendOptions
  readonly #datapath: Datapath
  readonly #records: SocketRecords
  readonly #reconciler: Reconciler
  readonly #sources: SourceFinder
  readonly #ranged = new RangedServices()
  readonly #reasonCount: KeyedMap<number, bigint[]>
  readonly #serviceCount: KeyedMap<number, ServiceCount[]>
  readonly #localAddressTimer: NodeJS.Timeout | undefined
  #node: NodeView | undefined
  #localAddresses: readonly string[] | undefined
  readonly #upkeep: DatapathUpkeep
  #attaching: Promise<void> | undefined
  /** No program that runs looks into maps of another generation. */
  readonly #swapped = Promise.withResolvers<void>()
  /** Who waits for the programs to be in place. */
  readonly #awaitingPrograms: (() => void)[] = []
  #closed = false
  #complete = false

  private constructor(
    options: EbpfBackendOptions,
    datapath: Datapath,
    records: SocketRecords,
    adopted: Adopted | undefined,
  ) {
    this.#options = options
    this.#datapath = datapath
    this.#records = records
    this.#reasonCount = perCpuMap(datapath.map('reason_count'), maps.reasonCount.key, maps.reasonCount.value)
    this.#serviceCount = perCpuMap(datapath.map('service_count'), maps.serviceCount.key, serviceCount)
    this.#reconciler = new Reconciler({
      maps: datapathMapsOf(name => datapath.map(name)),
      limits: idLimits(datapath),
      hooks: {
        grace: () => records.grace(),
        idsFreed: freed => records.idsFreed(freed),
        // Programs of the agent before look into other maps: until they are replaced they go on making such sockets.
        destroyStale: async dead => {
          await this.#swapped.promise
          return await records.destroyStale(dead)
        },
        idsInUse: async () => {
          await this.#swapped.promise
          return await records.idsInUse()
        },
        passed: pass => options.onPass?.({ ...pass, upToDate: pass.upToDate && this.attached }),
      },
      nodePortAddresses: options.nodePortAddresses,
      ...(adopted === undefined ? {} : { adopted }),
    })
    this.#sources = new SourceFinder({
      netns: keyedMap(datapath.map('netns'), maps.netns.key, maps.netns.value),
      missing: keyedMap(datapath.map('netns_missing'), maps.netnsMissing.key, maps.netnsMissing.value),
      look: request => records.worker.sourceAddresses(request),
    })
    // What a former agent serves goes on before anything is known of the Services.
    if (adopted?.checksSources) this.#sources.watch([])
    if (datapath.newGenerationReason === undefined) this.#swapped.resolve()
    const { cgroup, logger, onChange } = options
    this.#upkeep = new DatapathUpkeep({
      ...{ datapath, cgroup, logger, onChange },
      onAttached: again => {
        for (const resolve of this.#awaitingPrograms.splice(0)) resolve()
        if (again) return
        logger.info({ generation: datapath.generation }, 'synced: the programs are in place')
        void this.#endPrevious()
      },
      onRepaired: what => options.onRepaired?.(what),
    })
    // Nothing tells of an address that comes or goes without a change of the Node.
    if (options.nodePortAddresses !== 'primary')
      this.#localAddressTimer = setInterval(
        () => this.#followLocalAddresses(),
        localAddressIntervalMs,
      ).unref()
  }

  /** Throws KpngError; nothing that runs has changed then. */
  static async open(options: EbpfBackendOptions): Promise<EbpfBackend> {
    await using resources = new AsyncDisposableStack()
    const datapath = resources.use(await Datapath.open(options))
    const records = resources.use(new SocketRecords(datapath, waitForPrograms))
    const adopted = await adoptDatapath(datapath, records, options.logger)
    const backend = new EbpfBackend(options, datapath, records, adopted)
    resources.move()
    return backend
  }

  setNode(node: NodeView): void {
    this.#node = node
    this.#reconciler.setNode(node)
  }

  setService(service: ServiceView): void {
    this.#ranged.set(service)
    this.#reconciler.setService(service)
  }

  deleteService(namespace: string, name: string): void {
    this.#ranged.delete(serviceKey({ namespace, name }))
    this.#reconciler.deleteService(namespace, name)
  }

  sync(state: SyncState = { complete: true }): void {
    this.#complete ||= state.complete
    this.#readLocalAddresses()
    const { addresses } = this.#ranged
    if (this.#complete || addresses !== undefined) this.#sources.watch(addresses)
    this.#reconciler.sync({ complete: this.#complete })
    // New maps lack what a source has not told yet; the old ones have it.
    if (this.#complete || this.#datapath.newGenerationReason === undefined)
      this.#attaching ??= this.#attachWhenWritten()
    void this.#reconciler.settled().then(() => this.#options.onChange())
  }

  /** Tells the reconciler which addresses the interfaces have, where it matters; true if they have changed. */
  #readLocalAddresses(): boolean {
    if (this.#options.nodePortAddresses === 'primary') return false
    const addresses = localAddresses()
    if (addresses.join() === this.#localAddresses?.join()) return false
    this.#localAddresses = addresses
    this.#reconciler.setLocalAddresses(addresses)
    return true
  }

  #followLocalAddresses(): void {
    if (this.#upkeep.attached && this.#readLocalAddresses()) this.sync({ complete: this.#complete })
  }

  /** Of what former programs have counted and given to sockets, some did so until they ended. */
  async #endPrevious(): Promise<void> {
    try {
      await this.#records.grace()
      if (!this.#closed) this.#datapath.endPrevious()
    } catch (reason) {
      this.#options.logger.warn({ err: reason }, 'counts of the maps before are left to the next start')
    }
    this.#swapped.resolve()
  }

  /** Without waiting for stale sockets: what a new program writes is not made stale by what an old one did. */
  async #attachWhenWritten(): Promise<void> {
    await this.#reconciler.written()
    if (!this.#closed) this.#upkeep.begin()
  }

  /**
   * Resolves when the kernel has everything up to the last sync, stale sockets are gone and programs in place. Throws
   * where they cannot be put in place now.
   */
  async settled(): Promise<void> {
    this.#followLocalAddresses()
    await this.#reconciler.written()
    await this.#sources.filled()
    await this.#attaching
    if (this.#attaching !== undefined) {
      this.#upkeep.begin()
      if (this.#upkeep.failure !== undefined) throw this.#upkeep.failure
    }
    // Stale sockets are not looked for while programs of the generation before are attached.
    if (this.attached || this.#datapath.newGenerationReason === undefined) await this.#reconciler.settled()
  }

  /**
   * Resolves when the kernel has everything up to the last sync and the programs are in place, however long that
   * takes. Stale sockets may still be there.
   */
  async inForce(): Promise<void> {
    await this.#reconciler.written()
    if (this.attached) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#awaitingPrograms.push(resolve)
    await promise
  }

  /** The first complete view is in the kernel and the programs look at it. */
  get attached(): boolean {
    return this.#upkeep.attached
  }

  get generation(): number {
    return this.#datapath.generation
  }

  /** Node addresses on which NodePorts are served. */
  get nodePortAddresses(): readonly string[] {
    return planNode(this.#node, this.#options.nodePortAddresses, this.#localAddresses).nodePortAddresses
  }

  status(): BackendStatus {
    const status = this.#reconciler.status()
    const problems = [...this.#upkeep.problems(), ...this.#sources.problems, ...status.problems]
    const { states: upkeep, neighbours } = this.#upkeep
    return { ...status, problems, generation: this.generation, upkeep, neighbours, reasons: this.#reasons() }
  }

  /** Of all service ports that have an id now. Costs a lookup each, with pauses for the event loop. */
  async serviceTraffic(): Promise<ServicePortTraffic[]> {
    const slicer = new Slicer(trafficSliceMs)
    const traffic: ServicePortTraffic[] = []
    this.#datapath.moveCounts()
    for (const { id, name } of this.#reconciler.servicePorts()) {
      if (slicer.over) await slicer.breathe()
      if (this.#closed) break
      const total = { connections: 0, datagrams: 0, refused: 0, unreachable: 0 }
      for (const count of this.#serviceCount.lookup(id) ?? [])
        for (const field of trafficFields) total[field] += Number(count[field])
      const { namespace, name: service, port, proto } = name
      traffic.push({ namespace, service, port, protocol: transportOf(proto) ?? `${proto}`, ...total })
    }
    return traffic
  }

  /** What hooks have decided since the counters began, by reason; those that never happened are left out. */
  #reasons(): Record<string, number> {
    const reasons: Record<string, number> = {}
    for (const [name, reason] of Object.entries(Reason)) {
      if (reason === Reason.MAX) continue
      const total = this.#reasonCount.lookup(reason)?.reduce((sum, count) => sum + Number(count), 0) ?? 0
      if (total > 0) reasons[name] = total
    }
    return reasons
  }

  /** Ends the work; what is in the kernel goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#upkeep[Symbol.dispose]()
    clearInterval(this.#localAddressTimer)
    this.#sources[Symbol.dispose]()
    this.#reconciler.close()
    await this.#records[Symbol.asyncDispose]()
    this.#datapath[Symbol.dispose]()
  }
}

/** What a previous agent has left: contents and ids where its maps are used on, ids only where the maps are new. */
async function adoptDatapath(
  datapath: Datapath,
  records: SocketRecords,
  logger: BackendLogger,
): Promise<Adopted | undefined> {
  if (datapath.isNew) return undefined
  const { generation, newGenerationReason: reason } = datapath
  if (reason !== undefined)
    logger.info({ generation, reason }, 'new maps: the old ones forward until the first sync is written')
  const adopted = await adopt(mapsToAdopt(datapath, logger), records.rows())
  for (const finding of adopted.findings.slice(0, maxFindingsLogged))
    logger.warn({}, `found in the kernel: ${finding}`)
  const leftOut = adopted.findings.length - maxFindingsLogged
  if (leftOut > 0) logger.warn({ leftOut }, 'found in the kernel: more of this kind')
  if (reason === undefined) return adopted
  return {
    ...adopted,
    contents: undefined,
    ids: keepClearOf(datapath.foreignIds, adopted.ids, idLimits(datapath)),
  }
}

const idLimits = (datapath: Datapath): IdLimits => ({
  maxBackendId: datapath.map('backend_count').info.maxEntries - 1,
  maxServicePortId: datapath.map('service_count').info.maxEntries - 1,
})

/** Those of the generation before, where there is one that can be read: else none of its ids, and new ones. */
function mapsToAdopt(datapath: Datapath, logger: BackendLogger): DatapathMaps {
  const { generation, newGenerationReason, isPreviousUnderstood } = datapath
  const own = (name: PinnedMap): BpfMap => datapath.map(name)
  if (newGenerationReason === undefined) return datapathMapsOf(own)
  try {
    if (isPreviousUnderstood) return datapathMapsOf(name => datapath.previousMap(name) ?? own(name), byName())
  } catch (reason) {
    if (!(reason instanceof EbpfError && (reason.code === 'LAYOUT' || reason.code === 'NOT_FOUND')))
      throw reason
  }
  logger.warn({ generation }, 'no ids are taken over: the old maps are of another kind')
  return datapathMapsOf(own)
}

/** Of the network interfaces of the namespace that the agent is in. */
const localAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap(addresses => (addresses ?? []).map(({ address }) => address))
