import { EbpfError, type KeyedMap, type MapOperation, type MemoryMap, type UpdateMode } from '@kpng/ebpf'
import type { DatapathMaps } from '../maps.ts'

/**
 * Asked before each operation. A number makes it fail after so many of its entries have been done, as the
 * kernel may; undefined lets it happen.
 */
export type Fault = (operation: MapOperation) => number | undefined

/** What an operation that was made to fail throws. */
export const injected = (operation: MapOperation, written: number): EbpfError =>
  new EbpfError('KERNEL', `${operation.kind} of ${operation.map} made to fail`, { errno: 'EIO', written })

/** The same maps, the kernel's or fakes, as a process has them whose operations fail. */
export const faultyMaps = (maps: DatapathMaps, fault: Fault): DatapathMaps => ({
  svc4: new FaultyMap(maps.svc4, fault),
  svc6: new FaultyMap(maps.svc6, fault),
  list: new FaultyMemory(maps.list, fault),
  backend4: new FaultyMemory(maps.backend4, fault),
  backend6: new FaultyMemory(maps.backend6, fault),
  addr4: new FaultyMap(maps.addr4, fault),
  addr6: new FaultyMap(maps.addr6, fault),
  source4: new FaultyMap(maps.source4, fault),
  source6: new FaultyMap(maps.source6, fault),
  outside: new FaultyMemory(maps.outside, fault),
  cfg: new FaultyMap(maps.cfg, fault),
  service: new FaultyMap(maps.service, fault),
  affinity: new FaultyMap(maps.affinity, fault),
})

class FaultyMap<K, V> implements KeyedMap<K, V> {
  readonly name: string
  readonly maxEntries: number
  readonly #map: KeyedMap<K, V>
  readonly #fault: Fault

  constructor(map: KeyedMap<K, V>, fault: Fault) {
    this.name = map.name
    this.maxEntries = map.maxEntries
    this.#map = map
    this.#fault = fault
  }

  lookup(key: K): V | undefined {
    this.#ask('lookup', 1)
    return this.#map.lookup(key)
  }

  update(key: K, value: V, mode: UpdateMode = 'any'): void {
    this.#ask('update', 1)
    this.#map.update(key, value, mode)
  }

  delete(key: K): boolean {
    this.#ask('delete', 1)
    return this.#map.delete(key)
  }

  updateBatch(entries: ReadonlyArray<readonly [K, V]>): void {
    const operation: MapOperation = { map: this.name, kind: 'update', entries: entries.length }
    const failAfter = this.#fault(operation)
    this.#map.updateBatch(entries.slice(0, failAfter))
    if (failAfter !== undefined) throw injected(operation, Math.min(failAfter, entries.length))
  }

  deleteBatch(keys: readonly K[]): number {
    const operation: MapOperation = { map: this.name, kind: 'delete', entries: keys.length }
    const failAfter = this.#fault(operation)
    const deleted = this.#map.deleteBatch(keys.slice(0, failAfter))
    if (failAfter !== undefined) throw injected(operation, Math.min(failAfter, keys.length))
    return deleted
  }

  entries(): Iterable<[K, V]> {
    this.#ask('iterate', 0)
    return this.#map.entries()
  }

  #ask(kind: MapOperation['kind'], entries: number): void {
    const operation = { map: this.name, kind, entries }
    if (this.#fault(operation) !== undefined) throw injected(operation, 0)
  }
}

class FaultyMemory<V> implements MemoryMap<V> {
  readonly name: string
  readonly maxEntries: number
  readonly stride: number
  readonly #map: MemoryMap<V>
  readonly #fault: Fault

  constructor(map: MemoryMap<V>, fault: Fault) {
    this.name = map.name
    this.maxEntries = map.maxEntries
    this.stride = map.stride
    this.#map = map
    this.#fault = fault
  }

  read(index: number): V {
    this.#fault({ map: this.name, kind: 'lookup', entries: 1 })
    return this.#map.read(index)
  }

  load64(index: number): bigint {
    this.#fault({ map: this.name, kind: 'lookup', entries: 1 })
    return this.#map.load64(index)
  }

  write(index: number, values: readonly V[]): void {
    const operation: MapOperation = { map: this.name, kind: 'write', entries: values.length }
    const failAfter = this.#fault(operation)
    this.#map.write(index, values.slice(0, failAfter))
    if (failAfter !== undefined) throw injected(operation, failAfter)
  }

  store64(index: number, word: bigint): void {
    const operation: MapOperation = { map: this.name, kind: 'store64', entries: 1 }
    if (this.#fault(operation) !== undefined) throw injected(operation, 0)
    this.#map.store64(index, word)
  }
}
