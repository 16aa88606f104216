import { mkdirSync, renameSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import {
  BpfMap,
  EbpfError,
  ensureBpffs,
  type Link,
  onBpffs,
  openPinnedLink,
  openPinnedMap,
  unpin,
} from '@kpng/ebpf'
import { bpffs } from './pin-paths.ts'

type Pinnable = BpfMap | Link

/** Of a pin that was seen to be the object: another pin of that path has another one. */
interface Seen {
  readonly object: Pinnable
  readonly device: bigint
  readonly inode: bigint
}

/** What an agent must find pinned when it starts again: the objects that are open now, by path. */
export class Pins {
  readonly #wanted: () => Iterable<readonly [path: string, object: Pinnable]>
  readonly #seen = new Map<string, Seen>()

  constructor(wanted: () => Iterable<readonly [path: string, object: Pinnable]>) {
    this.#wanted = wanted
  }

  /** What is not pinned any more, as a sentence. */
  fault(): string | undefined {
    if (!mounted()) return `no BPF file system is mounted on ${bpffs} any more`
    const gone = [...this.#gone()].map(([path]) => path)
    const [first] = gone
    return gone.length > 1
      ? `${first} and ${gone.length - 1} more pins are gone`
      : first && `the pin ${first} is gone`
  }

  /** Pins what is not; mounts a BPF file system where there is none. Throws PERMISSION, INVALID. */
  restore(): void {
    ensureBpffs(bpffs)
    for (const [path, object] of this.#gone()) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      // Somebody may have put something else there, which must not be missing for a moment where it is a link.
      const scratch = join(dirname(path), `new_${basename(path)}`)
      unpin(scratch)
      object.pin(scratch)
      renameSync(scratch, path)
    }
  }

  *#gone(): Generator<readonly [path: string, object: Pinnable]> {
    for (const [path, object] of this.#wanted()) if (!this.#isAt(path, object)) yield [path, object]
  }

  /** By its inode: opening each pin at each look costs four times as much. */
  #isAt(path: string, object: Pinnable): boolean {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (found === undefined) return false
    const seen = this.#seen.get(path)
    if (seen?.object === object && seen.device === found.dev && seen.inode === found.ino) return true
    if (pinnedId(path, object) !== idOf(object)) return false
    this.#seen.set(path, { object, device: found.dev, inode: found.ino })
    return true
  }
}

function mounted(): boolean {
  try {
    return onBpffs(bpffs)
  } catch (reason) {
    if (reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return false
    throw reason
  }
}

const idOf = (object: Pinnable): number => (object instanceof BpfMap ? object.info.id : object.info().id)

/** Of what is pinned at a path, if it is of the object's kind. */
function pinnedId(path: string, object: Pinnable): number | undefined {
  try {
    using found = object instanceof BpfMap ? openPinnedMap(path) : openPinnedLink(path)
    return idOf(found)
  } catch (reason) {
    if (reason instanceof EbpfError && (reason.code === 'NOT_FOUND' || reason.code === 'LAYOUT'))
      return undefined
    throw reason
  }
}
