import { EbpfError, type KeyedMap } from '@kpng/ebpf'

/** One entry to write, and what follows from it. */
export interface EntryWrite<K, V> {
  readonly key: K
  readonly value: V
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** Entries a batch call: bounds how long one call holds the event loop. */
const MAX_BATCH = 1024
/** So many entries failing in a row say something about the map, not about the entries. */
const MAX_FAILURES = 8

/**
 * Writes entries with as few batch calls as possible. An entry that fails is told so and the others go on;
 * when a row of them fails, the rest is given up with the last error.
 */
export async function writeEntries<K, V>(
  map: KeyedMap<K, V>,
  entries: readonly EntryWrite<K, V>[],
  breathe: () => Promise<void>,
): Promise<void> {
  let at = 0
  let failures = 0
  while (at < entries.length) {
    const batch = entries.slice(at, at + MAX_BATCH)
    let written = batch.length
    let failure: { error: unknown } | undefined
    try {
      map.updateBatch(batch.map(({ key, value }) => [key, value] as const))
    } catch (error) {
      written = error instanceof EbpfError ? (error.written ?? 0) : 0
      failure = { error }
    }
    for (const entry of batch.slice(0, written)) entry.done()
    at += written
    if (failure === undefined) {
      failures = 0
    } else {
      failures = written > 0 ? 1 : failures + 1
      const giveUp = failures >= MAX_FAILURES ? entries.length : at + 1
      for (const entry of entries.slice(at, giveUp)) entry.failed(failure.error)
      at = giveUp
    }
    await breathe()
  }
}

/** Deletes keys in batches; those of a batch that fails may or may not be gone. */
export async function deleteEntries<K, V>(
  map: KeyedMap<K, V>,
  entries: readonly {
    readonly key: K
    readonly done: () => void
    readonly failed: (error: unknown) => void
  }[],
  breathe: () => Promise<void>,
): Promise<void> {
  for (let at = 0; at < entries.length; at += MAX_BATCH) {
    const batch = entries.slice(at, at + MAX_BATCH)
    try {
      map.deleteBatch(batch.map(entry => entry.key))
      for (const entry of batch) entry.done()
    } catch (error) {
      for (const entry of batch) entry.failed(error)
    }
    await breathe()
  }
}

/** The map has no room, which waiting alone does not cure. */
export const isFull = (error: unknown): boolean => error instanceof EbpfError && error.code === 'MAP_FULL'
