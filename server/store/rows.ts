import type { KubeObject } from '../objects/types.ts'
import { same } from './same.ts'

/** What sources say of one key; sorted by source, the first one counts. Nearly always one. */
interface Row<T> {
  readonly source: string
  readonly object: T
}

/** Objects of one kind by key, from any number of sources. */
export class Rows<T extends KubeObject> {
  readonly #rows = new Map<string, readonly Row<T>[]>()
  readonly maxRows: number

  constructor(maxRows: number) {
    this.maxRows = maxRows
  }

  get(key: string): T | undefined {
    return this.#rows.get(key)?.[0]?.object
  }

  *values(): IterableIterator<T> {
    for (const [first] of this.#rows.values()) if (first !== undefined) yield first.object
  }

  /** A new key beyond the bound is refused. */
  hasRoomFor(key: string): boolean {
    return this.#rows.size < this.maxRows || this.#rows.has(key)
  }

  /** Writes (undefined: takes away) what one source says. Gives the object that counted before, and counts now. */
  put(
    source: string,
    key: string,
    object: T | undefined,
  ): { readonly before: T | undefined; readonly after: T | undefined } {
    const rows = this.#rows.get(key) ?? []
    const before = rows[0]?.object
    const old = rows.find(row => row.source === source)?.object
    if (old !== undefined && object !== undefined && same(old, object)) return { before, after: before }
    const others = rows.filter(row => row.source !== source)
    const now =
      object === undefined
        ? others
        : others.concat({ source, object }).sort((a, b) => (a.source < b.source ? -1 : 1))
    if (now.length === 0) this.#rows.delete(key)
    else this.#rows.set(key, now)
    return { before, after: now[0]?.object }
  }
}
