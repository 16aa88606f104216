import {
  type Codec,
  EbpfError,
  type KeyedMap,
  type MapOperation,
  type MemoryMap,
  type UpdateMode,
} from '@kpng/ebpf'
import { maps as specs } from '../../bindings.gen.ts'
import type { DatapathMaps } from '../maps.ts'
import { type Fault, injected } from './faulty-maps.ts'

const never: Fault = () => undefined

/** A BPF hash map in memory: bytes in, bytes out, full when it is full. */
export class FakeHash<K, V> implements KeyedMap<K, V> {
  readonly name: string
  readonly maxEntries: number
  readonly #key: Codec<K>
  readonly #value: Codec<V>
  readonly #fault: Fault
  readonly #rows = new Map<string, Uint8Array>()

  constructor(name: string, key: Codec<K>, value: Codec<V>, maxEntries: number, fault: Fault = never) {
    this.name = name
    this.maxEntries = maxEntries
    this.#key = key
    this.#value = value
    this.#fault = fault
  }

  get size(): number {
    return this.#rows.size
  }

  lookup(key: K): V | undefined {
    this.#ask('lookup', 1)
    const row = this.#rows.get(this.#keyText(key))
    return row && this.#value.decode(viewOf(row), 0)
  }

  update(key: K, value: V, mode: UpdateMode = 'any'): void {
    this.#ask('update', 1)
    this.#put(key, value, mode, 0)
  }

  delete(key: K): boolean {
    this.#ask('delete', 1)
    return this.#rows.delete(this.#keyText(key))
  }

  updateBatch(entries: ReadonlyArray<readonly [K, V]>): void {
    const operation: MapOperation = { map: this.name, kind: 'update', entries: entries.length }
    const failAfter = this.#fault(operation)
    for (const [index, [key, value]] of entries.entries()) {
      if (index === failAfter) throw injected(operation, index)
      this.#put(key, value, 'any', index)
    }
    if (failAfter !== undefined && failAfter >= entries.length) throw injected(operation, entries.length)
  }

  deleteBatch(keys: readonly K[]): number {
    const operation: MapOperation = { map: this.name, kind: 'delete', entries: keys.length }
    const failAfter = this.#fault(operation)
    let deleted = 0
    for (const [index, key] of keys.entries()) {
      if (index === failAfter) throw injected(operation, index)
      if (this.#rows.delete(this.#keyText(key))) deleted++
    }
    return deleted
  }

  *entries(): Generator<[K, V]> {
    this.#ask('iterate', 0)
    for (const [key, row] of this.#rows) {
      yield [this.#key.decode(viewOf(Buffer.from(key, 'hex')), 0), this.#value.decode(viewOf(row), 0)]
    }
  }

  #put(key: K, value: V, mode: UpdateMode, written: number): void {
    const text = this.#keyText(key)
    const there = this.#rows.has(text)
    if (mode === 'create' && there) throw new EbpfError('EXISTS', `map ${this.name}: exists`)
    if (mode === 'replace' && !there) throw new EbpfError('NOT_FOUND', `map ${this.name}: no such key`)
    if (!there && this.#rows.size >= this.maxEntries)
      throw new EbpfError('MAP_FULL', `map ${this.name} is full (${this.maxEntries})`, {
        errno: 'E2BIG',
        written,
      })
    this.#rows.set(text, encode(this.#value, value))
  }

  #ask(kind: MapOperation['kind'], entries: number): void {
    const operation = { map: this.name, kind, entries }
    if (this.#fault(operation) !== undefined) throw injected(operation, 0)
  }

  #keyText(key: K): string {
    return Buffer.from(encode(this.#key, key)).toString('hex')
  }
}

/** An MMAPABLE array in memory. */
export class FakeMemory<V> implements MemoryMap<V> {
  readonly name: string
  readonly maxEntries: number
  readonly stride: number
  readonly #value: Codec<V>
  readonly #view: DataView

  constructor(name: string, value: Codec<V>, maxEntries: number) {
    this.name = name
    this.maxEntries = maxEntries
    this.stride = Math.ceil(value.size / 8) * 8
    this.#value = value
    this.#view = new DataView(new ArrayBuffer(this.stride * maxEntries))
  }

  read(index: number): V {
    this.#check(index, 1)
    return this.#value.decode(this.#view, index * this.stride)
  }

  write(index: number, values: readonly V[]): void {
    this.#check(index, values.length)
    for (const [offset, value] of values.entries())
      this.#value.encode(value, this.#view, (index + offset) * this.stride)
  }

  store64(index: number, word: bigint): void {
    this.#checkWord(index)
    this.#view.setBigUint64(index * 8, word, true)
  }

  load64(index: number): bigint {
    this.#checkWord(index)
    return this.#view.getBigUint64(index * 8, true)
  }

  #checkWord(index: number): void {
    this.#check(index, 1)
    if (this.stride !== 8) throw new EbpfError('INVALID', `map ${this.name}: stride ${this.stride}`)
  }

  #check(index: number, entries: number): void {
    if (index < 0 || index + entries > this.maxEntries)
      throw new EbpfError('MAP_FULL', `map ${this.name}: beyond its end`)
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  // Not zeroed: a codec must write every byte.
  const bytes = new Uint8Array(codec.size).fill(0xa5)
  codec.encode(value, viewOf(bytes), 0)
  return bytes
}

export interface FakeSizes {
  readonly frontends: number
  readonly lists: number
  readonly slots: number
  readonly addresses: number
  readonly names: number
  readonly sources: number
}

export const SMALL: FakeSizes = {
  frontends: 64,
  lists: 64,
  slots: 128,
  addresses: 64,
  names: 32,
  sources: 32,
}

/** All maps of the datapath, empty. */
export function fakeMaps(sizes: FakeSizes = SMALL) {
  const hash = <K, V>(spec: { name: string; key: Codec<K>; value: Codec<V> }, max: number): FakeHash<K, V> =>
    new FakeHash(spec.name, spec.key, spec.value, max)
  const memory = <V>(spec: { name: string; value: Codec<V> }, max: number): FakeMemory<V> =>
    new FakeMemory(spec.name, spec.value, max)
  // An array of one entry, which is there from the beginning.
  const cfg = hash(specs.cfg, 1)
  cfg.update(0, { cidr4Count: 0, cidr6Count: 0, flags: 0, cidr4: NO_CIDRS4, cidr6: NO_CIDRS6 })
  return {
    svc4: hash(specs.svc4, sizes.frontends),
    svc6: hash(specs.svc6, sizes.frontends),
    list: memory(specs.list, sizes.lists),
    backend4: memory(specs.backend4, sizes.slots),
    backend6: memory(specs.backend6, sizes.slots),
    addr4: hash(specs.addr4, sizes.addresses),
    addr6: hash(specs.addr6, sizes.addresses),
    source4: hash(specs.source4, sizes.sources),
    source6: hash(specs.source6, sizes.sources),
    outside: memory(specs.outside, specs.outside.maxEntries),
    cfg,
    service: hash(specs.service, sizes.names),
    affinity: hash(specs.affinity, 1024),
  } satisfies DatapathMaps
}

const NO_CIDRS4 = Array.from({ length: 8 }, () => ({ addr: 0, mask: 0 }))
const NO_CIDRS6 = Array.from({ length: 8 }, () => ({ addr: new Uint8Array(16), mask: new Uint8Array(16) }))

export type FakeMaps = ReturnType<typeof fakeMaps>
