import type { BpfMap } from '@kpng/ebpf'
import { type Counters, type CountsToKeep, openCounters } from './counters.ts'
import {
  currentGeneration,
  type Generation,
  generationMismatch,
  isUnderstood,
  removeOtherGenerations,
} from './generation.ts'
import { openLivingMaps } from './living-maps.ts'
import { entriesOf, type MapLayouts, type PinnedMap, type Sizes } from './map-set.ts'
import { pinnedGenerations } from './pin-paths.ts'

/** What former agents of an instance have left, and what of it this one goes on with. */
export interface Inheritance {
  /** No previous agent has left maps. */
  readonly isNew: boolean
  /** Number of the generation that this agent works in. */
  readonly generation: number
  /** Why that is a new one; undefined where the maps of the previous agent are used on, and where there are none. */
  readonly newGenerationReason: string | undefined
  /** The generation in force, where it cannot be gone on with. */
  readonly previous: Generation | undefined
  /** What that holds can be taken over, whatever its layout. */
  readonly isPreviousUnderstood: boolean
  /** Maps to use in place of new ones. */
  readonly reuse: Partial<Readonly<Record<PinnedMap, BpfMap>>>
  /** A living map keeps the size that it was made with, and so does a counter that has room enough. */
  readonly maxEntries: Readonly<Record<string, number>>
  readonly outgrown: Counters['outgrown']
  readonly keep: CountsToKeep
}

/** Opens it. Throws KpngError conflict for maps of a newer version: nothing has been touched then. */
export function inherit(
  { instance, sizes }: { readonly instance: string; readonly sizes: Sizes },
  layouts: MapLayouts,
  resources: DisposableStack,
): Inheritance {
  const entries = entriesOf(sizes)
  // First what may refuse.
  const living = openLivingMaps(instance, layouts, resources)
  const current = currentGeneration(instance, resources)
  const newGenerationReason = current && generationMismatch(current, layouts, entries)
  const goOn = current !== undefined && newGenerationReason === undefined
  // What is neither in force nor about to be is left from an agent that died while it made it.
  removeOtherGenerations(instance, current === undefined ? [] : [current.number])
  const isPreviousUnderstood = current === undefined || isUnderstood(current, layouts)
  const keep = { layouts, entries, idsKept: isPreviousUnderstood }
  const { reuse: counters, outgrown } = openCounters(instance, keep, resources)
  return {
    isNew: current === undefined,
    generation: goOn ? current.number : Math.max(0, ...pinnedGenerations(instance)) + 1,
    newGenerationReason,
    previous: goOn ? undefined : current,
    isPreviousUnderstood,
    reuse: { ...(goOn ? Object.fromEntries(current.maps) : {}), ...living, ...counters },
    maxEntries: { ...entries, ...sizesOf(living), ...sizesOf(counters) },
    outgrown,
    keep,
  }
}

const sizesOf = (maps: Readonly<Record<string, BpfMap>>): Record<string, number> =>
  Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, map.info.maxEntries]))
