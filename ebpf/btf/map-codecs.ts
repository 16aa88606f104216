import { EbpfError } from '../error.ts'
import type { Codec } from '../map.ts'
import { readBtf } from '../sys/btf.ts'
import { Btf } from './btf.ts'
import { codecFromBtf, type DynamicValue } from './dynamic-codec.ts'

/** What the kernel says about the BTF of a map. */
export interface MapBtfInfo {
  readonly name: string
  readonly btfId: number
  readonly btfKeyTypeId: number
  readonly btfValueTypeId: number
}

export interface MapCodecs {
  readonly btf: Btf
  readonly key: Codec<DynamicValue>
  readonly value: Codec<DynamicValue>
}

/** The BTF of that id in the kernel, of a program or of maps. Throws NOT_FOUND, also for 0: none; PERMISSION. */
export const kernelBtf = (id: number, origin = `BTF ${id}`): Btf => Btf.parse(readBtf(id), origin)

/** The BTF that a map in the kernel was made with. Throws NOT_FOUND for a map without, PERMISSION. */
export function mapBtf(info: MapBtfInfo): Btf {
  if (info.btfId === 0 || info.btfValueTypeId === 0) {
    throw new EbpfError('NOT_FOUND', `map ${info.name} was made without BTF`)
  }
  return kernelBtf(info.btfId, `BTF of map ${info.name}`)
}

/** Codecs for a map in the kernel, from its BTF: for maps that another version pinned. Throws as `mapBtf` does. */
export function mapCodecs(info: MapBtfInfo): MapCodecs {
  const btf = mapBtf(info)
  return { btf, key: codecFromBtf(btf, info.btfKeyTypeId), value: codecFromBtf(btf, info.btfValueTypeId) }
}
