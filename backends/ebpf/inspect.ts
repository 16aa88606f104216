import { type Family, formatAddressPort, formatIP, formatIPv4, KpngError, type Protocol } from '@kpng/api'
import {
  type BpfMap,
  type KeyedMap,
  kernelBtf,
  keyedMap,
  type MemoryMap,
  memoryMap,
  perCpuMap,
} from '@kpng/ebpf'
import { byName } from './attach/by-name.ts'
import { currentGeneration, type Generation, openPin } from './attach/generation.ts'
import type { CountMap, DerivedMap } from './attach/map-set.ts'
import { countPath, livingPath } from './attach/pin-paths.ts'
import { derivedMapsOf } from './attach/typed-maps.ts'
import { versionsIn } from './attach/versions.ts'
import {
  type BackendCount,
  backendCount,
  maps,
  NetnsFlag,
  type NetnsValue,
  type ServiceCount,
  type ServiceName,
  SvcFlag,
  type SvcValue,
  serviceCount,
  Version,
} from './bindings.gen.ts'
import { frontendKey } from './plan/service-plan.ts'
import { type DumpedMaps, dumpMaps } from './reconcile/dump.ts'
import {
  keyOfPlace,
  placeOf4,
  placeOf6,
  rangeOf4,
  rangeOf6,
  type Slot,
  slotOf4,
  slotOf6,
  transportOf,
} from './reconcile/rows.ts'

export interface BackendCounts {
  readonly connections: number
  readonly datagrams: number
  readonly open: number
  readonly failures: number
}

export interface ServiceCounts {
  readonly connections: number
  readonly datagrams: number
  readonly refused: number
  readonly unreachable: number
}

/**
 * An instance's pinned maps, opened to be read: works with the agent alive or dead, and changes nothing. Numbers
 * are of the moment at which they are asked for.
 */
export class DatapathInspection implements Disposable {
  readonly #resources: DisposableStack
  readonly #maps: DumpedMaps
  /** undefined: pinned by a version that had none. */
  readonly #netns: KeyedMap<bigint, NetnsValue> | undefined
  readonly #backendCount: MemoryMap<BackendCount>
  readonly #serviceCount: KeyedMap<number, ServiceCount[]>

  /** Takes over the resources, also when it throws. */
  private constructor(instance: string, generation: Generation, resources: DisposableStack) {
    const derived = (name: DerivedMap): BpfMap => found(generation.maps.get(name), name)
    const count = (name: CountMap): BpfMap => found(openPin(resources, countPath(instance), name), name)
    const netns = openPin(resources, livingPath(instance), 'netns')
    this.#netns = netns && keyedMap(netns, maps.netns.key, maps.netns.value)
    this.#resources = resources
    checkLayoutVersion(instance, derived('svc4'))
    this.#maps = derivedMapsOf(derived, byName())
    this.#backendCount = memoryMap(count('backend_count'), backendCount)
    this.#serviceCount = perCpuMap(count('service_count'), maps.serviceCount.key, serviceCount)
  }

  /** undefined where nothing of the instance is in the kernel. */
  static open(instance: string): DatapathInspection | undefined {
    const resources = new DisposableStack()
    try {
      const generation = currentGeneration(instance, resources)
      if (generation !== undefined) return new DatapathInspection(instance, generation, resources)
    } catch (reason) {
      resources.dispose()
      throw reason
    }
    resources.dispose()
    return undefined
  }

