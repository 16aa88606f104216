import type { TypedMap } from './keyed-map.ts'
import { batchLength, callBatch, canBatch } from './map-batch.ts'
import { bpf } from './sys/bpf.ts'
import { Command } from './sys/bpf-enum.ts'
import { mapBatchAttr, mapElementAttr, mapNextKeyAttr } from './sys/bpf-layout.ts'
import { ENOENT, ENOSPC, errnoError } from './sys/errno.ts'
import { Struct } from './sys/struct.ts'

/** A pass over a map: by batches, key by key where the kernel has none for this type. */
export const iterate = function* <K, V>(typed: TypedMap<K, V>): Generator<[K, V], void, void> {
  if (canBatch(typed.map, 'lookup') && (yield* iterateBatches(typed))) return
  yield* iterateKeys(typed)
}

/** False when the kernel refused and nothing was given. */
const iterateBatches = function* <K, V>(typed: TypedMap<K, V>): Generator<[K, V], boolean, void> {
  const { map, key, value } = typed
  // A hash keeps its place as a bucket number (4 bytes), an array as a key.
  const place = new Uint8Array(Math.max(4, key.size))
  const attr = new Struct(mapBatchAttr, { out_batch: place })
  let length = Math.max(1, Math.min(map.info.maxEntries, batchLength(typed)))
  let [keys, values] = [new Uint8Array(0), new Uint8Array(0)]
  for (;;) {
    if (keys.length !== length * key.size) {
      keys = new Uint8Array(length * key.size)
      values = new Uint8Array(length * value.size)
      attr.set('keys', keys)
      attr.set('values', values)
    }
    attr.set('count', length)
    const result = callBatch(map, 'lookup', Command.MAP_LOOKUP_BATCH, attr)
    if (result === undefined) return false
    if (result.errno === ENOSPC && length < map.info.maxEntries) {
      // One bucket holds more than fits: buckets are given whole or not at all.
      length = Math.min(length * 2, map.info.maxEntries)
      continue
    }
    if (result.errno !== 0 && result.errno !== ENOENT) {
      throw errnoError(result.errno, `map ${map.name}: reading entries`)
    }
    const keyView = new DataView(keys.buffer)
    const valueView = new DataView(values.buffer)
    for (let index = 0; index < result.count; index++) {
      yield [key.decode(keyView, index * key.size), value.decode(valueView, index * value.size)]
    }
    if (result.errno === ENOENT) return true
    attr.set('in_batch', place)
  }
}

/** Where a key is deleted meanwhile the kernel begins again: what was given already is left out. */
const iterateKeys = function* <K, V>({ map, key, value }: TypedMap<K, V>): Generator<[K, V], void, void> {
  const seen = new Set<string>()
  const [current, following] = [new Uint8Array(key.size), new Uint8Array(key.size)]
  const found = new Uint8Array(value.size)
  const next = new Struct(mapNextKeyAttr, { next_key: following })
  const lookup = new Struct(mapElementAttr, { key: current, value: found })
  for (;;) {
    next.set('map_fd', map.fd.number)
    const moved = bpf(Command.MAP_GET_NEXT_KEY, next)
    if (moved === -ENOENT) return
    if (moved < 0) throw errnoError(-moved, `map ${map.name}: finding the next key`)
    current.set(following)
    next.set('key', current)
    const id = Buffer.from(current).toString('latin1')
    if (seen.has(id)) continue
    seen.add(id)
    lookup.set('map_fd', map.fd.number)
    const result = bpf(Command.MAP_LOOKUP_ELEM, lookup)
    if (result === -ENOENT) continue
    if (result < 0) throw errnoError(-result, `map ${map.name}: reading an entry`)
    yield [key.decode(new DataView(current.buffer), 0), value.decode(new DataView(found.buffer), 0)]
  }
}
