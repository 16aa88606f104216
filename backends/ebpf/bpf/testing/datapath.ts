import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  attachCgroup,
  attachIter,
  type ConstantValue,
  type KeyedMap,
  keyedMap,
  type Link,
  type LoadedObject,
  loadObject,
  type MemoryMap,
  memoryMap,
  perCpuMap,
  readIter,
} from '@kpng/ebpf'
import { bindHooks, hooks } from '../../attach/hooks.ts'
import * as gen from '../../bindings.gen.ts'
import { ipv4, isIpv6, mapped, split } from './address.ts'

const build = join(import.meta.dirname, '../build')
const TCP = 6
const UDP = 17

export const protocols = { tcp: TCP, udp: UDP } as const
type Protocol = keyof typeof protocols

export interface ServiceOptions {
  /** "10.96.0.1#80"; address "*" is the NodePort wildcard of the family of the backends. */
  readonly vips: readonly string[]
  /** tcp and udp by default, as two frontends of one service port: enough for what is tested here. */
  readonly protocols?: readonly Protocol[]
  readonly backends: readonly string[]
  readonly affinityTimeoutS?: number
  /** Why an empty list is empty. */
  readonly emptyReason?: gen.Reason
  readonly ipv6?: boolean
  /** "10.0.0.0/8": only from these. Undefined: from everywhere; empty: from nowhere. */
  readonly sourceRanges?: readonly string[]
}

export interface DatapathOptions {
  /** Attached there; without it only loaded. */
  readonly cgroup?: string
  readonly constants?: Readonly<Record<string, ConstantValue>>
  readonly maxEntries?: Readonly<Record<string, number>>
  readonly protectNodePorts?: boolean
}

const unsigned = (value: bigint | number): number => Number(value)

/** The compiled programs with maps that tests fill by hand, as the agent would: new range, then flip. */
export class TestDatapath implements Disposable {
  readonly #resources = new DisposableStack()
  readonly sock: LoadedObject
  readonly svc4: KeyedMap<gen.Svc4Key, gen.SvcValue>
  readonly svc6: KeyedMap<gen.Svc6Key, gen.SvcValue>
  readonly addr4: KeyedMap<number, gen.AddrValue>
  readonly addr6: KeyedMap<Uint8Array, gen.AddrValue>
  readonly cfg: KeyedMap<number, gen.Cfg>
  readonly source4: KeyedMap<gen.Source4Key, number>
  readonly source6: KeyedMap<gen.Source6Key, number>
  readonly netns: KeyedMap<bigint, gen.NetnsValue>
  readonly netnsMissing: KeyedMap<bigint, gen.NetnsMissing>
  readonly affinity: KeyedMap<gen.AffinityKey, gen.AffinityValue>
  readonly dead: KeyedMap<gen.DeadKey, number>
  readonly outside: MemoryMap<bigint>
  readonly list: MemoryMap<gen.ListEntry>
  readonly backend4: MemoryMap<gen.Backend4>
  readonly backend6: MemoryMap<gen.Backend6>
  readonly backendCount: MemoryMap<gen.BackendCount>
  readonly #serviceCount: KeyedMap<number, gen.ServiceCount[]>
  readonly #reasonCount: KeyedMap<number, bigint[]>
  readonly #links = new Map<string, Link>()
  #iterators: LoadedObject | undefined
  #nextSlot = 1
  #nextList = 1
  #nextServicePort = 1
  #nextBackend = 1

