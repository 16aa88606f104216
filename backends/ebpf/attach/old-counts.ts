import { join } from 'node:path'
import { type BpfMap, moveCounts, openPinnedMap, unpin } from '@kpng/ebpf'
import { type CountsToKeep, canBeRead, hasLayout, isNobodys } from './counters.ts'
import { type ForeignIds, highestCounted } from './foreign-ids.ts'
import { type CarriedCount, carriedCounts } from './map-set.ts'
import { PerCpuCounts } from './per-cpu-counts.ts'
import { countPath, namesIn } from './pin-paths.ts'

export interface OldCountsOptions extends CountsToKeep {
  readonly instance: string
  /** Where programs of this agent count. */
  readonly now: (name: CarriedCount) => BpfMap
  /** Pinned beside those that are still there. */
  readonly outgrown: Partial<Readonly<Record<CarriedCount, BpfMap>>>
  readonly objectDirectory: string
}

/**
 * Counters of other sizes, which programs of former agents have counted in, or still do. They stay pinned until
 * everything in them has been moved: the agent may die before. So do those that this version cannot read: until its
 * programs are in place the version that can may come back.
 */
export class OldCounts implements Disposable {
  readonly #options: OldCountsOptions
  readonly #directory: string
  readonly #resources = new DisposableStack()
  readonly #maps = new Map<string, BpfMap>()
  readonly #moves: (() => void)[] = []
  readonly #foreign = { backend_count: 0, service_count: 0 }

  constructor(options: OldCountsOptions) {
    this.#options = options
    this.#directory = countPath(options.instance)
    using undo = new DisposableStack()
    undo.use(this.#resources)
    const pinned = namesIn(this.#directory)
    for (const name of carriedCounts) {
      const found = pinned.filter(file => file.startsWith(prefixOf(name)))
      const outgrown = options.outgrown[name]
      if (outgrown !== undefined && !found.includes(pinName(name, outgrown))) {
        outgrown.pin(join(this.#directory, pinName(name, outgrown)))
        found.push(pinName(name, outgrown))
      }
      for (const file of found) this.#take(name, file)
    }
    undo.move()
  }

  #take(name: CarriedCount, file: string): void {
    const path = join(this.#directory, file)
    const now = this.#options.now(name)
    const map = this.#resources.use(openPinnedMap(path))
    // Or an agent died before another map took the place of this one.
    if (isNobodys(map, name, this.#options) || file === pinName(name, now)) {
      unpin(path)
      return
    }
    this.#maps.set(path, map)
    if (!canBeRead(map, name, this.#options)) {
      if (name !== 'reason_count' && hasLayout(map, name, this.#options.layouts))
        this.#foreign[name] = Math.max(this.#foreign[name], highestCounted(map, name))
      return
    }
    if (name === 'backend_count') {
      this.#moves.push(() => moveCounts(map, now))
      return
    }
    const counts = this.#resources.use(new PerCpuCounts(this.#options.objectDirectory, name, map, now))
    this.#moves.push(() => counts.move())
  }

  /** Where each is to be pinned. */
  pins(): Iterable<readonly [path: string, map: BpfMap]> {
    return this.#maps
  }

  get foreignIds(): ForeignIds {
    return { maxBackend: this.#foreign.backend_count, maxServicePort: this.#foreign.service_count }
  }

  /** Adds what they have counted until now to the counts of now. */
  move(): void {
    for (const move of this.#moves) move()
  }

  /** The same for the last time: no program counts in them any more. */
  end(): void {
    this.move()
    for (const path of this.#maps.keys()) unpin(path)
    this.#maps.clear()
    this.#moves.length = 0
    this.#resources.dispose()
  }

  [Symbol.dispose](): void {
    this.#resources.dispose()
  }
}

const prefixOf = (name: CarriedCount): string => `${name}_before_`

const pinName = (name: CarriedCount, { info }: BpfMap): string => `${prefixOf(name)}${info.id}`