  /** One line an entry, sorted within a map. */
  dump(): string[] {
    return [...dumpMaps(this.#maps), ...this.#namespaceLines()]
  }

  /** `netns 4026532008 -> source 10.180.0.1 fd00:180::1`, by inode number. */
  #namespaceLines(): string[] {
    return [...(this.#netns?.entries() ?? [])]
      .map(([, value]) => value)
      .sort((a, b) => a.inode - b.inode)
      .map(({ inode, flags, source4, source6 }) => {
        const sources = [
          ...(flags & NetnsFlag.SOURCE4 ? [formatIPv4(source4)] : []),
          ...(flags & NetnsFlag.SOURCE6 ? [formatIP(source6)] : []),
        ]
        return `netns ${inode} -> source ${sources.join(' ') || 'none'}`
      })
  }

  /** Backends in force for a frontend, `10.0.0.1:80`, sorted; undefined where there is no such frontend. */
  backendsOf(family: Family, address: string, port: number, protocol: Protocol): string[] | undefined {
    if (protocol === 'SCTP') return undefined
    const wanted = frontendKey(family, address, port, protocol)
    for (const frontend of this.#frontends())
      if (frontend.key === wanted) return this.#slots(family, frontend.list).map(addressOf).sort()
    return undefined
  }

  /** CIDRs of those who may connect to a frontend, sorted; undefined: everybody, or there is no such frontend. */
  sourceRangesOf(family: Family, address: string, port: number, protocol: Protocol): string[] | undefined {
    if (protocol === 'SCTP') return undefined
    const wanted = frontendKey(family, address, port, protocol)
    const frontend = this.#frontends().find(({ key }) => key === wanted)
    if (frontend === undefined || !frontend.checksSource) return undefined
    const { source4, source6 } = this.#maps
    const rows =
      family === 'IPv4'
        ? [...source4.entries()].map(([key]) => ({ id: key.servicePort, range: rangeOf4(key) }))
        : [...source6.entries()].map(([key]) => ({ id: key.servicePort, range: rangeOf6(key) }))
    return rows
      .filter(({ id }) => id === frontend.servicePort)
      .map(({ range }) => range)
      .sort()
  }

  /** By `namespace/name:port/PROTOCOL`, without the colon where the port has no name. */
  serviceCounts(): Map<string, ServiceCounts> {
    const counts = new Map<string, ServiceCounts>()
    for (const [id, name] of this.#maps.service.entries()) {
      const sum = (field: keyof ServiceCount): number =>
        (this.#serviceCount.lookup(id) ?? []).reduce((total, one) => total + Number(one[field]), 0)
      counts.set(nameOf(name), {
        connections: sum('connections'),
        datagrams: sum('datagrams'),
        refused: sum('refused'),
        unreachable: sum('unreachable'),
      })
    }
    return counts
  }

  /** By service port as above, a space and the backend's address and port. */
  backendCounts(): Map<string, BackendCounts> {
    const names = new Map(this.#maps.service.entries())
    const counts = new Map<string, BackendCounts>()
    for (const { family, list, servicePort } of this.#frontends()) {
      const name = names.get(servicePort)
      if (name === undefined) continue
      for (const slot of this.#slots(family, list)) {
        const count = this.#backendCount.read(slot.id)
        counts.set(`${nameOf(name)} ${addressOf(slot)}`, {
          connections: Number(count.connections),
          datagrams: Number(count.datagrams),
          // Sockets that were open before the counters began anew end below zero.
          open: Math.max(0, Number(BigInt.asIntN(64, count.open))),
          failures: Number(count.failures),
        })
      }
    }
    return counts
  }

  *#frontends(): Generator<{
    key: string
    family: Family
    list: number
    servicePort: number
    checksSource: boolean
  }> {
    for (const [key, value] of this.#maps.svc4.entries()) {
      const place = placeOf4(key)
      if (place !== undefined) yield { key: keyOfPlace(place), family: 'IPv4', ...leadOf(value) }
    }
    for (const [key, value] of this.#maps.svc6.entries()) {
      const place = placeOf6(key)
      if (place !== undefined) yield { key: keyOfPlace(place), family: 'IPv6', ...leadOf(value) }
    }
  }

  #slots(family: Family, list: number): Slot[] {
    const { base, count } = this.#maps.list.read(list)
    const at = (index: number): Slot =>
      family === 'IPv4' ? slotOf4(this.#maps.backend4.read(index)) : slotOf6(this.#maps.backend6.read(index))
    return Array.from({ length: count }, (_, index) => at(base + index))
  }

  [Symbol.dispose](): void {
    this.#resources[Symbol.dispose]()
  }
}

const leadOf = ({ list, servicePort, flags }: SvcValue) => ({
  list,
  servicePort,
  checksSource: (flags & SvcFlag.SOURCE_RANGES) !== 0,
})

/** Another version of kpng may have pinned maps whose fields mean something else. */
function checkLayoutVersion(instance: string, { info }: BpfMap): void {
  const layout = info.btfId === 0 ? undefined : versionsIn(kernelBtf(info.btfId))?.layout
  if (layout === Version.LAYOUT_VERSION) return
  throw new KpngError(
    'conflict',
    `the maps of instance ${instance} have layout version ${layout ?? 'unknown'}, this kpng reads ${Version.LAYOUT_VERSION}: use the kpng of its agent`,
  )
}

function found(map: BpfMap | undefined, name: string): BpfMap {
  if (map === undefined) throw new KpngError('not-found', `map ${name} is not pinned`)
  return map
}

const nameOf = (name: ServiceName): string =>
  `${name.namespace}/${name.name}${name.port === '' ? '' : `:${name.port}`}/${transportOf(name.proto) ?? name.proto}`

const addressOf = (slot: Slot): string => formatAddressPort(slot.address, slot.port)
