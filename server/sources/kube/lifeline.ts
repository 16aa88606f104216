import type { Problem } from '@kpng/api'
import type { EndpointSlice, Service } from '../../objects/types.ts'
import type { ObjectRef } from '../../store/store.ts'
import { type Held, hold, nothing, type OwnService, usable } from './lifeline-rule.ts'
import { type Item, refKey } from './read-item.ts'
import type { ReflectorTarget } from './reflector.ts'

const OWN: ObjectRef = { kind: 'Service', namespace: 'default', name: 'kubernetes' }
const OWN_KEY = refKey(OWN)

const isOwnSlice = (object: Item['object']): object is EndpointSlice =>
  object?.kind === 'EndpointSlice' && object.namespace === 'default' && object.service === 'kubernetes'

export interface LifelineOptions {
  readonly services: ReflectorTarget
  readonly slices: ReflectorTarget
  /** What the URL of the API server stands for, now. */
  readonly addresses: () => ReadonlySet<string>
  /** Told when `problems` may have changed; must only take note. */
  readonly onProblems: () => void
}

/**
 * Between the reflectors of Services and EndpointSlices and where they write: the API server's own Service is not
 * taken away from under our feet, see `hold`. Everything else passes as it is.
 */
export class Lifeline {
  readonly services: ReflectorTarget
  readonly slices: ReflectorTarget
  readonly #options: LifelineOptions
  #service: Item | undefined
  readonly #slices = new Map<string, Item>()
  /** Slices of other Services whose key was one of ours: what is held of that goes first. */
  readonly #others = new Map<string, Item>()
  #good: OwnService = nothing
  #held: Held = { ...nothing, what: 'nothing' }
  /** Lists that are being written: nothing else may be, meanwhile. */
  readonly #replacing = new Set<ReflectorTarget>()
  /** Own objects, and those others, as they have been written, by key. */
  readonly #written = new Map<string, Item>()

  constructor(options: LifelineOptions) {
    this.#options = options
    this.services = this.#guard(options.services)
    this.slices = this.#guard(options.slices)
  }

  problems(): Problem[] {
    const lost = { nothing: '', endpoints: 'has no endpoints left', service: 'is gone' }[this.#held.what]
    if (lost === '') return []
    const message = `${lost}, and the API server is reached through it: the last known backends stay in use`
    return [{ where: OWN_KEY, field: '', message }]
  }

  #guard(target: ReflectorTarget): ReflectorTarget {
    return {
      replace: async items => await this.#replace(target, items),
      put: item => {
        const key = refKey(item.ref)
        const own = this.#isOwn(item)
        const isGuarded = this.#isGuarded(key)
        if (!own && !isGuarded) return target.put(item)
        // Something else may have had the key, and is to go.
        if (!isGuarded) this.#written.set(key, { ...item, object: undefined })
        this.#forget(key)
        if (own) this.#note(item)
        else this.#others.set(key, item)
        this.#settle()
      },
      delete: ref => {
        const key = refKey(ref)
        if (!this.#isGuarded(key)) return target.delete(ref)
        this.#forget(key)
        this.#settle()
      },
    }
  }

  #isOwn({ ref, object }: Item): boolean {
    return refKey(ref) === OWN_KEY || isOwnSlice(object)
  }

  #note(item: Item): void {
    const key = refKey(item.ref)
    if (key === OWN_KEY) this.#service = item
    else this.#slices.set(key, item)
  }

  /** Something of ours has this key, or had it. */
  #isGuarded(key: string): boolean {
    const isSaid = key === OWN_KEY ? this.#service !== undefined : this.#slices.has(key)
    return isSaid || this.#others.has(key) || this.#written.has(key)
  }

  #forget(key: string): void {
    if (key === OWN_KEY) this.#service = undefined
    this.#slices.delete(key)
    this.#others.delete(key)
  }

  async #replace(target: ReflectorTarget, items: ReadonlyMap<string, Item>): Promise<void> {
    if (target === this.#options.services) this.#service = undefined
    else {
      this.#slices.clear()
      this.#others.clear()
    }
    const all = new Map(items)
    for (const [key, item] of items) {
      if (!this.#isOwn(item)) continue
      this.#note(item)
      all.delete(key)
    }
    this.#decide()
    const own = this.#wanted(target)
    for (const [key, item] of own) {
      const other = all.get(key)
      if (other !== undefined) this.#others.set(key, other)
      all.set(key, item)
    }
    this.#replacing.add(target)
    await target.replace(all)
    this.#replacing.delete(target)
    for (const [key, { ref }] of this.#written) if (this.#targetOf(ref) === target) this.#written.delete(key)
    for (const [key, item] of own) this.#written.set(key, item)
    this.#settle() // for the other kind, which may have moved on meanwhile
  }

  #decide(): void {
    const said = {
      service: this.#service?.object as Service | undefined,
      slices: [...this.#slices.values()].map(it => it.object).filter(isOwnSlice),
    }
    const before = this.#held.what
    this.#good = usable(said, this.#good)
    this.#held = hold(said, this.#good, this.#options.addresses())
    if (this.#held.what !== before) this.#options.onProblems()
  }

  /** Has the targets hold what is wanted of our objects, and nothing else of them. */
  #settle(): void {
    this.#decide()
    for (const target of [this.#options.services, this.#options.slices]) {
      if (this.#replacing.has(target)) continue
      const wanted = this.#wanted(target)
      for (const [key, { ref }] of this.#written) {
        if (this.#targetOf(ref) !== target || wanted.has(key)) continue
        this.#written.delete(key)
        target.delete(ref)
      }
      for (const [key, item] of wanted) {
        if (this.#written.get(key) === item) continue
        this.#written.set(key, item)
        target.put(item)
      }
    }
  }

  #wanted(target: ReflectorTarget): Map<string, Item> {
    const { service, slices } = this.#held
    const wanted = new Map<string, Item>()
    if (target === this.#options.services) {
      const item = service === undefined ? this.#service : this.#item(OWN, service)
      if (item !== undefined) wanted.set(OWN_KEY, item)
      return wanted
    }
    for (const [key, item] of this.#others) wanted.set(key, item)
    for (const slice of slices) {
      const ref = { kind: slice.kind, namespace: slice.namespace, name: slice.name }
      wanted.set(refKey(ref), this.#item(ref, slice))
    }
    return wanted
  }

  /** The same one for the same object. */
  #item(ref: ObjectRef, object: Service | EndpointSlice): Item {
    const key = refKey(ref)
    const said = key === OWN_KEY ? this.#service : this.#slices.get(key)
    for (const known of [said, this.#written.get(key)]) if (known?.object === object) return known
    return { ref, object, problems: [] }
  }

  #targetOf({ kind }: ObjectRef): ReflectorTarget {
    return kind === 'Service' ? this.#options.services : this.#options.slices
  }
}
