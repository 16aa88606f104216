import type { Family } from '@kpng/api'

/** Something that made a slice change. */
export interface Trigger {
  /** When it happened, in milliseconds since 1970. */
  readonly atMs: number
  /** The slice's. */
  readonly family: Family
}

/** What has changed in a store since somebody last asked: at most one entry an object, however often it changes. */
export interface Changes {
  /** Keys (namespace/name) of Services of which the Service or a slice changed. */
  readonly services: ReadonlySet<string>
  /** Names of Nodes. */
  readonly nodes: ReadonlySet<string>
  readonly serviceCIDRs: boolean
  /** What made slices change, as far as they say; MAX_TRIGGERS at most. */
  readonly triggers: readonly Trigger[]
}

/** Bound on those that wait to be taken: they are for statistics. */
const MAX_TRIGGERS = 10_000

/** One reader's position in the store's changes. Dispose it, or it keeps collecting. */
export class ChangeFeed implements Disposable {
  /** Tells the reader to look again. */
  readonly wake: () => void
  readonly #close: (feed: ChangeFeed) => void
  #services = new Set<string>()
  #nodes = new Set<string>()
  #serviceCIDRs = false
  #triggers: Trigger[] = []

  /** wake is called inside of the store's write, each time: it must only take note. */
  constructor(wake: () => void, close: (feed: ChangeFeed) => void) {
    this.wake = wake
    this.#close = close
  }

  /** What changed since the last take. */
  take(): Changes {
    const taken = {
      services: this.#services,
      nodes: this.#nodes,
      serviceCIDRs: this.#serviceCIDRs,
      triggers: this.#triggers,
    }
    this.#services = new Set()
    this.#nodes = new Set()
    this.#serviceCIDRs = false
    this.#triggers = []
    return taken
  }

  service(key: string): void {
    this.#services.add(key)
    this.wake()
  }

  triggered(trigger: Trigger): void {
    if (this.#triggers.length < MAX_TRIGGERS) this.#triggers.push(trigger)
  }

  node(name: string): void {
    this.#nodes.add(name)
    this.wake()
  }

  serviceCIDR(): void {
    this.#serviceCIDRs = true
    this.wake()
  }

  [Symbol.dispose](): void {
    this.#close(this)
  }
}
