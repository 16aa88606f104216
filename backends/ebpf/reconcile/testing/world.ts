import assert from 'node:assert/strict'
import { type NodeView, type ServiceView, serviceKey } from '@kpng/api'
import { EbpfError, type MapOperation } from '@kpng/ebpf'
import type { RecordRow } from '../../bindings.gen.ts'
import { adopt } from '../adopt.ts'
import { type Adopted, idsOnly } from '../adopted.ts'
import { dumpMaps } from '../dump.ts'
import { Reconciler } from '../reconciler.ts'
import { type FrontendPlace, keyOfPlace, type Slot, slotOf4, slotOf6, slotOfRecord } from '../rows.ts'
import { FakeKernel, recordRow } from './fake-kernel.ts'
import { type FakeMaps, type FakeSizes, fakeMaps, shareMaps } from './fake-maps.ts'
import { lookup } from './lookup.ts'
import { type Expected, expectedFrontends, isWithin, servingMemberships } from './oracle.ts'
import { TestClock } from './test-clock.ts'

export interface WorldOptions {
  readonly sizes: FakeSizes
  readonly limits: { readonly maxBackendId: number; readonly maxServicePortId: number }
  /** Part of operations that fail. */
  readonly faults: number
  readonly seed: number
}

/** Sources of connections: in some range, in another, in none. */
const CLIENTS = ['10.1.0.1', '10.2.0.1', '192.0.2.1', '192.168.1.1', 'fd01::1', 'fd02::1', '2001:db8::1']

/** A client's socket, and what the Service that it connected to has said since. */
interface Client {
  readonly row: RecordRow
  readonly membership: string
  /** A sync has come in which the membership did not serve: its UDP sockets must go. */
  stale: boolean
}

interface Running {
  readonly maps: FakeMaps
  readonly place: FrontendPlace
  readonly base: number
  readonly slots: readonly Slot[]
}

/** A kernel, its clients and agents that come and go, checked against an oracle. */
export class World {
  readonly #options: WorldOptions
  readonly clock = new TestClock()
  readonly kernel = new FakeKernel()
  #maps: FakeMaps
  #reconciler: Reconciler
  /** Ends the present agent's access to the maps. */
  #crash: () => void = () => {}
  /** Puts the present agent's programs in place when its first sync is written. */
  #attach: (() => Promise<void>) | undefined
  readonly #recorded = new Map<string, ServiceView>()
  #recordedNode: NodeView | undefined
  #synced: ReadonlyMap<string, ServiceView> = new Map()
  #expectation: ReadonlyMap<string, Expected> = new Map()
  readonly #clients: Client[] = []
  /** Contents that each service port's lists may have had: from all that was ever synced. */
  readonly #contents = new Map<string, Set<string>>()
  #random: () => number
  /** Until the next repair, what is in the maps is nobody's fault. */
  #corrupted = false
  /** The first check in the middle of an operation that failed: thrown by `settle`, not into what is tested. */
  #failure: Error | undefined
  /** Programs that run: they have loaded a list's word and may still read its slots. */
  #running: Running[] = []
  readonly counts = { operations: 0, settled: 0, connected: 0, destroyed: 0, running: 0 }

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = pseudoRandom(options.seed)
    this.#maps = fakeMaps(options.sizes)
    this.kernel.began = () => {
      const before = new Set(this.#running)
      return () => {
        this.#running = this.#running.filter(program => !before.has(program))
      }
    }
    this.kernel.fault = () => this.#random() < options.faults
    this.#reconciler = this.#start(undefined, undefined)
  }

