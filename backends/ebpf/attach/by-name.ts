import { type BpfMap, type Btf, type Codec, codecByName, mapBtf } from '@kpng/ebpf'

/** How to read the keys or values of a map as what `ours` makes of them. */
export type Reading = <T>(map: BpfMap, part: 'key' | 'value', ours: Codec<T>) => Codec<T>

/** Maps of this version. */
export const asItIs: Reading = (_, __, ours) => ours

/**
 * Maps that another version may have made, by the BTF that they were made with: see `codecByName`. Throws LAYOUT, and
 * NOT_FOUND for a map without BTF.
 */
export function byName(): Reading {
  /** By id: maps that were made together share one. */
  const known = new Map<number, Btf>()
  return ({ info }, part, ours) => {
    const btf = known.get(info.btfId) ?? mapBtf(info)
    known.set(info.btfId, btf)
    return codecByName(ours, { btf, id: part === 'key' ? info.btfKeyTypeId : info.btfValueTypeId })
  }
}
