import assert from 'node:assert/strict'
import { type NodeView, type ServiceView, serviceKey } from '@kpng/api'
import type { MapOperation } from '@kpng/ebpf'
import { adopt } from '../adopt.ts'
import { type Adopted, idsOnly } from '../adopted.ts'
import { dumpMaps } from '../dump.ts'
import type { DatapathMaps } from '../maps.ts'
import { Reconciler } from '../reconciler.ts'
import { type FrontendPlace, keyOfPlace, type Slot, slotOf4, slotOf6 } from '../rows.ts'
import { Clients } from './clients.ts'
import { corrupt } from './corrupt.ts'
import { type Asker, type Datapath, FakeDatapath } from './datapath.ts'
import { FakeKernel } from './fake-kernel.ts'
import type { FakeSizes } from './fake-maps.ts'
import { faultyMaps } from './faulty-maps.ts'
import { lookup } from './lookup.ts'
import { type Expected, expectedFrontends, isWithin, namedMemberships, servingMemberships } from './oracle.ts'
import { TestClock } from './test-clock.ts'

export interface WorldOptions {
  readonly sizes: FakeSizes
  readonly limits: { readonly maxBackendId: number; readonly maxServicePortId: number }
  /** Part of operations that fail. */
  readonly faults: number
  readonly seed: number
  /** Default: in memory. Owned by the world from then on. */
  readonly datapath?: Datapath
}

/** Sources of connections: in some range, in another, in none. */
const SOURCES = ['10.1.0.1', '10.2.0.1', '192.0.2.1', '192.168.1.1', 'fd01::1', 'fd02::1', '2001:db8::1']
/** Cookies of the clients' network namespaces. */
const CLIENTS = [1n, 2n, 3n, 1n << 40n]

interface Running {
  readonly maps: DatapathMaps
  readonly place: FrontendPlace
  readonly base: number
  readonly slots: readonly Slot[]
}

/** A kernel, its clients and agents that come and go, checked against an oracle. */
export class World {
  readonly #options: WorldOptions
  readonly clock = new TestClock(() => this.counts.operations)
  readonly kernel = new FakeKernel()
  readonly clients = new Clients(this.kernel)
  #datapath: Datapath
  /** That of an agent whose first sync is not written yet. */
  #next: Datapath | undefined
  #reconciler: Reconciler
  /** Ends the present agent's access to the maps. */
  #crash: () => void = () => {}
  /** Puts the present agent's programs in place when its first sync is written. */
  #attach: (() => Promise<void>) | undefined
  readonly #recorded = new Map<string, ServiceView>()
  #recordedNode: NodeView | undefined
  #syncedNode: NodeView | undefined
  #expectation: ReadonlyMap<string, Expected> = new Map()
  /** Contents that each service port's lists may have had: from all that was ever synced. */
  readonly #contents = new Map<string, Set<string>>()
  #random: () => number
  /** Until the next repair, what is in the maps is nobody's fault. */
  #corrupted = false
  /** The first check in the middle of an operation that failed: thrown by `settle`, not into what is tested. */
  #failure: Error | undefined
  /** Programs that run: they have loaded a list's word and may still read its slots. */
  #running: Running[] = []
  readonly counts = { operations: 0, faults: 0, syncs: 0, settled: 0, restarts: 0, running: 0, returned: 0 }

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = pseudoRandom(options.seed)
    this.#datapath = options.datapath ?? new FakeDatapath(options.sizes)
    this.kernel.began = () => {
      const before = new Set(this.#running)
      return () => {
        this.#running = this.#running.filter(program => !before.has(program))
      }
    }
    this.kernel.fault = () => this.#random() < options.faults
    this.#reconciler = this.#start(undefined, undefined)
  }

