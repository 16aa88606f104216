/** What has changed in a store since somebody last asked: at most one entry an object, however often it changes. */
export interface Changes {
  /** Keys (namespace/name) of Services of which the Service or a slice changed. */
  readonly services: ReadonlySet<string>
  /** Names of Nodes. */
  readonly nodes: ReadonlySet<string>
  readonly serviceCIDRs: boolean
}

/** One reader's position in the store's changes. Dispose it, or it keeps collecting. */
export class ChangeFeed implements Disposable {
  /** Tells the reader to look again. */
  readonly wake: () => void
  readonly #close: (feed: ChangeFeed) => void
  #services = new Set<string>()
  #nodes = new Set<string>()
  #serviceCIDRs = false

  /** wake is called inside of the store's write, each time: it must only take note. */
  constructor(wake: () => void, close: (feed: ChangeFeed) => void) {
    this.wake = wake
    this.#close = close
  }

  /** What changed since the last take. */
  take(): Changes {
    const taken = { services: this.#services, nodes: this.#nodes, serviceCIDRs: this.#serviceCIDRs }
    this.#services = new Set()
    this.#nodes = new Set()
    this.#serviceCIDRs = false
    return taken
  }

  service(key: string): void {
    this.#services.add(key)
    this.wake()
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
