import type { Problem } from '@kpng/api'
import { type KubeObject, objectKey } from '../../objects/types.ts'
import { compareText } from '../../select/endpoints.ts'
import type { ReadObject } from './manifest.ts'

/** Where a file stands among others: by the order of the PATHs given, then by name. */
export interface FileRank {
  readonly path: string
  /** Index of the PATH that it was found under. */
  readonly root: number
}

/** One place that defines an object. */
interface Claim extends ReadObject {
  readonly file: FileRank
  /** Position in its file. */
  readonly order: number
}

/** Duplicates beyond this many are not told one by one. */
const MAX_REPORTED = 100

/**
 * Which objects all files together define. An object that is defined more than once is what the last place says,
 * as with `kubectl apply`: last by PATH, then file name, then position in the file.
 */
export class ObjectIndex {
  /** Claims of a key, the one that counts last. */
  readonly #claims = new Map<string, readonly Claim[]>()
  readonly #duplicates = new Set<string>()
  readonly #files = new Map<string, readonly Claim[]>()

  /** What counts for a key; undefined when no file defines it. */
  get(key: string): KubeObject | undefined {
    return this.#of(key).at(-1)?.object
  }

  /**
   * The objects of a file are these now. A step at a time: gives the keys that it defined before or defines now, some
   * of them twice, and is done when there are no more.
   */
  *replace(file: FileRank, objects: readonly ReadObject[]): Generator<string> {
    const before = new Set(this.#files.get(file.path))
    for (const claim of before) {
      const key = objectKey(claim.object)
      this.#put(
        key,
        this.#of(key).filter(it => !before.has(it)),
      )
      yield key
    }
    const claims: Claim[] = []
    for (const [order, it] of objects.entries()) {
      const claim = { ...it, file, order }
      claims.push(claim)
      const key = objectKey(claim.object)
      this.#put(key, this.#of(key).concat(claim).sort(compareClaims))
      yield key
    }
    if (claims.length === 0) this.#files.delete(file.path)
    else this.#files.set(file.path, claims)
  }

  /** What a file defines, in order. */
  objectsOf(file: FileRank): readonly ReadObject[] {
    return this.#files.get(file.path) ?? []
  }

  *objects(): IterableIterator<KubeObject> {
    for (const claims of this.#claims.values()) {
      const last = claims.at(-1)
      if (last !== undefined) yield last.object
    }
  }

  /** `file:line:column` of what counts. */
  whereIs(key: string): string {
    const claim = this.#of(key).at(-1)
    return claim === undefined ? key : place(claim)
  }

  /** Every definition that does not count. */
  problems(): Problem[] {
    const found: Problem[] = []
    for (const key of this.#duplicates) {
      const claims = this.#of(key)
      const winner = claims.at(-1)
      if (winner === undefined || found.length >= MAX_REPORTED) break
      for (const loser of claims.slice(0, -1)) {
        const message = `${title(loser.object)}: is defined again at ${place(winner)}, which is used`
        found.push({ where: place(loser), field: '', message })
      }
    }
    return found
  }

  #of(key: string): readonly Claim[] {
    return this.#claims.get(key) ?? []
  }

  #put(key: string, claims: readonly Claim[]): void {
    if (claims.length === 0) this.#claims.delete(key)
    else this.#claims.set(key, claims)
    if (claims.length > 1) this.#duplicates.add(key)
    else this.#duplicates.delete(key)
  }
}

const place = ({ file, line, column }: Claim): string => `${file.path}:${line}:${column}`

const title = (object: KubeObject): string =>
  'namespace' in object
    ? `${object.kind} ${object.namespace}/${object.name}`
    : `${object.kind} ${object.name}`

function compareClaims(a: Claim, b: Claim): number {
  return a.file.root - b.file.root || compareText(a.file.path, b.file.path) || a.order - b.order
}
