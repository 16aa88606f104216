import type { BpfMap } from './bpf-map.ts'
import { EbpfError } from './error.ts'
import { MapFlag, MapType } from './sys/bpf-enum.ts'
import { Mapping, pageSize } from './sys/mapping.ts'

/**
 * Takes what an array of counters has counted and adds it to the entries of the same index in another, 64-bit word for
 * word, each at once: programs may go on counting in both, and nothing is lost or counted twice. Entries that only one
 * of them has stay as they are. Throws LAYOUT for maps that are no MMAPABLE arrays of one layout of such words.
 */
export function moveCounts(from: BpfMap, to: BpfMap): void {
  for (const { name, info } of [from, to])
    if (info.type !== MapType.ARRAY || !(info.flags & MapFlag.MMAPABLE) || info.valueSize % 8 !== 0)
      throw new EbpfError('LAYOUT', `map ${name} is no MMAPABLE array of 64-bit words`)
  if (from.info.valueSize !== to.info.valueSize)
    throw new EbpfError(
      'LAYOUT',
      `map ${from.name} has ${from.info.valueSize} bytes an entry, ${to.name} ${to.info.valueSize}`,
    )
  const length = Math.min(from.info.maxEntries, to.info.maxEntries) * from.info.valueSize
  using source = mapping(from, length)
  using target = mapping(to, length)
  moveWords(words(source), words(target), length / 8)
}

const mapping = (map: BpfMap, length: number): Mapping =>
  Mapping.ofFd(map.fd, Math.ceil(length / pageSize()) * pageSize(), { writable: true })

const words = (mapped: Mapping): BigUint64Array => new BigUint64Array(mapped.view().buffer)

function moveWords(from: BigUint64Array, to: BigUint64Array, count: number): void {
  for (let word = 0; word < count; word++) {
    if (from[word] === 0n) continue
    Atomics.add(to, word, Atomics.exchange(from, word, 0n))
  }
}
