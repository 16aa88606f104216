import type { MapSpec } from './map-spec.ts'
import { checkLayout } from './map-spec.ts'
import { raiseMemlock } from './memlock.ts'
import { openPinned, pinObject } from './pin.ts'
import { loadStorageBtf } from './storage-btf.ts'
import { bpf, objectInfo } from './sys/bpf.ts'
import { Command, MapFlag, MapType } from './sys/bpf-enum.ts'
import { getIdAttr, mapCreateAttr, mapInfo } from './sys/bpf-layout.ts'
import { Fd } from './sys/fd.ts'
import { textOf } from './sys/memory.ts'
import { Struct } from './sys/struct.ts'

/** What the kernel says about a map. */
export interface MapInfo extends Required<MapSpec> {
  readonly id: number
  /** Of the BTF that describes key and value; 0 = none. */
  readonly btfId: number
  readonly btfKeyTypeId: number
  readonly btfValueTypeId: number
}

/**
 * An open kernel map: owns its descriptor and knows its shape. Keys and values are read and written through
 * `keyedMap`, `memoryMap`, `ringBuffer` on it, which must not be used after it is disposed.
 */
export class BpfMap implements Disposable {
  readonly fd: Fd
  readonly info: MapInfo
  /** The name as given by whoever opened it: not cut to 15 bytes. */
  readonly name: string
  readonly readOnly: boolean
  readonly #owned: Disposable[] = []

  /** Takes over the descriptor, also when it throws. */
  constructor(fd: Fd, options: { readonly name?: string; readonly readOnly?: boolean } = {}) {
    this.fd = fd
    try {
      this.info = readMapInfo(fd)
    } catch (error) {
      fd[Symbol.dispose]()
      throw error
    }
    this.name = options.name ?? this.info.name
    this.readOnly = options.readOnly ?? false
  }

  /** Closed together with the map, before its descriptor: mappings. */
  own<T extends Disposable>(resource: T): T {
    this.#owned.push(resource)
    return resource
  }

  /** Pins it at a path on a bpf file system. Throws EXISTS when something is there. */
  pin(path: string): void {
    pinObject(this.fd, path)
  }

  [Symbol.dispose](): void {
    for (const resource of this.#owned.splice(0)) resource[Symbol.dispose]()
    this.fd[Symbol.dispose]()
  }
}

const readMapInfo = (fd: Fd): MapInfo => {
  const info = objectInfo(fd.number, mapInfo, fd.what)
  return {
    name: textOf(info.slice('name')),
    type: info.u32('type') as MapType,
    id: info.u32('id'),
    keySize: info.u32('key_size'),
    valueSize: info.u32('value_size'),
    maxEntries: info.u32('max_entries'),
    flags: info.u32('map_flags'),
    btfId: info.u32('btf_id'),
    btfKeyTypeId: info.u32('btf_key_type_id'),
    btfValueTypeId: info.u32('btf_value_type_id'),
  }
}

export interface CreateMapSpec extends MapSpec {
  /** What an array of maps holds: a map of the same shape. */
  readonly inner?: BpfMap
}

/** Makes an anonymous map. Throws INVALID, NO_MEMORY, PERMISSION. */
export const createMap = (spec: CreateMapSpec): BpfMap => {
  const attr = new Struct(mapCreateAttr, {
    map_type: spec.type,
    key_size: spec.keySize,
    value_size: spec.valueSize,
    max_entries: spec.type === MapType.SK_STORAGE ? 0 : spec.maxEntries,
    map_flags: (spec.flags ?? 0) | (spec.type === MapType.SK_STORAGE ? MapFlag.NO_PREALLOC : 0),
    ...(spec.inner === undefined ? {} : { inner_map_fd: spec.inner.fd.number }),
    map_name: new TextEncoder().encode(spec.name).subarray(0, 15),
  })
  // Socket storage is made with BTF only.
  using btf = spec.type === MapType.SK_STORAGE ? loadStorageBtf(spec.valueSize) : undefined
  if (btf !== undefined) {
    attr.set('btf_fd', btf.fd.number)
    attr.set('btf_key_type_id', btf.keyTypeId)
    attr.set('btf_value_type_id', btf.valueTypeId)
  }
  return new BpfMap(Fd.from(createFd(attr), `map ${spec.name}`, `creating map ${spec.name}`), {
    name: spec.name,
  })
}

const createFd = (attr: Struct<keyof typeof mapCreateAttr.fields>): number => {
  const result = bpf(Command.MAP_CREATE, attr)
  // Before 5.11 maps count against RLIMIT_MEMLOCK, and too little of it is EPERM.
  return result === -1 && raiseMemlock() ? bpf(Command.MAP_CREATE, attr) : result
}

export interface OpenMapOptions {
  /** What the map has to be; another layout throws LAYOUT. */
  readonly expected?: Partial<MapSpec>
  /** Writing through it fails with PERMISSION: for tools that only look. */
  readonly readOnly?: boolean
}

/** Opens a pinned map. Throws NOT_FOUND, LAYOUT. */
export const openPinnedMap = (path: string, options: OpenMapOptions = {}): BpfMap => {
  const map = options.readOnly ? openReadOnly(path) : new BpfMap(openPinned(path, 'map'))
  try {
    checkLayout(path, map.info, options.expected ?? {})
    return map
  } catch (error) {
    map[Symbol.dispose]()
    throw error
  }
}

const openReadOnly = (path: string): BpfMap => {
  const map = new BpfMap(openPinned(path, 'map', { readOnly: true }), { readOnly: true })
  if ((map.info.flags & MapFlag.MMAPABLE) === 0) return map
  // The kernel maps no descriptor that it opened to be read only: the guard is ours alone.
  map[Symbol.dispose]()
  return new BpfMap(openPinned(path, 'map'), { readOnly: true })
}

/** Opens a map by its id. Throws NOT_FOUND. */
export const openMapById = (id: number): BpfMap => {
  const attr = new Struct(getIdAttr, { start_id: id })
  return new BpfMap(Fd.from(bpf(Command.MAP_GET_FD_BY_ID, attr), `map ${id}`, `opening map ${id}`))
}
