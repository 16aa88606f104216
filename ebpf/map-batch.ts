import type { BpfMap } from './bpf-map.ts'
import type { TypedMap } from './keyed-map.ts'
import { bpf } from './sys/bpf.ts'
import { Command } from './sys/bpf-enum.ts'
import { mapBatchAttr } from './sys/bpf-layout.ts'
import { EINVAL, ENOENT, ENOTSUPP } from './sys/errno.ts'
import { Struct } from './sys/struct.ts'

/** One call carries at most so many bytes of keys and values. */
const BATCH_BYTES = 256 * 1024

export type BatchKind = 'update' | 'delete' | 'lookup'

/** Batch operations that a kernel has refused for a map, so that they are tried once only. */
const refused = new WeakMap<BpfMap, Set<BatchKind>>()

export const canBatch = (map: BpfMap, kind: BatchKind): boolean => !refused.get(map)?.has(kind)

const refuseBatch = (map: BpfMap, kind: BatchKind): void => {
  const kinds = refused.get(map) ?? new Set()
  refused.set(map, kinds.add(kind))
}

/** How many entries go into one call. */
export const batchLength = <K, V>({ key, value }: TypedMap<K, V>): number =>
  Math.max(1, Math.floor(BATCH_BYTES / (key.size + value.size)))

export interface BatchResult {
  /** How many entries were done, from the first on; also on failure. */
  readonly count: number
  /** 0 = all. */
  readonly errno: number
}

export type BatchAttr = Struct<keyof typeof mapBatchAttr.fields>

/**
 * Makes a batch call. undefined when this kernel has no such call for this type of map: ENOTSUPP since 5.6,
 * before that EINVAL for the unknown command. Nothing is done then.
 */
export const callBatch = (
  map: BpfMap,
  kind: BatchKind,
  command: Command,
  attr: BatchAttr,
): BatchResult | undefined => {
  attr.set('map_fd', map.fd.number)
  const asked = attr.u32('count')
  const errno = -Math.min(0, bpf(command, attr))
  const count = attr.u32('count')
  if (errno === 0) return { count, errno }
  // A write that fails ends before its last entry: an untouched count means that it did not begin. A lookup
  // ends with ENOENT, and then the count counts.
  const began = count < asked || (kind === 'lookup' && errno === ENOENT)
  if (!began && (errno === ENOTSUPP || errno === EINVAL)) {
    refuseBatch(map, kind)
    return undefined
  }
  return { count: began ? count : 0, errno }
}

const encodeKeys = <K, V>({ key }: TypedMap<K, V>, keys: readonly K[]): Uint8Array => {
  const bytes = new Uint8Array(keys.length * key.size)
  const view = new DataView(bytes.buffer)
  for (const [index, one] of keys.entries()) key.encode(one, view, index * key.size)
  return bytes
}

export const writeEntries = <K, V>(
  typed: TypedMap<K, V>,
  entries: ReadonlyArray<readonly [K, V]>,
): BatchResult | undefined => {
  const keys = encodeKeys(
    typed,
    entries.map(([key]) => key),
  )
  const values = new Uint8Array(entries.length * typed.value.size)
  const view = new DataView(values.buffer)
  for (const [index, [, value]] of entries.entries()) {
    typed.value.encode(value, view, index * typed.value.size)
  }
  const attr = new Struct(mapBatchAttr, { keys, values, count: entries.length })
  return callBatch(typed.map, 'update', Command.MAP_UPDATE_BATCH, attr)
}

/** A batch ends at a key that is not there: that one is skipped. `count` is how many there were. */
export const deleteKeys = <K, V>(typed: TypedMap<K, V>, keys: readonly K[]): BatchResult | undefined => {
  const bytes = encodeKeys(typed, keys)
  const attr = new Struct(mapBatchAttr)
  let deleted = 0
  for (let next = 0; next < keys.length; ) {
    attr.set('keys', bytes.subarray(next * typed.key.size))
    attr.set('count', keys.length - next)
    const result = callBatch(typed.map, 'delete', Command.MAP_DELETE_BATCH, attr)
    if (result === undefined) return undefined
    deleted += result.count
    if (result.errno !== 0 && result.errno !== ENOENT) return { count: deleted, errno: result.errno }
    next += result.errno === ENOENT ? result.count + 1 : result.count
  }
  return { count: deleted, errno: 0 }
}