  /** `next`: new maps, which the programs look at once the first sync is in them. */
  #start(adopted: Adopted | undefined, next: FakeMaps | undefined): Reconciler {
    let alive = true
    this.#crash = () => {
      alive = false
    }
    const fault = (operation: MapOperation): number | undefined => {
      if (!alive) return 0
      this.counts.operations++
      if (!this.#corrupted) this.#failure ??= failureOf(() => this.#checkNow())
      if (operation.kind === 'lookup' || this.#random() >= this.#options.faults) return undefined
      return Math.floor(this.#random() * (operation.entries + 1)) % Math.max(1, operation.entries)
    }
    const { promise: inPlace, resolve: swap } = Promise.withResolvers<void>()
    const { kernel } = this
    const reconciler = new Reconciler({
      maps: shareMaps(next ?? this.#maps, fault),
      limits: this.#options.limits,
      hooks: {
        grace: () => kernel.grace(),
        destroyStale: dead =>
          inPlace.then(() => (alive ? kernel.destroyStale(dead) : { destroyed: 0, failed: 0 })),
        idsInUse: () => inPlace.then(() => kernel.idsInUse()),
      },
      clock: this.clock,
      random: this.#random,
      // Every chance to be interrupted is taken, or none: not what the machine's load makes of it.
      times: { sliceMs: this.#options.seed % 2 === 0 ? 0 : Number.POSITIVE_INFINITY },
      ...(adopted === undefined ? {} : { adopted }),
    })
    this.#attach = async () => {
      await reconciler.written()
      if (!alive) return
      this.#maps = next ?? this.#maps
      swap()
    }
    return reconciler
  }

  set(view: ServiceView): void {
    this.#recorded.set(serviceKey(view), view)
    this.#reconciler.setService(view)
  }

  delete(key: string): void {
    this.#recorded.delete(key)
    const [namespace = '', name = ''] = key.split('/')
    this.#reconciler.deleteService(namespace, name)
  }

  setNode(node: NodeView): void {
    this.#recordedNode = node
    this.#reconciler.setNode(node)
  }

  sync(): void {
    this.#synced = new Map(this.#recorded)
    this.#expectation = expectedFrontends(this.#synced.values(), this.#recordedNode)
    for (const { servicePort, backends, reason } of this.#expected().values()) {
      const contents = this.#contents.get(servicePort) ?? new Set()
      contents.add(backends.length === 0 ? reason : backends.join())
      this.#contents.set(servicePort, contents)
    }
    const serving = servingMemberships(this.#synced.values())
    for (const client of this.#clients) if (!serving.has(client.membership)) client.stale = true
    this.#reconciler.sync()
    void this.#attach?.()
    this.#attach = undefined
  }

  /** Lets a few turns of the event loop pass, in the middle of whatever goes on. */
  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
  }

  async settle(): Promise<void> {
    await this.clock.until(this.#reconciler.settled())
    if (this.#failure !== undefined) throw this.#failure
  }

  releaseIds(): void {
    this.#reconciler.releaseIds()
  }

  /**
   * Somebody else writes into the maps. Not into names: who loses those loses ids, which is no repair. Without
   * clients, for an agent that adopts a backend with another port rightly believes that the old one has gone.
   */
  corrupt(): void {
    this.disconnectAll()
    const maps = this.#maps
    const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(this.#random() * all.length)]
    const index = 1 + Math.floor(this.#random() * 8)
    const [key4] = pick([...maps.svc4.entries()]) ?? []
    const [key6] = pick([...maps.svc6.entries()]) ?? []
    const [address] = pick([...maps.addr4.entries()]) ?? []
    const [source4] = pick([...maps.source4.entries()]) ?? []
    const [source6] = pick([...maps.source6.entries()]) ?? []
    const value = { list: index, servicePort: 1, affinityTimeoutS: 3, flags: 0, algorithm: 0, maglev: 0 }
    this.#corrupted = true
    const acts = [
      () => key4 !== undefined && maps.svc4.delete(key4),
      () => key6 !== undefined && maps.svc6.delete(key6),
      () => key4 !== undefined && maps.svc4.update(key4, value),
      () => maps.svc4.update({ addr: 7, port: 7, proto: 6, scope: 0 }, value),
      () => maps.svc6.update({ addr: new Uint8Array(16), port: 7, proto: 17, scope: 0 }, value),
      () => maps.svc4.update({ addr: 7, port: 7, proto: 132, scope: 1 }, value),
      () => maps.list.store64(index, 0x0000000300000002n),
      () => maps.list.store64(index, 0n),
      () => maps.backend4.write(index, [{ ...maps.backend4.read(index), port: 9 }]),
      () => maps.backend4.write(index, [{ ...maps.backend4.read(index), list: 60 }]),
      () => maps.backend6.write(index, [{ ...maps.backend6.read(index), id: 0 }]),
      () => address !== undefined && maps.addr4.delete(address),
      () => [...Array(64).keys()].forEach(word => void maps.outside.store64(word, 0n)),
      () => maps.addr4.update(7, { flags: 4 }),
      () => source4 !== undefined && maps.source4.delete(source4),
      () => source6 !== undefined && maps.source6.delete(source6),
      () => maps.source4.update({ prefixLength: 32 + 9, servicePort: index, addr: 0 }, 1),
      () => maps.source4.update({ prefixLength: 3, servicePort: 60, addr: 7 }, 1),
      () => maps.source6.update({ prefixLength: 33, servicePort: 61, addr: new Uint8Array(16) }, 1),
      () => key4 !== undefined && maps.svc4.update(key4, { ...value, flags: 1 }),
      () =>
        maps.cfg.update(0, {
          cidr4Count: 1,
          cidr6Count: 0,
          flags: 0,
          cidr4: [{ addr: 0, mask: 0 }],
          cidr6: [],
        }),
    ]
    try {
      pick(acts)?.()
    } catch (error) {
      // No room for what does not belong there.
      if (!(error instanceof EbpfError && error.code === 'MAP_FULL')) throw error
    }
  }

  /** Verification finds what was corrupted, and the work after it repairs it. */
  async repair(): Promise<void> {
    await this.settle()
    await this.clock.until(this.#reconciler.verify())
    await this.clock.pass(20_000)
    // An unlucky map may have failed to be read to its end.
    await this.settle()
    this.#corrupted = false
    assert.equal(
      await this.clock.until(this.#reconciler.verify()),
      0,
      'verification finds again what it repaired',
    )
  }

  /** The agent dies on the spot; the next one adopts, into new maps if asked to, and hears everything anew. */
  async restart(how: { readonly newMaps: boolean }): Promise<void> {
    this.#crash()
    this.#reconciler.close()
    await this.turns(4)
    const adopted = await adopt(this.#maps, this.kernel.records)
    this.#running = []
    const next = how.newMaps ? fakeMaps(this.#options.sizes) : undefined
    const before = dumpMaps(this.#maps)
    this.#reconciler = this.#start(how.newMaps ? idsOnly(adopted) : adopted, next)
    if (this.#recordedNode !== undefined) this.#reconciler.setNode(this.#recordedNode)
    for (const view of this.#recorded.values()) this.#reconciler.setService(view)
    await this.turns(3)
    assert.deepEqual(dumpMaps(this.#maps), before, 'something was written before the first sync')
    this.sync()
  }

  /** A client connects to a frontend, as the programs would let it. */
  connect(): void {
    if (this.#corrupted) return
    const expected = [...this.#expected().values()]
    const choice = expected[Math.floor(this.#random() * expected.length)]
    if (choice === undefined) return
    const answer = lookup(this.#maps, choice.place)
    if (answer.verdict !== 'backends') return
    const slot = answer.slots[Math.floor(this.#random() * answer.slots.length)]
    const owner = this.#nameOf(answer.servicePort)
    if (slot === undefined || owner === undefined) return
    const { protocol } = choice.place
    const row = recordRow({
      backend: slot.id,
      generation: slot.generation,
      servicePort: answer.servicePort,
      protocol,
      address: slot.address,
      port: slot.port,
    })
    const membership = `${owner} ${slot.address} ${slot.port}`
    // A program that ran before the flip: the sync that makes it stale may have come already.
    const stale = !servingMemberships(this.#synced.values()).has(membership)
    this.kernel.records.push(row)
    this.counts.connected++
    this.#clients.push({ row, membership, stale })
  }

  /** One of the clients closes its socket. */
  disconnect(): void {
    const [client] = this.#clients.splice(Math.floor(this.#random() * this.#clients.length), 1)
    const at = client === undefined ? -1 : this.kernel.records.indexOf(client.row)
    if (at >= 0) this.kernel.records.splice(at, 1)
  }

  disconnectAll(): void {
    while (this.#clients.length > 0) this.disconnect()
  }

  maps(): FakeMaps {
    return this.#maps
  }

  dump(): string[] {
    return dumpMaps(this.#maps)
  }

  status() {
    return this.#reconciler.status()
  }

  close(): void {
    this.#reconciler.close()
  }

  /** After settle: each frontend answers as the oracle says, unless its Service is reported as not fitting. */
  checkSettled(): void {
    if (this.#corrupted) return
    this.counts.settled++
    const unfit = this.#unfitServices()
    const expected = this.#expected()
    for (const one of expected.values()) if (!unfit.has(one.service)) this.#checkFrontend(one)
    const places = new Set([...expected.values()].map(one => keyOfPlace(one.place)))
    for (const line of this.dump()) {
      const [map, where = ''] = line.split(' ')
      if (map === 'source4' || map === 'source6') assert(!/ service \?/.test(line), `of nobody: ${line}`)
      if (map === 'svc4' || map === 'svc6') assert(places.has(where), `a frontend that nobody wants: ${line}`)
    }
    this.#checkClients()
  }

  #checkFrontend({ place, servicePort, affinityS, backends, reason, sources }: Expected): void {
    const at = keyOfPlace(place)
    for (const source of CLIENTS) {
      if (source.includes(':') !== (place.family === 'IPv6')) continue
      const { verdict } = lookup(this.#maps, place, source)
      const allowed = sources === undefined || isWithin(source, sources)
      assert.equal(verdict !== 'SOURCE_BLOCKED', allowed, `${at} answers ${verdict} to ${source}`)
    }
    const answer = lookup(this.#maps, place)
    if (backends.length === 0) {
      assert.equal(answer.verdict, reason, at)
      return
    }
    assert(answer.verdict === 'backends', `${at} answers ${answer.verdict}, not ${backends}`)
    assert.deepEqual(answer.slots.map(slot => `${slot.address} ${slot.port}`).sort(), backends, at)
    assert.equal(answer.affinityS, affinityS, at)
    assert.equal(this.#nameOf(answer.servicePort), servicePort, at)
    const ids = answer.slots.map(slot => slot.id)
    assert.deepEqual(
      ids,
      [...new Set(ids)].sort((a, b) => a - b),
      `${at}: ids not ascending`,
    )
  }

  #checkClients(): void {
    for (const client of [...this.#clients]) {
      const alive = this.kernel.records.includes(client.row)
      const { proto } = client.row
      if (proto === 17 && client.stale && alive) {
        const serves = servingMemberships(this.#synced.values()).has(client.membership)
        assert(serves, `a stale flow did not move on: ${client.membership}`)
      }
      assert(
        alive || (proto === 17 && client.stale),
        `a socket was destroyed without need: ${client.membership}`,
      )
      if (alive) continue
      this.counts.destroyed++
      this.#clients.splice(this.#clients.indexOf(client), 1)
    }
  }

  /** At any moment: lists are whole, and ids mean what sockets remember. */
  #checkNow(): void {
    const maps = this.#maps
    this.#checkRunning(maps)
    for (const { place } of this.#expected().values()) {
      const answer = lookup(maps, place)
      assert.notEqual(
        answer.verdict,
        'LIST_BUSY',
        `a list in force with slots of another: ${keyOfPlace(place)}`,
      )
      if (answer.verdict !== 'backends') continue
      const owner = this.#nameOf(answer.servicePort)
      const contents = owner === undefined ? undefined : this.#contents.get(owner)
      const text = answer.slots
        .map(slot => `${slot.address} ${slot.port}`)
        .sort()
        .join()
      if (!this.#tight) assert(contents?.has(text), `${keyOfPlace(place)} is a mixture: ${text}`)
      for (const client of this.#clients) {
        if (!this.kernel.records.includes(client.row)) continue
        const slot: Slot | undefined = answer.slots.find(one => one.id === client.row.backend)
        if (slot === undefined || slot.generation !== client.row.generation) continue
        const { address, port } = slotOfRecord(client.row)
        assert.deepEqual([slot.address, slot.port], [address, port], `id ${slot.id} means two backends`)
        assert.equal(answer.servicePort, client.row.servicePort, `id ${slot.id} means two service ports`)
      }
    }
  }

  /** What a running program may still read stays as it is until it has ended. */
  #checkRunning(maps: FakeMaps): void {
    for (const { place, base, slots, maps } of this.#running) {
      const rows = slots.map((_, offset) =>
        place.family === 'IPv4'
          ? slotOf4(maps.backend4.read(base + offset))
          : slotOf6(maps.backend6.read(base + offset)),
      )
      assert.deepEqual(
        rows,
        slots,
        `${keyOfPlace(place)}: a range was written over while a program could read it`,
      )
    }
    if (this.#random() > 0.2 || this.#running.length > 20) return
    const expected = [...this.#expected().values()]
    const place = expected[Math.floor(this.#random() * expected.length)]?.place
    const answer = place && lookup(maps, place)
    if (place === undefined || answer?.verdict !== 'backends') return
    this.counts.running++
    this.#running.push({ maps, place, base: answer.base, slots: answer.slots })
  }

  #expected(): ReadonlyMap<string, Expected> {
    return this.#expectation
  }

  /** Reported as not fitting; where there is little room, also as failing when it was tried once more. */
  #unfitServices(): Set<string> {
    const reported = this.#tight ? /fit|taken|free|made to fail/ : /fit|taken|free/
    return new Set(
      this.status().problems.flatMap(({ where, message }) => (reported.test(message) ? [where] : [])),
    )
  }

  get #tight(): boolean {
    return this.#options.sizes.slots < 64
  }

  #nameOf(servicePort: number): string | undefined {
    const name = this.#maps.service.lookup(servicePort)
    return name && `${name.namespace}/${name.name}:${name.port}/${name.proto === 17 ? 'UDP' : 'TCP'}`
  }
}

function failureOf(check: () => void): Error | undefined {
  try {
    check()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
  return undefined
}

/** mulberry32. */
export function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
