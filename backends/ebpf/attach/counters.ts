import { type BpfMap, EbpfError } from '@kpng/ebpf'
import { openPin } from './generation.ts'
import { type CarriedCount, type CountMap, carriedCounts, countMaps, type MapLayouts } from './map-set.ts'
import { countPath } from './pin-paths.ts'

export interface Counters {
  /** Those that are counted on in. */
  readonly reuse: Partial<Readonly<Record<CountMap, BpfMap>>>
  /** Those that others take the place of: what is counted in them is not forgotten before `OldCounts` has it. */
  readonly outgrown: Partial<Readonly<Record<CarriedCount, BpfMap>>>
}

/** Which counts of former agents mean something to this one. */
export interface CountsToKeep {
  readonly layouts: MapLayouts
  /** Ids are taken over: without them nobody knows whose the counts are. */
  readonly idsKept: boolean
  readonly entries: Readonly<Partial<Record<CountMap, number>>>
}

/** The counters that former agents have pinned. Those that do not fit start again, with what can be carried over. */
export function openCounters(instance: string, keep: CountsToKeep, resources: DisposableStack): Counters {
  const reuse: Partial<Record<CountMap, BpfMap>> = {}
  const outgrown: Partial<Record<CarriedCount, BpfMap>> = {}
  for (const name of countMaps) {
    const map = openPin(resources, countPath(instance), name)
    if (map === undefined) continue
    if (canBeRead(map, name, keep) && hasRoom(map, name, keep)) reuse[name] = map
    else if (isCarried(name) && !isNobodys(map, name, keep)) outgrown[name] = map
  }
  return { reuse, outgrown }
}

/** Do its entries mean what those of this version's map of that name do, whatever its size? */
export const canBeRead = (map: BpfMap, name: CountMap, { layouts, idsKept }: CountsToKeep): boolean =>
  (!isById(name) || (idsKept && isOfLayout(map, layouts))) && hasLayout(map, name, layouts)

/** Do its entries have the same fields? */
export function hasLayout(map: BpfMap, name: CountMap, layouts: MapLayouts): boolean {
  try {
    layouts.check(`counter ${name}`, map, name, undefined)
    return true
  } catch (reason) {
    if (reason instanceof EbpfError && reason.code === 'LAYOUT') return false
    throw reason
  }
}

/** Counted by ids that no agent knows any more. What another version's ids count is kept until it cannot come back. */
export const isNobodys = (map: BpfMap, name: CarriedCount, { layouts, idsKept }: CountsToKeep): boolean =>
  isById(name) && !idsKept && isOfLayout(map, layouts)

const isOfLayout = ({ info }: BpfMap, layouts: MapLayouts): boolean =>
  layouts.versionsOf(info.btfId)?.layout === layouts.own.layout

const isById = (name: CountMap): boolean => name === 'backend_count' || name === 'service_count'

const isCarried = (name: CountMap): name is CarriedCount => carriedCounts.some(carried => carried === name)

/** Reasons are only ever added: a later version has room for more. */
function hasRoom({ info }: BpfMap, name: CountMap, { entries }: CountsToKeep): boolean {
  const wanted = entries[name]
  if (wanted === undefined) return true
  return name === 'reason_count' ? info.maxEntries >= wanted : info.maxEntries === wanted
}