  constructor(options: DatapathOptions = {}) {
    if (!existsSync(join(build, 'sock.bpf.o'))) throw new Error(`nothing in ${build}: run make bytecode`)
    using undo = new DisposableStack()
    undo.use(this.#resources)
    this.sock = this.#resources.use(
      loadObject(join(build, 'sock.bpf.o'), {
        maxEntries: { backend4: 16384, backend6: 16384, backend_count: 16384, ...options.maxEntries },
        constants: options.constants ?? {},
      }),
    )
    const { maps } = gen
    this.svc4 = keyedMap(this.sock.map('svc4'), maps.svc4.key, maps.svc4.value)
    this.svc6 = keyedMap(this.sock.map('svc6'), maps.svc6.key, maps.svc6.value)
    this.addr4 = keyedMap(this.sock.map('addr4'), maps.addr4.key, maps.addr4.value)
    this.addr6 = keyedMap(this.sock.map('addr6'), maps.addr6.key, maps.addr6.value)
    this.source4 = keyedMap(this.sock.map('source4'), maps.source4.key, maps.source4.value)
    this.source6 = keyedMap(this.sock.map('source6'), maps.source6.key, maps.source6.value)
    this.netns = keyedMap(this.sock.map('netns'), maps.netns.key, maps.netns.value)
    this.netnsMissing = keyedMap(
      this.sock.map('netns_missing'),
      maps.netnsMissing.key,
      maps.netnsMissing.value,
    )
    this.cfg = keyedMap(this.sock.map('cfg'), maps.cfg.key, maps.cfg.value)
    this.affinity = keyedMap(this.sock.map('affinity'), maps.affinity.key, maps.affinity.value)
    this.dead = keyedMap(this.sock.map('dead'), maps.dead.key, maps.dead.value)
    this.outside = memoryMap(this.sock.map('outside'), maps.outside.value)
    this.list = memoryMap(this.sock.map('list'), maps.list.value)
    this.backend4 = memoryMap(this.sock.map('backend4'), maps.backend4.value)
    this.backend6 = memoryMap(this.sock.map('backend6'), maps.backend6.value)
    this.backendCount = memoryMap(this.sock.map('backend_count'), maps.backendCount.value)
    this.#serviceCount = perCpuMap(
      this.sock.map('service_count'),
      maps.serviceCount.key,
      maps.serviceCount.value,
    )
    this.#reasonCount = perCpuMap(this.sock.map('reason_count'), maps.reasonCount.key, maps.reasonCount.value)
    if (options.cgroup !== undefined) this.attach(options.cgroup, options.protectNodePorts)
    undo.move()
  }

  attach(cgroup: string, protectNodePorts = false): void {
    for (const { name, attachType } of protectNodePorts ? [...hooks, ...bindHooks] : hooks)
      this.#links.set(
        name,
        this.#resources.use(attachCgroup({ program: this.sock.program(name), cgroup, attachType })),
      )
  }

  /** Puts the programs of another object directory in the place of those that are attached, on the same maps. */
  replacePrograms(directory = build): void {
    using other = this.#loadBeside('sock.bpf.o', directory)
    for (const [name, link] of this.#links) link.update(other.program(name))
  }

  /** The program select_test on the same maps. */
  loadSelectTest(): LoadedObject {
    return this.#resources.use(this.#loadBeside('select_test.bpf.o'))
  }

  #loadBeside(file: string, directory = build): LoadedObject {
    const shared = [...this.sock.maps].filter(([name]) => !name.startsWith('.'))
    return loadObject(join(directory, file), { reuse: Object.fromEntries(shared) })
  }

  service(options: ServiceOptions): TestService {
    const ipv6 = options.ipv6 ?? options.backends.some(isIpv6)
    const list = this.#nextList++
    const service = new TestService(this, list, this.#nextServicePort++, ipv6, options)
    service.setBackends(options.backends, options.emptyReason)
    for (const range of options.sourceRanges ?? []) this.allow(service, range)
    for (const vip of options.vips) service.addFrontend(vip)
    return service
  }

  /** Slots and ids are never given back: no test uses that many. */
  takeSlots(count: number): number {
    const first = this.#nextSlot
    this.#nextSlot += count
    return first
  }

  takeBackendId(): number {
    return this.#nextBackend++
  }

  setAddress(address: string, flags: number): void {
    if (isIpv6(address)) this.addr6.update(mapped(address), { flags })
    else this.addr4.update(ipv4(address), { flags })
  }

  /** As the agent does before each frontend; says nothing of other ports. */
  makeKnown(address: string): void {
    const known = isIpv6(address) ? this.addr6.lookup(mapped(address)) : this.addr4.lookup(ipv4(address))
    if (known === undefined) this.setAddress(address, gen.AddrFlag.EXTERNAL)
  }

  #sourceKey(service: TestService, range: string) {
    const [address = '', bits = ''] = range.split('/')
    const key = { prefixLength: 32 + Number(bits), servicePort: service.servicePort }
    return { key, address }
  }

  /** Opens the service's frontends that have source ranges to one more range. */
  allow(service: TestService, range: string): void {
    const { key, address } = this.#sourceKey(service, range)
    if (isIpv6(address)) this.source6.update({ ...key, addr: mapped(address) }, 1)
    else this.source4.update({ ...key, addr: ipv4(address) }, 1)
  }

  forbid(service: TestService, range: string): void {
    const { key, address } = this.#sourceKey(service, range)
    if (isIpv6(address)) this.source6.delete({ ...key, addr: mapped(address) })
    else this.source4.delete({ ...key, addr: ipv4(address) })
  }

  /** What the agent finds out about a namespace; '' = it has no address of the family. */
  setSources(cookie: bigint, source4: string, source6: string): void {
    this.netns.update(cookie, {
      version: gen.Version.RECORD_VERSION,
      flags: (source4 === '' ? 0 : gen.NetnsFlag.SOURCE4) | (source6 === '' ? 0 : gen.NetnsFlag.SOURCE6),
      inode: 0,
      source4: source4 === '' ? 0 : ipv4(source4),
      source6: source6 === '' ? new Uint8Array(16) : mapped(source6),
    })
  }

  counts(service: TestService): Record<'connections' | 'datagrams' | 'refused' | 'unreachable', number> {
    const perCpu = this.#serviceCount.lookup(service.servicePort) ?? []
    const sum = (field: keyof gen.ServiceCount): number =>
      perCpu.reduce((total, one) => total + unsigned(one[field]), 0)
    return {
      connections: sum('connections'),
      datagrams: sum('datagrams'),
      refused: sum('refused'),
      unreachable: sum('unreachable'),
    }
  }

  reasonCount(reason: gen.Reason): number {
    return (this.#reasonCount.lookup(reason) ?? []).reduce((total, one) => total + unsigned(one), 0)
  }

  /** Rows of an iterator over the socket records. */
  staleUdp(): gen.StaleSocket[] {
    return this.#iterate('stale_udp', 'sk_udp', gen.staleSocket)
  }

  records(kind: 'tcp' | 'udp'): gen.RecordRow[] {
    return this.#iterate(`records_${kind}`, `sk_${kind}`, gen.recordRow)
  }

  #iterate<T>(program: string, map: string, row: Parameters<typeof readIter<T>>[1]): T[] {
    this.#iterators ??= this.#resources.use(this.#loadBeside('sock_iter.bpf.o'))
    using link = attachIter({ program: this.#iterators.program(program), map: this.sock.map(map) })
    return [...readIter(link, row)]
  }

  [Symbol.dispose](): void {
    this.#resources.dispose()
  }
}

/** One service port with one list. */
export class TestService {
  readonly #datapath: TestDatapath
  readonly #options: ServiceOptions
  readonly list: number
  readonly servicePort: number
  readonly ipv6: boolean
  readonly #ids = new Map<string, number>()
  readonly #generations = new Map<string, number>()
  /** First slot of the range last written. */
  base = 0

  constructor(
    datapath: TestDatapath,
    list: number,
    servicePort: number,
    ipv6: boolean,
    options: ServiceOptions,
  ) {
    this.#datapath = datapath
    this.#options = options
    this.list = list
    this.servicePort = servicePort
    this.ipv6 = ipv6
  }

  /** Gives the id of one backend to another, with a new generation, as for a membership that is long gone. */
  giveId(from: string, to: string): void {
    this.#ids.set(to, this.idOf(from))
    this.#generations.set(to, (this.#generations.get(from) ?? 0) + 1)
    this.#ids.delete(from)
  }

  idOf(backend: string): number {
    let id = this.#ids.get(backend)
    if (id === undefined) {
      id = this.#datapath.takeBackendId()
      this.#ids.set(backend, id)
    }
    return id
  }

  count(backend: string): { connections: number; datagrams: number; open: number } {
    const { connections, datagrams, open } = this.#datapath.backendCount.read(this.idOf(backend))
    return { connections: unsigned(connections), datagrams: unsigned(datagrams), open: unsigned(open) }
  }

  /** A new range (or that at `base`), not yet in force; gives the word that flips the list to it. */
  writeBackends(
    backends: readonly string[],
    emptyReason: gen.Reason = gen.Reason.NO_ENDPOINTS,
    base = this.#datapath.takeSlots(backends.length),
  ): bigint {
    if (backends.length === 0) return BigInt(emptyReason)
    this.base = base
    const slots = backends
      .map(name => ({
        ...split(name),
        id: this.idOf(name),
        generation: this.#generations.get(name) ?? 0,
      }))
      .sort((a, b) => a.id - b.id)
      .map(({ address, port, id, generation }) => ({
        address,
        rest: { port, weight: 0, id, list: this.list, generation, flags: 0 },
      }))
    if (this.ipv6)
      this.#datapath.backend6.write(
        base,
        slots.map(({ address, rest }) => ({ addr: mapped(address), ...rest })),
      )
    else
      this.#datapath.backend4.write(
        base,
        slots.map(({ address, rest }) => ({ addr: ipv4(address), ...rest })),
      )
    return BigInt(base) | (BigInt(backends.length) << 32n)
  }

  flip(word: bigint): void {
    this.#datapath.list.store64(this.list, word)
  }

  setBackends(backends: readonly string[], emptyReason?: gen.Reason): void {
    this.flip(this.writeBackends(backends, emptyReason))
  }

  #frontends(vip: string): Array<{ port: number; proto: number; address: string }> {
    const { address, port } = split(vip)
    return (this.#options.protocols ?? ['tcp', 'udp']).map(protocol => ({
      address: address === '*' ? (this.ipv6 ? '::' : '0.0.0.0') : address,
      port,
      proto: protocols[protocol],
    }))
  }

  addFrontend(vip: string): void {
    const value: gen.SvcValue = {
      list: this.list,
      servicePort: this.servicePort,
      affinityTimeoutS: this.#options.affinityTimeoutS ?? 0,
      flags: this.#options.sourceRanges === undefined ? 0 : gen.SvcFlag.SOURCE_RANGES,
      algorithm: 0,
      maglev: 0,
    }
    const { address } = split(vip)
    if (address !== '*') this.#datapath.makeKnown(address)
    for (const { address, port, proto } of this.#frontends(vip)) {
      if (this.ipv6) this.#datapath.svc6.update({ addr: mapped(address), port, proto, scope: 0 }, value)
      else this.#datapath.svc4.update({ addr: ipv4(address), port, proto, scope: 0 }, value)
    }
  }

  deleteFrontend(vip: string): void {
    for (const { address, port, proto } of this.#frontends(vip)) {
      if (this.ipv6) this.#datapath.svc6.delete({ addr: mapped(address), port, proto, scope: 0 })
      else this.#datapath.svc4.delete({ addr: ipv4(address), port, proto, scope: 0 })
    }
  }
}
