import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import {
  type BpfMap,
  Btf,
  checkLayout,
  EbpfError,
  kernelBtf,
  layoutDifference,
  type MapDefinition,
  mapDefinitions,
} from '@kpng/ebpf'
import { maps, Reason } from '../bindings.gen.ts'
import { type Versions, versionsIn } from './versions.ts'

/** Rebuilt from the Services at any time: a new generation when the layout or a size changes. */
export const derivedMaps = [
  'svc4',
  'svc6',
  'list',
  'backend4',
  'backend6',
  'addr4',
  'addr6',
  'source4',
  'source6',
  'cfg',
  'outside',
  'service',
] as const
/** Those that older versions did not have. */
export const laterMaps: ReadonlySet<DerivedMap> = new Set(['source4', 'source6', 'outside'])
/** They belong to sockets, clients and namespaces and outlive generations. */
export const livingMaps = ['sk_tcp', 'sk_udp', 'rsk', 'affinity', 'netns'] as const
/** Start again at zero when their layout changes. */
export const countMaps = ['backend_count', 'service_count', 'reason_count', 'netns_missing', 'event'] as const
/** Those of them whose counts go along to a map of another size. */
export const carriedCounts = ['backend_count', 'service_count', 'reason_count'] as const

export type DerivedMap = (typeof derivedMaps)[number]
export type LivingMap = (typeof livingMaps)[number]
export type CountMap = (typeof countMaps)[number]
export type CarriedCount = (typeof carriedCounts)[number]
export type PinnedMap = DerivedMap | LivingMap | CountMap

/** How much must fit. */
export interface Sizes {
  readonly maxServicePorts: number
  /** Per family. */
  readonly maxFrontends: number
  /** Per family. */
  readonly maxEndpoints: number
}

/** Room for the node's own addresses beside those of Services. */
const nodeAddresses = 64

const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(least))

/** max_entries of each map that has a size. Lists: two kinds and two families for each service port, and index 0. */
export function entriesOf(sizes: Sizes): Readonly<Partial<Record<PinnedMap, number>>> {
  const slots = powerOfTwo(2 * sizes.maxEndpoints)
  return {
    svc4: sizes.maxFrontends,
    svc6: sizes.maxFrontends,
    addr4: sizes.maxFrontends + nodeAddresses,
    addr6: sizes.maxFrontends + nodeAddresses,
    source4: sizes.maxServicePorts,
    source6: sizes.maxServicePorts,
    service: sizes.maxServicePorts,
    list: 4 * sizes.maxServicePorts + 1,
    backend4: slots,
    backend6: slots,
    rsk: 65_536,
    affinity: 65_536,
    backend_count: 2 * sizes.maxEndpoints,
    service_count: sizes.maxServicePorts,
    reason_count: Reason.MAX,
  }
}

const definitions = new Map(Object.values(maps).map(definition => [definition.name, definition]))

/** What the maps of an object look like, so that those that another version has pinned can be compared with them. */
export class MapLayouts {
  readonly #btf: Btf
  readonly #declared: ReadonlyMap<string, MapDefinition>
  /** By id: maps and programs that were made together share one. */
  readonly #kernelBtf = new Map<number, Btf>()
  /** Of this version. */
  readonly own: Versions

  /** Throws MALFORMED. */
  constructor(objectPath: string) {
    this.#btf = Btf.fromElf(readFileSync(objectPath), basename(objectPath))
    const own = versionsIn(this.#btf)
    if (own === undefined) throw new EbpfError('MALFORMED', `${objectPath} does not say its versions`)
    this.own = own
    this.#declared = new Map(mapDefinitions(this.#btf).map(definition => [definition.name, definition]))
  }

  /**
   * Throws LAYOUT where a pinned map is not what this version makes: kind, sizes, and each field of its key and
   * value by the BTF that it was made with. `entries` undefined: any number will do. Living maps may have fields
   * where there are reserved bytes on the other side: their layouts only grow.
   */
  check(where: string, map: BpfMap, name: PinnedMap, entries: number | undefined): void {
    const definition = definitions.get(name)
    if (definition === undefined) throw new Error(`no map ${name} in the bindings`)
    const { type, flags } = definition
    checkLayout(where, map.info, {
      type,
      flags,
      ...('key' in definition ? { keySize: definition.key.size, valueSize: definition.value.size } : {}),
      ...(entries === undefined ? {} : { maxEntries: entries }),
    })
    const declared = this.#declared.get(name)
    if (declared?.keyType === undefined || declared.valueType === undefined) return
    const mayGrow = isLiving(name)
    const btf = this.#btfOf(where, map)
    for (const [part, found, expected] of [
      ['key', map.info.btfKeyTypeId, declared.keyType],
      ['value', map.info.btfValueTypeId, declared.valueType],
    ] as const) {
      const difference = layoutDifference({ btf, id: found }, { btf: this.#btf, id: expected }, { mayGrow })
      if (difference !== undefined) throw new EbpfError('LAYOUT', `${where}: ${part}: ${difference}`)
    }
  }

  /** The versions that the maker of a map or program had, by the id of its BTF; undefined: it was not kpng. */
  versionsOf(btfId: number): Versions | undefined {
    return btfId === 0 ? undefined : versionsIn(this.#btfById(btfId))
  }

  #btfOf(where: string, { info }: BpfMap): Btf {
    if (info.btfId === 0) throw new EbpfError('LAYOUT', `${where}: was made without BTF`)
    return this.#btfById(info.btfId)
  }

  #btfById(id: number): Btf {
    const btf = this.#kernelBtf.get(id) ?? kernelBtf(id)
    this.#kernelBtf.set(id, btf)
    return btf
  }
}

const isLiving = (name: PinnedMap): name is LivingMap => livingMaps.some(living => living === name)
