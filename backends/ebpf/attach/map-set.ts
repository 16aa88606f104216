import { type BpfMap, checkLayout, EbpfError, mapCodecs, type StructCodec } from '@kpng/ebpf'
import { maps } from '../bindings.gen.ts'

/** Rebuilt from the Services at any time: a new generation when the layout or a size changes. */
export const derivedMaps = [
  'svc4',
  'svc6',
  'list',
  'backend4',
  'backend6',
  'addr4',
  'addr6',
  'cfg',
  'service',
] as const
/** They belong to sockets and clients and outlive generations. */
export const livingMaps = ['sk_tcp', 'sk_udp', 'rsk', 'affinity'] as const
/** May start again at zero. */
export const countMaps = ['backend_count', 'service_count', 'reason_count', 'event'] as const

export type DerivedMap = (typeof derivedMaps)[number]
export type LivingMap = (typeof livingMaps)[number]
export type CountMap = (typeof countMaps)[number]
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
    service: sizes.maxServicePorts,
    list: 4 * sizes.maxServicePorts + 1,
    backend4: slots,
    backend6: slots,
    rsk: 65_536,
    affinity: 65_536,
    backend_count: 2 * sizes.maxEndpoints,
    service_count: sizes.maxServicePorts,
  }
}

const definitions = new Map(Object.values(maps).map(definition => [definition.name, definition]))

/**
 * Throws LAYOUT where a pinned map is not what this version makes: kind, sizes, and the place of each field of its
 * value by the BTF that it was made with. `entries` undefined: any number will do.
 */
export function checkMap(where: string, map: BpfMap, name: PinnedMap, entries: number | undefined): void {
  const definition = definitions.get(name)
  if (definition === undefined) throw new Error(`no map ${name} in the bindings`)
  const { type, flags } = definition
  checkLayout(where, map.info, {
    type,
    flags,
    ...('key' in definition ? { keySize: definition.key.size, valueSize: definition.value.size } : {}),
    ...(entries === undefined ? {} : { maxEntries: entries }),
  })
  if (!('key' in definition)) return
  const codecs = mapCodecs(map.info)
  checkFields(where, codecs.key, definition.key)
  checkFields(where, codecs.value, definition.value)
}

/** Struct codecs know where their fields are; scalars have none. */
const offsetsOf = (codec: object): Readonly<Record<string, number>> =>
  'offsets' in codec ? (codec as Pick<StructCodec<unknown>, 'offsets'>).offsets : {}

function checkFields(where: string, actual: object, expected: object): void {
  const found = offsetsOf(actual)
  for (const [field, offset] of Object.entries(offsetsOf(expected))) {
    if (found[field] === offset) continue
    const place = found[field] === undefined ? 'missing' : `at ${found[field]}`
    throw new EbpfError('LAYOUT', `${where}: field ${field} is ${place}, expected at ${offset}`)
  }
}
