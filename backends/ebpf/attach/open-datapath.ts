import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import {
  type BpfMap,
  cgroupId,
  ensureBpffs,
  type Link,
  type LoadedObject,
  loadObjectInThread,
  type Program,
} from '@kpng/ebpf'
import type { ForeignIds } from './foreign-ids.ts'
import { type Generation, removeOtherGenerations } from './generation.ts'
import { HookLinks } from './hook-links.ts'
import { wantedHooks } from './hooks.ts'
import { type Inheritance, inherit } from './inheritance.ts'
import { lockCgroup } from './links.ts'
import {
  countMaps,
  type DerivedMap,
  derivedMaps,
  livingMaps,
  MapLayouts,
  type PinnedMap,
  type Sizes,
} from './map-set.ts'
import { OldCounts } from './old-counts.ts'
import { countPath, generationPath, instancePath, livingPath } from './pin-paths.ts'
import { Pins } from './pins.ts'

export interface DatapathOptions {
  readonly instance: string
  /** cgroup2 directory whose sockets are served. */
  readonly cgroup: string
  readonly sizes: Sizes
  /** Socket records for TCP too, so that getpeername shows the Service. */
  readonly recordTcp: boolean
  /** Flow and drop events to the ring buffer. */
  readonly events: boolean
  readonly protectNodePorts: boolean
  /** Where the compiled objects are. */
  readonly objectDirectory: string
}

const sockObject = 'sock.bpf.o'
const iterObject = 'sock_iter.bpf.o'

interface DatapathParts {
  readonly inheritance: Inheritance
  readonly layouts: MapLayouts
  readonly lock: Disposable
  /** Of all the others. */
  readonly resources: DisposableStack
  readonly sock: LoadedObject
  readonly iterators: LoadedObject
}

/**
 * The loaded programs and open maps of an instance. Opening changes nothing that runs: the programs of a previous
 * agent go on until `attach`, which the caller calls when the maps hold a complete view.
 */
export class Datapath implements Disposable {
  readonly #options: DatapathOptions
  readonly #resources: DisposableStack
  readonly #sock: LoadedObject
  readonly #iterators: LoadedObject
  readonly generation: number
  readonly #links: HookLinks
  readonly #pins: Pins
  readonly #oldCounts: OldCounts
  /** The directory of that name may be removed and made again. */
  #lockedCgroup: bigint
  #lock: Disposable
  /** The maps of the generation in force before, where it could not be gone on with; undefined after `attach`. */
  #previous: Generation | undefined
  readonly #isNew: boolean
  /** What the generation before holds can be taken over, whatever its layout. */
  readonly isPreviousUnderstood: boolean
  /** Why there is a new generation; undefined where the maps of the previous agent are used on. */
  readonly newGenerationReason: string | undefined

