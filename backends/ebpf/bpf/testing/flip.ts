import { Worker } from 'node:worker_threads'
import { type BpfMap, memoryMap, openMapById } from '@kpng/ebpf'
import { listEntry } from '../../bindings.gen.ts'

/** Flips a list between words from a thread of its own, until stopped; stop gives how often. */
export async function startFlipping(
  map: BpfMap,
  list: number,
  words: readonly bigint[],
): Promise<{ stop(): Promise<number> }> {
  const shared = new Int32Array(new SharedArrayBuffer(8))
  const worker = new Worker(new URL('./flip-worker.ts', import.meta.url), {
    workerData: { mapId: map.info.id, list, words, shared } satisfies FlipOrder,
  })
  const ended = new Promise<void>((resolve, reject) =>
    worker.once('exit', () => resolve()).once('error', reject),
  )
  await Promise.race([new Promise(resolve => worker.once('message', resolve)), ended])
  return {
    async stop() {
      Atomics.store(shared, 0, 1)
      await ended
      return Atomics.load(shared, 1)
    },
  }
}

export interface FlipOrder {
  readonly mapId: number
  readonly list: number
  readonly words: readonly bigint[]
  /** [stop, flips so far] */
  readonly shared: Int32Array
}

/** In the worker: flips until told to stop. */
export function flip({ mapId, list, words, shared }: FlipOrder, started: () => void): void {
  using map = openMapById(mapId)
  const lists = memoryMap(map, listEntry)
  for (let n = 0; Atomics.load(shared, 0) === 0; n++) {
    const word = words[n % words.length]
    if (word !== undefined) lists.store64(list, word)
    Atomics.add(shared, 1, 1)
    if (n === words.length) started()
  }
}
