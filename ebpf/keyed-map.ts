import type { BpfMap } from './bpf-map.ts'
import { EbpfError } from './error.ts'
import type { Codec, KeyedMap, MapObserver, MapOperation, UpdateMode } from './map.ts'
import { batchLength, canBatch, deleteKeys, writeEntries } from './map-batch.ts'
import { iterate } from './map-iterate.ts'
import { perCpu, possibleCpus } from './per-cpu.ts'
import { bpf } from './sys/bpf.ts'
import { Command, MapType } from './sys/bpf-enum.ts'
import { mapElementAttr } from './sys/bpf-layout.ts'
import { ENOENT, ENOSPC, errnoError } from './sys/errno.ts'
import { Struct } from './sys/struct.ts'

export interface MapOptions {
  /** Called before each operation. */
  readonly observer?: MapObserver
}

const modeFlags: Readonly<Record<UpdateMode, number>> = { any: 0, create: 1, replace: 2 }

const perCpuTypes: readonly number[] = [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH]

/** A map and how its keys and values are laid out: what the parts of a kernel map work on. */
export interface TypedMap<K, V> {
  readonly map: BpfMap
  readonly key: Codec<K>
  readonly value: Codec<V>
}

class KernelMap<K, V> implements KeyedMap<K, V> {
  readonly name: string
  readonly maxEntries: number
  readonly #typed: TypedMap<K, V>
  readonly #observer: MapObserver | undefined
  readonly #attr: Struct<keyof typeof mapElementAttr.fields>
  /** Deleting refuses an attr in which the value is set. */
  readonly #deleteAttr: Struct<keyof typeof mapElementAttr.fields>
  readonly #key: DataView
  readonly #value: DataView

  constructor(typed: TypedMap<K, V>, options: MapOptions) {
    this.name = typed.map.name
    this.maxEntries = typed.map.info.maxEntries
    this.#typed = typed
    this.#observer = options.observer
    const key = new Uint8Array(typed.key.size)
    const value = new Uint8Array(typed.value.size)
    this.#attr = new Struct(mapElementAttr, { key, value })
    this.#deleteAttr = new Struct(mapElementAttr, { key })
    this.#key = new DataView(key.buffer)
    this.#value = new DataView(value.buffer)
  }

  lookup(key: K): V | undefined {
    this.#observe('lookup', 1)
    const result = this.#element(Command.MAP_LOOKUP_ELEM, key)
    if (result === -ENOENT) return undefined
    if (result < 0) throw this.#error(-result, 'looking up a key')
    return this.#typed.value.decode(this.#value, 0)
  }

  update(key: K, value: V, mode: UpdateMode = 'any'): void {
    this.#observe('update', 1)
    this.#typed.value.encode(value, this.#value, 0)
    const result = this.#element(Command.MAP_UPDATE_ELEM, key, modeFlags[mode])
    if (result < 0) throw this.#error(-result, 'updating a key')
  }

  delete(key: K): boolean {
    this.#observe('delete', 1)
    const result = this.#element(Command.MAP_DELETE_ELEM, key)
    if (result < 0 && result !== -ENOENT) throw this.#error(-result, 'deleting a key')
    return result === 0
  }