  private constructor(options: DatapathOptions, parts: DatapathParts) {
    const { inheritance, layouts, lock, resources, sock, iterators } = parts
    const { instance, cgroup, protectNodePorts, objectDirectory } = options
    this.#options = options
    this.#resources = resources
    this.#lock = lock
    this.#lockedCgroup = cgroupId(cgroup)
    this.#sock = sock
    this.#iterators = iterators
    this.generation = inheritance.generation
    this.#previous = inheritance.previous
    this.#isNew = inheritance.isNew
    this.isPreviousUnderstood = inheritance.isPreviousUnderstood
    this.newGenerationReason = inheritance.newGenerationReason
    this.#links = resources.use(
      new HookLinks({
        ...{ instance, cgroup, protectNodePorts, layouts },
        program: name => this.#sock.program(name),
      }),
    )
    this.#links.hold()
    this.#pins = new Pins(() => this.#wantedPins())
    const { keep, outgrown } = inheritance
    this.#oldCounts = resources.use(
      new OldCounts({ ...keep, instance, objectDirectory, outgrown, now: name => this.map(name) }),
    )
    this.#pins.restore()
    // Not before the map that they go to is pinned. What is told of them does not go back from here on.
    this.#oldCounts.move()
  }

  /**
   * The event loop goes on meanwhile. Throws KpngError: unsupported (no bpffs, no bytecode), conflict (cgroup taken,
   * maps of a newer version).
   */
  static async open(options: DatapathOptions): Promise<Datapath> {
    const { instance, cgroup, objectDirectory } = options
    const sockPath = join(objectDirectory, sockObject)
    if (!existsSync(sockPath))
      throw new KpngError('unsupported', `no bytecode in ${objectDirectory}: build it with make bytecode`)
    try {
      ensureBpffs()
    } catch (reason) {
      throw KpngError.from(reason, 'unsupported')
    }
    const resources = new DisposableStack()
    let lock: Disposable | undefined
    try {
      lock = lockCgroup(instance, cgroup)
      mkdirSync(instancePath(instance), { recursive: true, mode: 0o700 })
      const layouts = new MapLayouts(sockPath)
      const inheritance = inherit(options, layouts, resources)
      const sock = resources.use(
        await loadObjectInThread(sockPath, {
          programs: wantedHooks(options).map(hook => hook.name),
          ...{ reuse: inheritance.reuse, maxEntries: inheritance.maxEntries },
          constants: { record_tcp: options.recordTcp, events_enabled: options.events },
        }),
      )
      const iterators = resources.use(
        await loadObjectInThread(join(objectDirectory, iterObject), {
          reuse: { sk_tcp: sock.map('sk_tcp'), sk_udp: sock.map('sk_udp') },
        }),
      )
      return new Datapath(options, { inheritance, layouts, lock, resources, sock, iterators })
    } catch (reason) {
      lock?.[Symbol.dispose]()
      resources.dispose()
      throw reason
    }
  }

  /** Where each map and each link is to be pinned. */
  *#wantedPins(): Generator<readonly [path: string, object: BpfMap | Link]> {
    const { instance } = this.#options
    const places: ReadonlyArray<readonly [string, readonly PinnedMap[]]> = [
      [generationPath(instance, this.generation), derivedMaps],
      [livingPath(instance), livingMaps],
      [countPath(instance), countMaps],
    ]
    for (const [directory, names] of places)
      for (const name of names) yield [join(directory, name), this.#sock.map(name)]
    // Programs of a former agent look into them.
    for (const [name, map] of this.#previous?.maps ?? [])
      yield [join(generationPath(instance, this.#previous?.number ?? 0), name), map]
    yield* this.#oldCounts.pins()
    yield* this.#links.pins()
  }

  map(name: PinnedMap): BpfMap {
    return this.#sock.map(name)
  }

  /** Backend ids that the iterators look for: of this agent alone. */
  get dead(): BpfMap {
    return this.#iterators.map('dead')
  }

  iterator(name: string): Program {
    return this.#iterators.program(name)
  }

  /** The maps of the generation before: ids are read from them, `byName`. None where its fields mean something else. */
  previousMap(name: PinnedMap): BpfMap | undefined {
    return this.isPreviousUnderstood ? this.#previous?.maps.get(name as DerivedMap) : undefined
  }

  /** Of programs whose ids nobody can name: those that they may yet give to sockets. */
  get foreignIds(): ForeignIds {
    return this.#oldCounts.foreignIds
  }

  /** No previous agent has left maps. */
  get isNew(): boolean {
    return this.#isNew
  }

  /**
   * Puts the programs in place and takes the generation before away. Each connection meets the old or the new. Throws
   * conflict where a new cgroup of this name is another's.
   */
  attach(): void {
    const { instance, cgroup } = this.#options
    if (cgroupId(cgroup) !== this.#lockedCgroup) {
      const lock = lockCgroup(instance, cgroup)
      this.#lock[Symbol.dispose]()
      this.#lock = lock
      this.#lockedCgroup = cgroupId(cgroup)
    }
    this.#links.attach()
    removeOtherGenerations(instance, [this.generation])
    for (const map of this.#previous?.maps.values() ?? []) map[Symbol.dispose]()
    this.#previous = undefined
    this.#oldCounts.move()
  }

  /** Takes along what programs of a former agent have counted until now. */
  moveCounts(): void {
    this.#oldCounts.move()
  }

  /** No program of a former agent runs any more. */
  endPrevious(): void {
    this.#oldCounts.end()
  }

  /** Programs of others that run at the same hooks, as sentences. Throws NOT_FOUND without the cgroup. */
  neighbours(): string[] {
    return this.#links.neighbours()
  }

  /** What `attach` has put in place and is not there any more, as a sentence. Throws NOT_FOUND without the cgroup. */
  fault(): string | undefined {
    return this.#links.fault()
  }

  /**
   * Pins the maps and links that are not. Mounts a BPF file system where there is none any more. Without a pin all
   * goes on as long as the agent does.
   */
  pin(): void {
    this.#pins.restore()
  }

  /** What is not pinned any more, as a sentence. */
  pinFault(): string | undefined {
    return this.#pins.fault()
  }

  /** Closes descriptors; what is pinned goes on. */
  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]()
    this.#resources[Symbol.dispose]()
  }
}
