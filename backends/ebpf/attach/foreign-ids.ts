import { array, type BpfMap, memoryMap, perCpuMap, u32, u64 } from '@kpng/ebpf'
import type { AdoptedIds } from '../reconcile/adopted.ts'
import type { IdLimits } from '../reconcile/tables.ts'
import type { CarriedCount } from './map-set.ts'

/** How far ids go that nobody can name: those of programs of another LAYOUT_VERSION. 0: none are known. */
export interface ForeignIds {
  readonly maxBackend: number
  readonly maxServicePort: number
}

/**
 * The highest id that something was ever counted by, whatever it was. Ids are given lowest first: what programs that
 * count there give to a socket is not above, but for an id that nobody has used yet.
 */
export function highestCounted(map: BpfMap, name: Exclude<CarriedCount, 'reason_count'>): number {
  const words = array(u64, map.info.valueSize / 8)
  const last = map.info.maxEntries - 1
  if (name === 'backend_count') {
    const counts = memoryMap(map, words)
    return highest(last, id => counts.read(id))
  }
  const counts = perCpuMap(map, u32, words)
  return highest(last, id => counts.lookup(id)?.flat() ?? [])
}

function highest(last: number, wordsOf: (id: number) => readonly bigint[]): number {
  for (let id = last; id > 0; id--) if (wordsOf(id).some(word => word !== 0n)) return id
  return 0
}

/**
 * Until they are replaced, programs whose ids nobody can name give them to further sockets. So all that may be theirs
 * wait until nobody remembers them, as the others do that sockets remember now: unless Services need the room.
 */
export const keepClearOf = (foreign: ForeignIds, ids: AdoptedIds, limits: IdLimits): AdoptedIds => ({
  ...ids,
  blockedBackends: blockedUpTo(foreign.maxBackend, ids.blockedBackends, limits.maxBackendId),
  blockedServicePorts: blockedUpTo(foreign.maxServicePort, ids.blockedServicePorts, limits.maxServicePortId),
})

function blockedUpTo(last: number, known: ReadonlySet<number>, limit: number): ReadonlySet<number> {
  if (last > limit / 2) return known
  const blocked = new Set(known)
  for (let id = 1; id <= last; id++) blocked.add(id)
  return blocked
}
