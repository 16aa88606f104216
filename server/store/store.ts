import { KpngError } from '@kpng/api'
import {
  type EndpointSlice,
  joinKey,
  type Kind,
  type KubeObject,
  type Node,
  type Service,
  type ServiceCIDR,
} from '../objects/types.ts'
import { ChangeFeed } from './changes.ts'
import { Rows } from './rows.ts'
import { same } from './same.ts'

export interface StoreOptions {
  /** Bound on the number of objects of each kind. Default 1,000,000. */
  readonly maxObjects?: number
  /** A source has said something of an object, be it new or known. Must only take note. */
  readonly onWrite?: (write: StoreWrite) => void
}

/** What a source has said. */
export interface StoreWrite {
  readonly kind: Kind
  /** `namespace/name`, or the name of what has no namespace. */
  readonly key: string
  /** What somebody reads of the store is another than before. */
  readonly changed: boolean
}

/** What identifies an object within its source. namespace is '' (or left out) for Nodes and ServiceCIDRs. */
export interface ObjectRef {
  readonly kind: Kind
  readonly namespace?: string
  readonly name: string
}

const KINDS: readonly Kind[] = ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR']

/**
 * The global model: what all sources say exists. Writes that change nothing cost nothing: no revision, no event.
 * A slice is kept whether or not its Service is there, so neither the order of arrival nor a Service that goes
 * and comes back matters. Two sources with one key: the one whose name sorts first counts.
 */
export class Store {
  readonly #services: Rows<Service>
  readonly #slices: Rows<EndpointSlice>
  readonly #nodes: Rows<Node>
  readonly #serviceCIDRs: Rows<ServiceCIDR>
  /** By key of the Service. */
  readonly #slicesOf = new Map<string, readonly EndpointSlice[]>()
  readonly #sources = new Map<string, Set<Kind>>()
  /** Sources of which something is missing. */
  readonly #partial = new Set<string>()
  readonly #feeds = new Set<ChangeFeed>()
  readonly #onWrite: (write: StoreWrite) => void
  #updates = 0
  #revision = 0

  constructor({ maxObjects = 1_000_000, onWrite = () => {} }: StoreOptions = {}) {
    this.#onWrite = onWrite
    this.#services = new Rows(maxObjects)
    this.#slices = new Rows(maxObjects)
    this.#nodes = new Rows(maxObjects)
    this.#serviceCIDRs = new Rows(maxObjects)
  }

  /** Moves on with each change that somebody could see. */
  get revision(): number {
    return this.#revision
  }