  get #maps(): DatapathMaps {
    return this.#datapath.maps
  }

  /** As programs have the time: whoever remembers it must compare the same, or they differ at the end of a timeout. */
  get #nowNs(): bigint {
    return BigInt(Math.round(this.clock.nowMs() * 1e6))
  }

  /** `next`: new maps, which the programs look at once the first sync is in them. */
  #start(adopted: Adopted | undefined, next: Datapath | undefined): Reconciler {
    let alive = true
    this.#crash = () => {
      alive = false
    }
    const fault = (operation: MapOperation): number | undefined => {
      if (!alive) return 0
      this.counts.operations++
      if (!this.#corrupted) this.#failure ??= failureOf(() => this.#checkNow())
      if (operation.kind === 'lookup' || this.#random() >= this.#options.faults) return undefined
      this.counts.faults++
      return Math.floor(this.#random() * (operation.entries + 1)) % Math.max(1, operation.entries)
    }
    const { promise: inPlace, resolve: swap } = Promise.withResolvers<void>()
    const { kernel } = this
    const reconciler = new Reconciler({
      maps: faultyMaps((next ?? this.#datapath).maps, fault),
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
    this.#next?.[Symbol.dispose]()
    this.#next = next
    this.#attach = async () => {
      await reconciler.written()
      if (!alive) return
      if (next !== undefined) {
        // Programs of the old maps have ended when the links are swapped.
        this.#running = []
        this.#datapath[Symbol.dispose]()
        this.#datapath = next
        this.#next = undefined
      }
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
    this.counts.syncs++
    const services = [...this.#recorded.values()]
    this.#syncedNode = this.#recordedNode
    this.#expectation = expectedFrontends(services, this.#recordedNode)
    for (const { servicePort, backends, reason } of this.#expectation.values()) {
      const contents = this.#contents.get(servicePort) ?? new Set()
      contents.add(backends.length === 0 ? reason : backends.join())
      this.#contents.set(servicePort, contents)
    }
    this.clients.synced({ serving: servingMemberships(services), named: namedMemberships(services) })
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
    await this.untilNothingFails('stale sockets')
    if (this.#failure !== undefined) throw this.#failure
  }

  /** What belongs to no Service, or only this: a sync does not wait for all of it, and it goes on until it succeeds. */
  async untilNothingFails(what?: string): Promise<void> {
    const endMs = this.clock.nowMs() + 600_000
    for (;;) {
      const failing = this.status().problems.filter(({ where }) => where === 'reconciler')
      const [problem] = failing.filter(({ field }) => what === undefined || field === what)
      if (problem === undefined) return
      assert(this.clock.nowMs() < endMs, `${problem.field} is not tried again: ${problem.message}`)
      await this.clock.pass(1_000)
    }
  }

  releaseIds(): void {
    this.#reconciler.releaseIds()
  }

  /**
   * Somebody else writes into the maps. Without clients, for an agent that adopts a backend with another port
   * rightly believes that the old one has gone.
   */
  corrupt(): void {
    this.clients.forget()
    this.#corrupted = true
    corrupt(this.#maps, this.#random)
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
    this.counts.restarts++
    this.#crash()
    this.#reconciler.close()
    await this.turns(4)
    const adopted = await adopt(this.#maps, this.kernel.records)
    this.#running = []
    this.clients.restarted(this.#membershipsInForce())
    const before = dumpMaps(this.#maps)
    const next = how.newMaps ? this.#datapath.renew() : undefined
    this.#reconciler = this.#start(how.newMaps ? idsOnly(adopted) : adopted, next)
    if (this.#recordedNode !== undefined) this.#reconciler.setNode(this.#recordedNode)
    for (const view of this.#recorded.values()) this.#reconciler.setService(view)
    await this.turns(3)
    assert.deepEqual(dumpMaps(this.#maps), before, 'something was written before the first sync')
    this.sync()
  }

  /** A client connects to a frontend, as the programs let it. */
  connect(): void {
    if (this.#corrupted) return
    const choice = this.#pick([...this.#expectation.values()])
    const place = choice && this.#placeToAsk(choice.place)
    const client = this.#pick(CLIENTS) ?? 0n
    if (choice === undefined || place === undefined) return
    const source = SOURCES.find(one => mayAsk(one, choice))
    if (source === undefined) return
    const nowNs = this.#nowNs
    const before = lookup(this.#maps, place, source)
    const met = this.#datapath.connect(place, { client, source, nowNs, random: this.#randomWord() })
    if (met.verdict !== 'TRANSLATED' || before.verdict !== 'backends') return
    const servicePort = this.#nameOf(met.servicePort)
    if (servicePort === undefined) return
    const unconnected = this.#random() < 0.25
    this.clients.add({ place, client, met, servicePort, affinityS: before.affinityS, nowNs, unconnected })
  }

  /** One of the clients closes its socket. */
  disconnect(): void {
    this.clients.disconnect(this.#random())
  }

  dump(): string[] {
    return dumpMaps(this.#maps)
  }

  status() {
    return this.#reconciler.status()
  }

  close(): void {
    this.#reconciler.close()
    this.#next?.[Symbol.dispose]()
    this.#datapath[Symbol.dispose]()
  }

  /** After settle: each frontend answers as the oracle says, unless its Service is reported as not fitting. */
  checkSettled(): void {
    if (this.#corrupted) return
    this.counts.settled++
    const unfit = this.#unfitServices()
    const expected = this.#expectation
    for (const one of expected.values()) if (!unfit.has(one.service)) this.#checkFrontend(one)
    const places = new Set([...expected.values()].map(one => keyOfPlace(one.place)))
    for (const line of this.dump()) {
      const [map, where = ''] = line.split(' ')
      if (map === 'source4' || map === 'source6') assert(!/ service \?/.test(line), `of nobody: ${line}`)
      if (map === 'svc4' || map === 'svc6') assert(places.has(where), `a frontend that nobody wants: ${line}`)
    }
    this.clients.check()
  }

  #checkFrontend(expected: Expected): void {
    const { place, servicePort, affinityS, backends, reason, sources } = expected
    const at = keyOfPlace(place)
    for (const source of SOURCES) {
      if (!isOfFamily(source, place)) continue
      const { verdict } = lookup(this.#maps, place, source)
      const allowed = sources === undefined || isWithin(source, sources)
      assert.equal(verdict !== 'SOURCE_BLOCKED', allowed, `${at} answers ${verdict} to ${source}`)
    }
    const answer = lookup(this.#maps, place)
    if (backends.length === 0) {
      assert.equal(answer.verdict, reason, at)
      this.#checkPrograms(expected, [])
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
    this.#checkPrograms(expected, answer.slots)
    if (affinityS > 0) this.#checkAffinity(expected, answer.servicePort)
  }

  /** What connections meet: each backend in its part of all random numbers, or the reason why none does. */
  #checkPrograms(expected: Expected, slots: readonly Slot[]): void {
    const place = this.#placeToAsk(expected.place)
    if (place === undefined) return
    const at = keyOfPlace(place)
    const asker = { client: 0n, nowNs: this.#nowNs, random: 1 }
    for (const source of SOURCES) {
      if (!isOfFamily(source, place)) continue
      const allowed = mayAsk(source, expected)
      if (allowed && expected.affinityS > 0 && slots.length > 0) continue
      const { verdict } = this.#datapath.connect(place, { ...asker, source })
      const right = allowed ? (slots.length > 0 ? 'TRANSLATED' : expected.reason) : 'SOURCE_BLOCKED'
      assert.equal(verdict, right, `${at}, asked by ${source}`)
      if (!allowed || slots.length === 0) continue
      const picked = slots.map((_, part): string => {
        const random = Math.ceil((part * 2 ** 32) / slots.length) + 1
        return textOf(this.#datapath.connect(place, { ...asker, source, random }))
      })
      assert.deepEqual(picked, slots.map(textOf), `${at}: what the programs pick`)
    }
  }

  /** A client that is known gets the backend again that it had. */
  #checkAffinity(expected: Expected, servicePort: number): void {
    const place = this.#placeToAsk(expected.place)
    const source = SOURCES.find(one => mayAsk(one, expected))
    if (place === undefined || source === undefined) return
    const nowNs = this.#nowNs
    for (const client of CLIENTS) {
      const now = { ns: nowNs, timeoutS: expected.affinityS }
      const membership = this.clients.affinityOf(client, servicePort, place, now)
      const had = expected.backends.find(backend => membership === `${expected.servicePort} ${backend}`)
      if (had === undefined) continue
      const met = this.#datapath.connect(place, { client, source, nowNs, random: this.#randomWord() })
      assert.equal(textOf(met), had, `${keyOfPlace(place)}: client ${client} does not return to its backend`)
      this.clients.used(client, servicePort, place, nowNs)
      this.counts.returned++
    }
  }

  /** At any moment: lists are whole, and ids mean what sockets and clients remember. */
  #checkNow(): void {
    const maps = this.#maps
    this.#checkRunning(maps)
    const held = this.clients.held(maps)
    for (const [id, name] of held.servicePorts) {
      const now = this.#nameOf(id)
      assert(now === undefined || now === name, `service port ${id} means ${now}, and to a client ${name}`)
    }
    for (const { place } of this.#expectation.values()) {
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
      for (const { id, address, port } of answer.slots) {
        const holder = held.backends.get(id)
        const membership = `${owner} ${address} ${port}`
        if (holder !== undefined) assert.equal(membership, holder, `id ${id} means two memberships`)
      }
    }
  }

  /** What a running program may still read stays as it is until it has ended. */
  #checkRunning(maps: DatapathMaps): void {
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
    const place = this.#pick([...this.#expectation.values()])?.place
    const answer = place && lookup(maps, place)
    if (place === undefined || answer?.verdict !== 'backends') return
    this.counts.running++
    this.#running.push({ maps, place, base: answer.base, slots: answer.slots })
  }

  /** `servicePort address port` of all that a frontend leads to. */
  #membershipsInForce(): Set<string> {
    const memberships = new Set<string>()
    if (this.#corrupted) return memberships
    for (const { place } of this.#expectation.values()) {
      const answer = lookup(this.#maps, place)
      if (answer.verdict !== 'backends') continue
      for (const slot of answer.slots)
        memberships.add(`${this.#nameOf(answer.servicePort)} ${slot.address} ${slot.port}`)
    }
    return memberships
  }

  /**
   * The place as a connection asks for it: NodePorts at the node's address, if there was room for that and it is not
   * a Service's as well.
   */
  #placeToAsk(place: FrontendPlace): FrontendPlace | undefined {
    if (place.address !== '') return place
    const address = this.#syncedNode?.addresses.find(one => isOfFamily(one, place))
    if (address === undefined || this.#isUnfit(address)) return undefined
    const asked = { ...place, address }
    const taken = [...this.#expectation.values()].some(one => keyOfPlace(one.place) === keyOfPlace(asked))
    return taken ? undefined : asked
  }

  /** Reported as not fitting; where there is little room, also as failing when it was tried once more. */
  #unfitServices(): Set<string> {
    const reported = this.#tight ? /fit|taken|free|made to fail/ : /fit|taken|free/
    return new Set(
      this.status().problems.flatMap(({ where, message }) => (reported.test(message) ? [where] : [])),
    )
  }

  #isUnfit(address: string): boolean {
    return this.status().problems.some(({ message }) => message.startsWith(`${address} does not fit`))
  }

  get #tight(): boolean {
    return this.#options.sizes.slots < 64
  }

  #nameOf(servicePort: number): string | undefined {
    const name = this.#maps.service.lookup(servicePort)
    return name && `${name.namespace}/${name.name}:${name.port}/${name.proto === 17 ? 'UDP' : 'TCP'}`
  }

  #pick<T>(all: readonly T[]): T | undefined {
    return all[Math.floor(this.#random() * all.length)]
  }

  #randomWord(): Asker['random'] {
    return 1 + Math.floor(this.#random() * (2 ** 32 - 1))
  }
}

const isOfFamily = (address: string, { family }: FrontendPlace): boolean =>
  address.includes('.') === (family === 'IPv4')

const mayAsk = (source: string, { place, sources }: Expected): boolean =>
  isOfFamily(source, place) && (sources === undefined || isWithin(source, sources))

const textOf = (
  met: { readonly address: string; readonly port: number } | { readonly verdict: string },
): string => ('address' in met ? `${met.address} ${met.port}` : met.verdict)

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
