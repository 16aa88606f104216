import assert from 'node:assert/strict'
import type { AffinityKey, RecordRow } from '../../bindings.gen.ts'
import type { DatapathMaps } from '../maps.ts'
import type { FrontendPlace } from '../rows.ts'
import { affinityKeyOf, type Met, NS_PER_S } from './datapath.ts'
import { type FakeKernel, recordRow } from './fake-kernel.ts'

type Translated = Extract<Met, { verdict: 'TRANSLATED' }>

/** A client's socket, and what the Service that it connected to has said since. */
interface Socket {
  readonly row: RecordRow
  readonly membership: string
  /** A sync has come in which the membership did not serve: if it is a connected UDP socket it must go. */
  stale: boolean
}

/** A client's affinity, as its last connection left it. */
interface Affinity {
  readonly key: AffinityKey
  readonly id: number
  readonly membership: string
  lastNs: bigint
  /** The client gets the same backend again, if it serves: the membership has been there all the time. */
  returns: boolean
}

/** What a sync says: all that matters to those who remember. */
export interface Serving {
  /** `servicePort address port` of endpoints that serve somewhere. */
  readonly serving: ReadonlySet<string>
  /** The same of all endpoints, whether they serve or not. */
  readonly named: ReadonlySet<string>
}

export interface Connection {
  readonly place: FrontendPlace
  readonly client: bigint
  readonly met: Translated
  /** `namespace/name:port/protocol`. */
  readonly servicePort: string
  readonly affinityS: number
  readonly nowNs: bigint
  /** Only UDP: the socket is not connected, its flow is remembered all the same. */
  readonly unconnected: boolean
}

/** So many sockets are open at once. */
const MAX_SOCKETS = 40

/** Whoever remembers a backend: sockets in the kernel's records, and clients in the affinity map. */
export class Clients {
  readonly #kernel: FakeKernel
  readonly #sockets: Socket[] = []
  readonly #affinities = new Map<string, Affinity>()
  readonly counts = { connected: 0, destroyed: 0, affine: 0 }
  #now: Serving = { serving: new Set(), named: new Set() }
  /** Memberships that some sync since all was quiet has not served: flows to them may be made stale by that. */
  readonly #left = new Set<string>()

  constructor(kernel: FakeKernel) {
    this.#kernel = kernel
  }

  get sockets(): number {
    return this.#sockets.length
  }

  synced(now: Serving): void {
    for (const membership of this.#now.serving) if (!now.serving.has(membership)) this.#left.add(membership)
    this.#now = now
    for (const socket of this.#sockets) if (!now.serving.has(socket.membership)) socket.stale = true
    // Who has left may come back with another id, and clients pick anew.
    for (const affinity of this.#affinities.values()) affinity.returns &&= now.named.has(affinity.membership)
  }

  /** Another agent knows of those only that are in force. */
  restarted(inForce: ReadonlySet<string>): void {
    for (const affinity of this.#affinities.values()) affinity.returns &&= inForce.has(affinity.membership)
  }

  add({ place, client, met, servicePort, affinityS, nowNs, unconnected }: Connection): void {
    const { id: backend, generation, address, port } = met
    const { protocol } = place
    const membership = `${servicePort} ${address} ${port}`
    const made = recordRow({ backend, generation, servicePort: met.servicePort, protocol, address, port })
    const row = unconnected && protocol === 'UDP' ? { ...made, connected: 0 } : made
    // A program that ran before the flip: the sync that makes it stale may have come already, and a later one too.
    const stale = this.#left.has(membership) || !this.#now.serving.has(membership)
    this.#sockets.push({ row, membership, stale })
    this.#kernel.records.push(row)
    this.counts.connected++
    if (this.#sockets.length > MAX_SOCKETS) this.#close(0)
    if (affinityS === 0) return
    const key = affinityKeyOf(client, met.servicePort, place.family)
    const returns = this.#now.named.has(membership)
    const affinity = { key, id: backend, membership, lastNs: nowNs, returns }
    this.#affinities.set(whoOf(client, met.servicePort, place), affinity)
    this.counts.affine++
  }

  /** The membership that a client must get again; undefined when it may get another. */
  affinityOf(
    client: bigint,
    servicePort: number,
    place: FrontendPlace,
    now: { readonly ns: bigint; readonly timeoutS: number },
  ): string | undefined {
    const affinity = this.#affinities.get(whoOf(client, servicePort, place))
    if (!affinity?.returns || now.ns - affinity.lastNs > BigInt(now.timeoutS) * NS_PER_S) return undefined
    return affinity.membership
  }

  /** The client has used its affinity, which makes it young again. */
  used(client: bigint, servicePort: number, place: FrontendPlace, nowNs: bigint): void {
    const affinity = this.#affinities.get(whoOf(client, servicePort, place))
    if (affinity !== undefined) affinity.lastNs = nowNs
  }

  /** Closes one of the sockets: the one that `chance` of 1 says. */
  disconnect(chance: number): void {
    this.#close(Math.floor(chance * this.#sockets.length))
  }

  #close(index: number): void {
    const [socket] = this.#sockets.splice(index, 1)
    const at = socket === undefined ? -1 : this.#kernel.records.indexOf(socket.row)
    if (at >= 0) this.#kernel.records.splice(at, 1)
  }

  /** Nobody remembers anything that a check would ask for. */
  forget(): void {
    while (this.#sockets.length > 0) this.#close(0)
    this.#affinities.clear()
  }

  /** At any moment: by backend id, the membership that somebody remembers it as, and by service port id, the name. */
  held(maps: DatapathMaps): {
    readonly backends: ReadonlyMap<number, string>
    readonly servicePorts: ReadonlyMap<number, string>
  } {
    const backends = new Map<number, string>()
    const servicePorts = new Map<number, string>()
    const hold = (id: number, servicePort: number, membership: string): void => {
      const other = backends.get(id)
      assert(other === undefined || other === membership, `id ${id} is of ${other} and of ${membership}`)
      backends.set(id, membership)
      servicePorts.set(servicePort, membership.slice(0, membership.indexOf(' ')))
    }
    const alive = new Set(this.#kernel.records)
    for (const { row, membership } of this.#sockets)
      if (alive.has(row)) hold(row.backend, row.servicePort, membership)
    for (const [who, affinity] of this.#affinities) {
      const { key, id, membership } = affinity
      if (maps.affinity.lookup(key)?.backend === id) hold(id, key.servicePort, membership)
      else if (!affinity.returns) this.#affinities.delete(who)
    }
    return { backends, servicePorts }
  }

  /** When all is quiet: stale flows have moved on, and no other socket was touched. */
  check(): void {
    this.#left.clear()
    const alive = new Set(this.#kernel.records)
    for (const socket of [...this.#sockets]) {
      const { row, membership, stale } = socket
      const mayGo = stale && row.proto === 17 && row.connected === 1
      if (alive.has(row)) {
        const moved = !mayGo || this.#now.serving.has(membership)
        assert(moved, `a stale flow did not move on: ${membership}`)
        continue
      }
      assert(mayGo, `a socket was destroyed without need: ${membership}`)
      this.counts.destroyed++
      this.#sockets.splice(this.#sockets.indexOf(socket), 1)
    }
  }
}

const whoOf = (client: bigint, servicePort: number, { family }: FrontendPlace): string =>
  `${client} ${family} ${servicePort}`
