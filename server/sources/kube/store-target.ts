import { KpngError, type Problem } from '@kpng/api'
import type { Kind, KubeObject } from '../../objects/types.ts'
import type { ObjectRef, Store } from '../../store/store.ts'
import { TimeSlice } from '../../view/time-slice.ts'
import { type Item, refKey } from './read-item.ts'

/** Objects whose problems are told one by one; of the others their number. */
const MAX_OBJECTS_TOLD = 200

/** The objects of one kind, as one source has them in the store. */
export class StoreTarget {
  readonly #store: Store
  readonly #source: string
  readonly #kind: Kind
  readonly #onProblems: () => void
  /** What is in the store: what a new list does not name goes. */
  readonly #stored = new Map<string, ObjectRef>()
  /** Kept out by a bound of the store; tried again when something goes. */
  readonly #refused = new Map<string, { readonly object: KubeObject; readonly message: string }>()
  /** What was set off before is late through no fault of ours. */
  readonly #sinceMs = Date.now()
  readonly #problems = new Map<string, readonly Problem[]>()

  /** onProblems: told when problems may have changed; must only take note. */
  constructor(store: Store, source: string, kind: Kind, onProblems: () => void) {
    this.#store = store
    this.#source = source
    this.#kind = kind
    this.#onProblems = onProblems
  }

  /**
   * These are all there are. Takes as many turns as it needs, but no view shows half of it. What goes makes room for
   * what comes. Nothing else may be called meanwhile.
   */
  async replace(items: ReadonlyMap<string, Item>): Promise<void> {
    using _update = this.#store.beginUpdate()
    const slice = new TimeSlice()
    for (const [key, ref] of this.#stored) {
      if (slice.isOver) await slice.next()
      if (items.get(key)?.object === undefined) this.#remove(key, ref)
    }
    this.#refused.clear()
    this.#problems.clear()
    for (const [key, item] of items) {
      if (slice.isOver) await slice.next()
      this.#put(key, item)
    }
    this.#store.complete(this.#source, [this.#kind])
    this.#onProblems()
  }

  put(item: Item): void {
    const key = refKey(item.ref)
    const before = this.#troubled(key)
    this.#put(key, item)
    if (before || this.#troubled(key)) this.#onProblems()
  }

  delete(ref: ObjectRef): void {
    const key = refKey(ref)
    const before = this.#troubled(key) || this.#refused.size > 0
    this.#forget(key)
    for (const [again, { object }] of [...this.#refused]) this.#set(again, object)
    if (before) this.#onProblems()
  }

  problems(): Problem[] {
    const told = [...this.#problems.values()].slice(0, MAX_OBJECTS_TOLD).flat()
    const refused = [...this.#refused].slice(0, MAX_OBJECTS_TOLD)
    const untold =
      Math.max(0, this.#problems.size - MAX_OBJECTS_TOLD) + Math.max(0, this.#refused.size - MAX_OBJECTS_TOLD)
    return [
      ...told,
      ...refused.map(([where, { message }]) => ({ where, field: '', message })),
      ...(untold > 0
        ? [{ where: this.#kind, field: '', message: `${untold} more objects have problems` }]
        : []),
    ]
  }

  #troubled(key: string): boolean {
    return this.#problems.has(key) || this.#refused.has(key)
  }

  #put(key: string, { object, problems, triggeredAtMs = 0 }: Item): void {
    if (object === undefined) this.#forget(key)
    else this.#set(key, object, triggeredAtMs >= this.#sinceMs ? triggeredAtMs : undefined)
    if (problems.length === 0) this.#problems.delete(key)
    else this.#problems.set(key, problems)
  }

  #set(key: string, object: KubeObject, triggeredAtMs?: number): void {
    this.#refused.delete(key)
    try {
      this.#store.set(this.#source, object, triggeredAtMs)
      this.#stored.set(key, object)
    } catch (error) {
      const reason = KpngError.from(error)
      if (reason.code !== 'exhausted') throw error
      this.#refused.set(key, { object, message: `is not used: ${reason.message}` })
    }
  }

  #forget(key: string): void {
    this.#refused.delete(key)
    this.#problems.delete(key)
    const stored = this.#stored.get(key)
    if (stored !== undefined) this.#remove(key, stored)
  }

  #remove(key: string, ref: ObjectRef): void {
    this.#store.delete(this.#source, ref)
    this.#stored.delete(key)
  }
}