  updateBatch(entries: ReadonlyArray<readonly [K, V]>): void {
    if (entries.length === 0) return
    this.#observe('update', entries.length)
    let written = 0
    try {
      while (written < entries.length && canBatch(this.#typed.map, 'update')) {
        const part = entries.slice(written, written + batchLength(this.#typed))
        const result = writeEntries(this.#typed, part)
        if (result === undefined) break
        written += result.count
        if (result.errno !== 0) throw this.#error(result.errno, 'writing')
      }
      for (const [key, value] of entries.slice(written)) {
        this.#typed.value.encode(value, this.#value, 0)
        const result = this.#element(Command.MAP_UPDATE_ELEM, key)
        if (result < 0) throw this.#error(-result, 'writing')
        written++
      }
    } catch (cause) {
      if (!(cause instanceof EbpfError)) throw cause
      const { code, errno, message } = cause
      throw new EbpfError(code, `${message}, entry ${written} of ${entries.length}`, {
        ...(errno === undefined ? {} : { errno }),
        cause,
        written,
      })
    }
  }

  deleteBatch(keys: readonly K[]): number {
    if (keys.length === 0) return 0
    this.#observe('delete', keys.length)
    let next = 0
    let deleted = 0
    while (next < keys.length && canBatch(this.#typed.map, 'delete')) {
      const part = keys.slice(next, next + batchLength(this.#typed))
      const result = deleteKeys(this.#typed, part)
      if (result === undefined) break
      deleted += result.count
      if (result.errno !== 0) throw this.#error(result.errno, `deleting ${keys.length} keys`)
      next += part.length
    }
    for (const key of keys.slice(next)) {
      const result = this.#element(Command.MAP_DELETE_ELEM, key)
      if (result < 0 && result !== -ENOENT) throw this.#error(-result, `deleting ${keys.length} keys`)
      if (result === 0) deleted++
    }
    return deleted
  }

  entries(): Iterable<[K, V]> {
    this.#observe('iterate', 0)
    return iterate(this.#typed)
  }

  #observe(kind: MapOperation['kind'], entries: number): void {
    if (this.#typed.map.readOnly && (kind === 'update' || kind === 'delete')) {
      throw new EbpfError('PERMISSION', `map ${this.name} was opened to be read only`)
    }
    this.#observer?.({ map: this.name, kind, entries })
  }

  #element(command: Command, key: K, flags = 0): number {
    this.#typed.key.encode(key, this.#key, 0)
    const attr = command === Command.MAP_DELETE_ELEM ? this.#deleteAttr : this.#attr
    attr.set('map_fd', this.#typed.map.fd.number)
    attr.set('flags', flags)
    return bpf(command, attr)
  }

  #error(errno: number, what: string): EbpfError {
    // A trie has an errno of its own for it.
    const isFull = errno === ENOSPC && this.#typed.map.info.type === MapType.LPM_TRIE
    const options = isFull ? ({ code: 'MAP_FULL' } as const) : {}
    return errnoError(errno, `map ${this.name} (${this.maxEntries} entries): ${what}`, options)
  }
}

const checkSize = (map: BpfMap, what: string, codec: number, actual: number): void => {
  if (codec === actual) return
  throw new EbpfError('LAYOUT', `map ${map.name}: the ${what} codec has ${codec} bytes, the map ${actual}`)
}

/**
 * Typed access to a hash, LRU or array map, or to socket storage (whose key is a socket's descriptor, and
 * which has no iteration). The map keeps its descriptor. Throws LAYOUT when a codec does not fit.
 */
export const keyedMap = <K, V>(
  map: BpfMap,
  key: Codec<K>,
  value: Codec<V>,
  options: MapOptions = {},
): KeyedMap<K, V> => {
  if (perCpuTypes.includes(map.info.type)) {
    throw new EbpfError('LAYOUT', `map ${map.name} has a value for each CPU: use perCpuMap`)
  }
  checkSize(map, 'key', key.size, map.info.keySize)
  checkSize(map, 'value', value.size, map.info.valueSize)
  return new KernelMap({ map, key, value }, options)
}

/** The same for per-CPU maps: a value is an array, one element for each possible CPU. */
export const perCpuMap = <K, V>(
  map: BpfMap,
  key: Codec<K>,
  value: Codec<V>,
  options: MapOptions = {},
): KeyedMap<K, V[]> => {
  if (!perCpuTypes.includes(map.info.type)) {
    throw new EbpfError('LAYOUT', `map ${map.name} is not a per-CPU map`)
  }
  checkSize(map, 'key', key.size, map.info.keySize)
  checkSize(map, 'value', value.size, map.info.valueSize)
  return new KernelMap({ map, key, value: perCpu(value, possibleCpus()) }, options)
}
