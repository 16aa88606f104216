import type { BpfMap } from './bpf-map.ts'
import { EbpfError } from './error.ts'
import type { MapOptions } from './keyed-map.ts'
import type { Codec, MapObserver, MapOperation, MemoryMap } from './map.ts'
import { MapFlag, MapType } from './sys/bpf-enum.ts'
import { Mapping, pageSize } from './sys/mapping.ts'

class MappedArray<V> implements MemoryMap<V> {
  readonly name: string
  readonly maxEntries: number
  readonly stride: number
  readonly #map: BpfMap
  readonly #value: Codec<V>
  readonly #observer: MapObserver | undefined
  readonly #view: DataView
  readonly #words: BigUint64Array

  constructor(map: BpfMap, value: Codec<V>, buffer: ArrayBuffer, options: MapOptions) {
    this.name = map.name
    this.maxEntries = map.info.maxEntries
    this.stride = roundUp(value.size, 8)
    this.#map = map
    this.#value = value
    this.#observer = options.observer
    this.#view = new DataView(buffer)
    this.#words = new BigUint64Array(buffer)
  }

  read(index: number): V {
    this.#check('lookup', index, 1)
    return this.#value.decode(this.#view, index * this.stride)
  }

  write(index: number, values: readonly V[]): void {
    this.#checkWritable()
    this.#check('write', index, values.length)
    for (const [at, value] of values.entries()) {
      this.#value.encode(value, this.#view, (index + at) * this.stride)
    }
  }

  store64(index: number, word: bigint): void {
    this.#checkWritable()
    this.#checkWord()
    this.#check('store64', index, 1)
    Atomics.store(this.#words, index, word)
  }

  load64(index: number): bigint {
    this.#checkWord()
    this.#check('lookup', index, 1)
    return Atomics.load(this.#words, index)
  }

  /** Beyond the mapping, or after it is gone, an access would be a crash or somebody else's memory. */
  #check(kind: MapOperation['kind'], index: number, count: number): void {
    if (this.#map.fd.closed) throw new EbpfError('CLOSED', `map ${this.name} is closed`)
    if (!Number.isInteger(index) || index < 0 || index + count > this.maxEntries) {
      const last = count === 1 ? '' : ` to ${index + count - 1}`
      throw new EbpfError('MAP_FULL', `map ${this.name}: entry ${index}${last} of ${this.maxEntries}`)
    }
    this.#observer?.({ map: this.name, kind, entries: count })
  }

  #checkWritable(): void {
    if (this.#map.readOnly) throw new EbpfError('PERMISSION', `map ${this.name} was opened to be read only`)
  }

  #checkWord(): void {
    if (this.stride !== 8) {
      throw new EbpfError('INVALID', `map ${this.name}: an entry has ${this.stride} bytes, not one word of 8`)
    }
  }
}

const roundUp = (size: number, to: number): number => Math.ceil(size / to) * to

/**
 * An MMAPABLE array as memory shared with the kernel. The mapping lives as long as the map is open: later
 * calls throw CLOSED. Throws LAYOUT for other maps and for a codec that does not fit.
 */
export const memoryMap = <V>(map: BpfMap, value: Codec<V>, options: MapOptions = {}): MemoryMap<V> => {
  const { type, flags, valueSize, maxEntries } = map.info
  if (type !== MapType.ARRAY || (flags & MapFlag.MMAPABLE) === 0) {
    throw new EbpfError('LAYOUT', `map ${map.name} is no MMAPABLE array`)
  }
  if (value.size !== valueSize) {
    throw new EbpfError('LAYOUT', `map ${map.name}: the codec has ${value.size} bytes, the map ${valueSize}`)
  }
  const length = roundUp(roundUp(valueSize, 8) * maxEntries, pageSize())
  const mapping = map.own(Mapping.ofFd(map.fd, length, { writable: !map.readOnly }))
  return new MappedArray(map, value, mapping.view().buffer, options)
}