  /**
   * Says that a source is to be waited for: the store is not complete before it is. Every source announces
   * itself before the first one completes.
   */
  addSource(source: string): void {
    if (!this.#sources.has(source)) this.#sources.set(source, new Set())
  }

  /** The source's first list of these kinds is in the store. */
  complete(source: string, kinds: readonly Kind[] = KINDS): void {
    this.addSource(source)
    for (const kind of kinds) this.#sources.get(source)?.add(kind)
    this.#wake()
  }

  /** Every source's first list is in; no source at all is not complete. */
  isComplete(kinds: readonly Kind[] = KINDS): boolean {
    if (this.#sources.size === 0) return false
    return [...this.#sources.values()].every(done => kinds.every(kind => done.has(kind)))
  }

  /**
   * Says whether what the source has written is all there is. false: part of it could never be read, so there may be
   * objects that nobody knows of. true until said otherwise.
   */
  setWhole(source: string, whole: boolean): void {
    if (whole !== this.#partial.has(source)) return
    if (whole) this.#partial.delete(source)
    else this.#partial.add(source)
    this.#wake()
  }

  /** Complete, and no source has something missing. */
  isWhole(): boolean {
    return this.isComplete() && this.#partial.size === 0
  }

  /** Writes from now until it is disposed belong together, over any number of turns: views wait for its end. */
  beginUpdate(): Disposable {
    let open = true
    this.#updates++
    return {
      [Symbol.dispose]: () => {
        if (open) this.#updates--
        open = false
        if (!this.isUpdating) this.#wake()
      },
    }
  }

  /** Somebody is in the middle of writes that belong together. */
  get isUpdating(): boolean {
    return this.#updates > 0
  }

  /**
   * Adds or replaces. Throws `exhausted` when a bound is reached: the object is not in, nothing else changed.
   * triggeredAtMs: when that happened which made a slice what it is (milliseconds since 1970); it is told when the
   * slice is a change, and not kept.
   */
  set(source: string, object: KubeObject, triggeredAtMs?: number): void {
    const key = keyOf(object)
    if (!this.#rows(object.kind).hasRoomFor(key)) {
      throw new KpngError('exhausted', `more than ${this.#services.maxRows} objects of kind ${object.kind}`)
    }
    const before = this.#revision
    this.#put(source, object, key, object, triggeredAtMs)
    this.#onWrite({ kind: object.kind, key, changed: this.#revision !== before })
  }

  /** Takes away what a source said of an object; unknown ones are fine. */
  delete(source: string, ref: ObjectRef): void {
    const key = keyOf(ref)
    const before = this.#revision
    this.#put(source, ref, key, undefined)
    this.#onWrite({ kind: ref.kind, key, changed: this.#revision !== before })
  }

  service(key: string): Service | undefined {
    return this.#services.get(key)
  }

  services(): IterableIterator<Service> {
    return this.#services.values()
  }

  /** The slices whose label names the Service; in no order. */
  slicesOf(key: string): readonly EndpointSlice[] {
    return this.#slicesOf.get(key) ?? []
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name)
  }

  serviceCIDRs(): IterableIterator<ServiceCIDR> {
    return this.#serviceCIDRs.values()
  }

  /** Changes from now on; what is in the store already is for the caller to read. */
  subscribe(wake: () => void): ChangeFeed {
    const feed = new ChangeFeed(wake, closed => this.#feeds.delete(closed))
    this.#feeds.add(feed)
    return feed
  }

  #rows(kind: Kind): Rows<Service> | Rows<EndpointSlice> | Rows<Node> | Rows<ServiceCIDR> {
    switch (kind) {
      case 'Service':
        return this.#services
      case 'EndpointSlice':
        return this.#slices
      case 'Node':
        return this.#nodes
      case 'ServiceCIDR':
        return this.#serviceCIDRs
    }
  }

  #put(
    source: string,
    ref: ObjectRef,
    key: string,
    object: KubeObject | undefined,
    triggeredAtMs?: number,
  ): void {
    switch (ref.kind) {
      case 'Service': {
        const change = this.#services.put(source, key, object?.kind === 'Service' ? object : undefined)
        if (changed(change)) this.#tell(feed => feed.service(key))
        return
      }
      case 'EndpointSlice': {
        const change = this.#slices.put(source, key, object?.kind === 'EndpointSlice' ? object : undefined)
        if (changed(change)) this.#moveSlice(change.before, change.after, triggeredAtMs)
        return
      }
      case 'Node': {
        const change = this.#nodes.put(source, key, object?.kind === 'Node' ? object : undefined)
        if (changed(change)) this.#tell(feed => feed.node(key))
        return
      }
      case 'ServiceCIDR': {
        const change = this.#serviceCIDRs.put(
          source,
          key,
          object?.kind === 'ServiceCIDR' ? object : undefined,
        )
        if (changed(change)) this.#tell(feed => feed.serviceCIDR())
      }
    }
  }

  /** A slice counts for the Service that its label names; when the label changes it leaves the old one. */
  #moveSlice(
    before: EndpointSlice | undefined,
    after: EndpointSlice | undefined,
    triggeredAtMs: number | undefined,
  ): void {
    const owners = new Set<string>()
    const from = ownerOf(before)
    const to = ownerOf(after)
    if (from !== undefined) {
      const left = this.#slicesOf.get(from)?.filter(slice => slice !== before) ?? []
      if (left.length > 0) this.#slicesOf.set(from, left)
      else this.#slicesOf.delete(from)
      owners.add(from)
    }
    if (after !== undefined && to !== undefined) {
      this.#slicesOf.set(to, (this.#slicesOf.get(to) ?? []).concat(after))
      owners.add(to)
    }
    this.#tell(feed => {
      for (const owner of owners) feed.service(owner)
      if (triggeredAtMs !== undefined && after !== undefined && to !== undefined)
        feed.triggered({ atMs: triggeredAtMs, family: after.family })
    })
  }

  #wake(): void {
    for (const feed of this.#feeds) feed.wake()
  }

  #tell(event: (feed: ChangeFeed) => void): void {
    this.#revision++
    for (const feed of this.#feeds) event(feed)
  }
}

const keyOf = (ref: ObjectRef): string =>
  ref.kind === 'Node' || ref.kind === 'ServiceCIDR' ? ref.name : joinKey(ref.namespace ?? '', ref.name)

/** undefined for slices that no Service can own. */
const ownerOf = (slice: EndpointSlice | undefined): string | undefined =>
  slice === undefined || slice.service === '' ? undefined : joinKey(slice.namespace, slice.service)

const changed = ({ before, after }: { readonly before: unknown; readonly after: unknown }): boolean =>
  before !== after && !same(before, after)
