/**
 * Loaded into the agent by --import: counts what its main thread asks of maps, by map and kind of call, and what it
 * copies into the memory that it shares with the kernel. SIGUSR2 writes what was counted since the last time to the
 * file KPNG_BENCH_OPERATIONS. It slows the agent down: no time means anything while it is loaded.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import { interceptSyscalls, type SyscallHook } from '@kpng/ebpf/testing'
import { Mapping } from '../ebpf/sys/mapping.ts'

/** One map and one kind of call. */
export interface CountedOperation {
  readonly mapId: number
  readonly kind: string
  readonly calls: number
  /** Of batch lookups: as many as were asked for. */
  readonly entries: number
  /** To the kernel: of updates keys and values, of deletes keys, of memory what was stored. Lookups have none. */
  readonly bytes: number
}

/** enum bpf_cmd: those that work on the entries of maps. */
const elementCalls: Readonly<Record<number, string>> = {
  1: 'lookup',
  2: 'update',
  3: 'delete',
  4: 'next key',
}
const batchCalls: Readonly<Record<number, string>> = {
  24: 'lookup batch',
  26: 'update batch',
  27: 'delete batch',
}
/** Offsets in union bpf_attr. */
const elementFd = 0
const batchCount = 32
const batchFd = 36

interface Shape {
  readonly id: number
  readonly keySize: number
  readonly valueSize: number
}

class Counted {
  readonly #rows = new Map<
    string,
    { mapId: number; kind: string } & Record<'calls' | 'entries' | 'bytes', number>
  >()

  add(mapId: number, kind: string, counts: { calls: number; entries: number; bytes: number }): void {
    const key = `${mapId} ${kind}`
    const row = this.#rows.get(key) ?? { mapId, kind, calls: 0, entries: 0, bytes: 0 }
    row.calls += counts.calls
    row.entries += counts.entries
    row.bytes += counts.bytes
    this.#rows.set(key, row)
  }

  take(): CountedOperation[] {
    const rows = [...this.#rows.values()]
    this.#rows.clear()
    return rows
  }
}

/** What the kernel says about a descriptor; undefined if it is no map. */
function shapeOf(fd: number): Shape | undefined {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(text)?.[1])
  const shape = { id: field('map_id'), keySize: field('key_size'), valueSize: field('value_size') }
  return Number.isNaN(shape.id) ? undefined : shape
}

function countCalls(counted: Counted): void {
  const shapes = new Map<number, Shape | undefined>()
  const shape = (fd: number): Shape | undefined => {
    if (!shapes.has(fd)) shapes.set(fd, shapeOf(fd))
    return shapes.get(fd)
  }
  const count = (kind: string, fd: number, entries: number): void => {
    const { id, keySize, valueSize } = shape(fd) ?? { id: -1, keySize: 0, valueSize: 0 }
    const each = kind.startsWith('update') ? keySize + valueSize : kind.startsWith('delete') ? keySize : 0
    counted.add(id, kind, { calls: 1, entries, bytes: each * entries })
  }
  const hook: SyscallHook = (name, args) => {
    if (name === 'close') shapes.delete(Number(args[0]))
    if (name !== 'bpf' || !(args[1] instanceof Uint8Array)) return undefined
    const command = Number(args[0])
    const attr = new DataView(args[1].buffer, args[1].byteOffset)
    const element = elementCalls[command]
    const batch = batchCalls[command]
    if (element !== undefined) count(element, attr.getUint32(elementFd, true), 1)
    if (batch !== undefined) count(batch, attr.getUint32(batchFd, true), attr.getUint32(batchCount, true))
    return undefined
  }
  interceptSyscalls(hook)
}

type Setter = (this: DataView, offset: number, value: never, littleEndian?: boolean) => void

const setters: Readonly<Record<string, number>> = {
  ...{ setUint8: 1, setInt8: 1, setUint16: 2, setInt16: 2 },
  ...{ setUint32: 4, setInt32: 4, setBigUint64: 8, setBigInt64: 8 },
}

/** Of each buffer that is a map's memory the map's id, from now on. */
function watchMappings(): (buffer: ArrayBufferLike) => number | undefined {
  const ofMapping = new WeakMap<Mapping, number>()
  const ofBuffer = new WeakMap<ArrayBufferLike, number>()
  const { ofFd } = Mapping
  const { view } = Mapping.prototype
  Mapping.ofFd = (fd, length, options) => {
    const mapping = ofFd.call(Mapping, fd, length, options)
    const id = shapeOf(fd.number)?.id
    if (id !== undefined && options.writable) ofMapping.set(mapping, id)
    return mapping
  }
  Mapping.prototype.view = function (...args) {
    const bytes = view.apply(this, args)
    const id = ofMapping.get(this)
    if (id !== undefined) ofBuffer.set(bytes.buffer, id)
    return bytes
  }
  return buffer => ofBuffer.get(buffer)
}

/** Counts what is stored in memory: codecs write through DataView, flips through Atomics. */
function countStores(counted: Counted, mapOf: (buffer: ArrayBufferLike) => number | undefined): void {
  const proto = DataView.prototype as unknown as Record<string, Setter>
  for (const [name, bytes] of Object.entries(setters)) {
    const original = proto[name]
    if (original === undefined) throw new Error(`DataView has no ${name}`)
    proto[name] = function (offset, value, littleEndian) {
      const mapId = mapOf(this.buffer)
      if (mapId !== undefined) counted.add(mapId, 'memory', { calls: 0, entries: 0, bytes })
      original.call(this, offset, value, littleEndian)
    }
  }
  const store = Atomics.store as (array: BigUint64Array, index: number, value: bigint) => bigint
  const counting = (array: BigUint64Array, index: number, value: bigint): bigint => {
    const mapId = mapOf(array.buffer)
    if (mapId !== undefined) counted.add(mapId, 'store64', { calls: 0, entries: 1, bytes: 8 })
    return store(array, index, value)
  }
  Object.assign(Atomics, { store: counting })
}

const path = process.env.KPNG_BENCH_OPERATIONS
// Threads load it, too.
if (path !== undefined && isMainThread) {
  const counted = new Counted()
  countCalls(counted)
  countStores(counted, watchMappings())
  process.on('SIGUSR2', () => {
    writeFileSync(`${path}.part`, JSON.stringify(counted.take()))
    renameSync(`${path}.part`, path)
  })
}
