import {
  type BpfMap,
  type Codec,
  type DynamicValue,
  EbpfError,
  mapCodecs,
  type StructCodec,
} from '@kpng/ebpf'

/** How to read the keys or values of a map as what `ours` makes of them. */
export type Reading = <T>(map: BpfMap, part: 'key' | 'value', ours: Codec<T>) => Codec<T>

/** Maps of this version. */
export const asItIs: Reading = (_, __, ours) => ours

/**
 * Maps of another version, by the BTF that they were made with: fields of our names are taken from wherever they are
 * there, and those that are not there, or are of another kind, are zero. Cannot write. Throws LAYOUT for what is no
 * struct and has another size, NOT_FOUND for a map without BTF.
 */
export const byName: Reading = (map, part, ours) => {
  const theirs = mapCodecs(map.info)[part]
  if (!isStruct(ours) || !isStruct(theirs)) {
    if (ours.size === theirs.size) return ours
    throw new EbpfError('LAYOUT', `map ${map.name}: its ${part} has ${theirs.size} bytes, ours ${ours.size}`)
  }
  if (samePlaces(ours, theirs)) return ours
  const blank = ours.decode(new DataView(new ArrayBuffer(ours.size)), 0)
  return {
    size: theirs.size,
    encode() {
      throw new EbpfError('LAYOUT', `map ${map.name} is of another version: it can only be read`)
    },
    decode: (from, offset) => overlay(blank, theirs.decode(from, offset)),
  }
}

const isStruct = <T>(codec: Codec<T>): codec is StructCodec<T> => 'offsets' in codec

function samePlaces<T, U>(ours: StructCodec<T>, theirs: StructCodec<U>): boolean {
  const places = ({ offsets }: { readonly offsets: object }): string =>
    JSON.stringify(Object.entries(offsets).sort())
  return ours.size === theirs.size && places(ours) === places(theirs)
}

/** `blank`, with what `found` has of the same name and kind. */
function overlay<T>(blank: T, found: DynamicValue | undefined): T {
  if (found === undefined || typeof found !== typeof blank) return blank
  if (typeof blank !== 'object' || blank === null) return found as T
  if (blank instanceof Uint8Array)
    return found instanceof Uint8Array && found.length === blank.length ? (found as T) : blank
  if (typeof found !== 'object' || found instanceof Uint8Array) return blank
  if (Array.isArray(blank))
    return Array.isArray(found) ? (blank.map((part, index) => overlay(part, found[index])) as T) : blank
  const fields = found as Readonly<Record<string, DynamicValue>>
  return Object.fromEntries(
    Object.entries(blank).map(([name, value]) => [name, overlay(value, fields[name])]),
  ) as T
}
