import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  attachIter,
  type KeyedMap,
  keyedMap,
  type Link,
  type MemoryMap,
  memoryMap,
  NetnsWorker,
  perCpuMap,
  possibleCpus,
  readIter,
} from '@kpng/ebpf'
import {
  type BackendCount,
  backendCount,
  type DeadKey,
  deadKey,
  maps,
  type RecordRow,
  recordRow,
  rskKey,
  type ServiceCount,
  serviceCount,
  staleSocket,
  type UdpFlow,
  udpFlow,
} from '../bindings.gen.ts'
import type { DeadBackend, IdsInUse, ReconcilerHooks, StaleResult } from '../reconcile/hooks.ts'
import type { PinnedMap } from './map-set.ts'
import type { Datapath } from './open-datapath.ts'

/** A pass over the sockets of a busy node takes long: others have their turn after so much of it. */
const turnMs = 8

const noCounts: BackendCount = { connections: 0n, datagrams: 0n, open: 0n, failures: 0n }
const noTraffic: ServiceCount = { connections: 0n, datagrams: 0n, refused: 0n, unreachable: 0n }

/**
 * What sockets remember: passes over the socket storage of all network namespaces, and the end of connected UDP
 * sockets whose backend serves no more (verified on 5.10 and later: one iterator pass sees every namespace, and
 * SOCK_DESTROY with tuple and cookie hits exactly the socket that was found).
 */
export class SocketRecords implements ReconcilerHooks, AsyncDisposable {
  readonly #links: { readonly stale: Link; readonly tcp: Link; readonly udp: Link }
  readonly #dead: KeyedMap<DeadKey, number>
  readonly #rsk: KeyedMap<unknown, UdpFlow>
  readonly #backendCount: MemoryMap<BackendCount>
  readonly #serviceCount: KeyedMap<number, ServiceCount[]>
  /** One thread for all that is done in other namespaces. */
  readonly worker = new NetnsWorker()
  readonly grace: () => Promise<void>

  constructor(datapath: Datapath, grace: () => Promise<void>) {
    this.grace = grace
    using links = new DisposableStack()
    const attach = (program: string, map: PinnedMap): Link =>
      links.use(attachIter({ program: datapath.iterator(program), map: datapath.map(map) }))
    this.#links = {
      stale: attach('stale_udp', 'sk_udp'),
      tcp: attach('records_tcp', 'sk_tcp'),
      udp: attach('records_udp', 'sk_udp'),
    }
    this.#dead = keyedMap(datapath.dead, deadKey, maps.dead.value)
    this.#rsk = keyedMap(datapath.map('rsk'), rskKey, udpFlow)
    this.#backendCount = memoryMap(datapath.map('backend_count'), backendCount)
    this.#serviceCount = perCpuMap(datapath.map('service_count'), maps.serviceCount.key, serviceCount)
    links.move()
  }

  async destroyStale(dead: readonly DeadBackend[]): Promise<StaleResult> {
    const keys = dead.map(({ id, generation }) => ({ backend: id, generation }))
    try {
      this.#dead.updateBatch(keys.map(key => [key, 1] as const))
      const rows = [...readIter(this.#links.stale, staleSocket)]
      if (rows.length === 0) return { destroyed: 0, failed: 0 }
      const { destroyed, failed, netnsNotFound } = await this.worker.destroySockets(rows)
      return { destroyed, failed: failed + netnsNotFound }
    } finally {
      this.#dead.deleteBatch(keys)
    }
  }

  /** Rows of every socket that was translated: how ids are found again after a restart. */
  *rows(): Generator<RecordRow> {
    yield* readIter(this.#links.tcp, recordRow)
    yield* readIter(this.#links.udp, recordRow)
  }

  *#uses(): Generator<RecordRow | UdpFlow> {
    yield* this.rows()
    for (const [, flow] of this.#rsk.entries()) yield flow
  }

  async idsInUse(): Promise<IdsInUse> {
    const backends = new Set<number>()
    const servicePorts = new Set<number>()
    const add = (row: { readonly backend: number; readonly servicePort: number }): void => {
      backends.add(row.backend)
      servicePorts.add(row.servicePort)
    }
    let turnEndsMs = performance.now() + turnMs
    for (const use of this.#uses()) {
      add(use)
      if (performance.now() < turnEndsMs) continue
      await nextTurn()
      turnEndsMs = performance.now() + turnMs
    }
    return { backends, servicePorts }
  }

  /** An id begins its next life with its counters at zero. */
  idsFreed({
    backends,
    servicePorts,
  }: {
    readonly backends: readonly number[]
    readonly servicePorts: readonly number[]
  }): void {
    for (const id of backends) this.#backendCount.write(id, [noCounts])
    const ofAllCpus = Array.from({ length: possibleCpus() }, () => noTraffic)
    this.#serviceCount.updateBatch(servicePorts.map(id => [id, ofAllCpus] as const))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of Object.values(this.#links)) link[Symbol.dispose]()
    await this.worker[Symbol.asyncDispose]()
  }
}
