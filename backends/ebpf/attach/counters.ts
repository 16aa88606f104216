import { join } from 'node:path'
import { type BpfMap, EbpfError, moveCounts, openPinnedMap, unpin } from '@kpng/ebpf'
import { openPin } from './generation.ts'
import { type CountMap, countMaps, type MapLayouts, type PinnedMap } from './map-set.ts'
import { countPath, namesIn } from './pin-paths.ts'

export interface Counters {
  /** Those that are counted on in. */
  readonly reuse: Partial<Readonly<Record<CountMap, BpfMap>>>
  /** backend_count of another size: what is open in it must not be forgotten. */
  readonly outgrown: BpfMap | undefined
}

/** The counters that former agents have pinned. Of another size or layout they start again at zero. */
export function openCounters(
  instance: string,
  layouts: MapLayouts,
  entries: Readonly<Partial<Record<PinnedMap, number>>>,
  resources: DisposableStack,
): Counters {
  const reuse: Partial<Record<CountMap, BpfMap>> = {}
  let outgrown: BpfMap | undefined
  const fits = (map: BpfMap, name: CountMap, size: number | undefined): boolean => {
    try {
      layouts.check(`counter ${name}`, map, name, size)
      return true
    } catch (reason) {
      if (reason instanceof EbpfError && reason.code === 'LAYOUT') return false
      throw reason
    }
  }
  for (const name of countMaps) {
    const map = openPin(resources, countPath(instance), name)
    if (map === undefined) continue
    if (fits(map, name, entries[name])) reuse[name] = map
    else if (name === 'backend_count' && fits(map, name, undefined)) outgrown = map
  }
  return { reuse, outgrown }
}

const prefix = 'before_'

/**
 * Counts of backends in maps of other sizes, which programs of former agents have counted in, or still do. They stay
 * pinned until everything in them has been moved: the agent may die before.
 */
export class OldCounts implements Disposable {
  readonly #directory: string
  readonly #now: BpfMap
  readonly #resources = new DisposableStack()
  readonly #maps = new Map<string, BpfMap>()

  /** Pins `outgrown` for this, beside those that are still there. */
  constructor(instance: string, now: BpfMap, outgrown: BpfMap | undefined) {
    this.#directory = countPath(instance)
    this.#now = now
    using undo = new DisposableStack()
    undo.use(this.#resources)
    const names = namesIn(this.#directory).filter(name => name.startsWith(prefix))
    if (outgrown !== undefined && !names.includes(nameOf(outgrown))) {
      outgrown.pin(join(this.#directory, nameOf(outgrown)))
      names.push(nameOf(outgrown))
    }
    for (const name of names) {
      // An agent died before another map took the place of this one.
      if (name === nameOf(now)) unpin(join(this.#directory, name))
      else this.#maps.set(name, this.#resources.use(openPinnedMap(join(this.#directory, name))))
    }
    undo.move()
  }

  /** Adds what they have counted until now to the counts of now. */
  move(): void {
    for (const map of this.#maps.values()) moveCounts(map, this.#now)
  }

  /** The same for the last time: no program counts in them any more. */
  end(): void {
    this.move()
    for (const name of this.#maps.keys()) unpin(join(this.#directory, name))
    this.#maps.clear()
    this.#resources.dispose()
  }

  [Symbol.dispose](): void {
    this.#resources.dispose()
  }
}

const nameOf = (map: BpfMap): string => `${prefix}${map.info.id}`
