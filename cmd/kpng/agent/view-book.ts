import { type NodeView, type ServiceView, serviceKey, type ViewSink } from '@kpng/api'

/** Remembers the view that passes through it on its way to the backend: what `kpng get` and `explain` read. */
export class ViewBook implements ViewSink {
  readonly #services = new Map<string, ServiceView>()
  readonly #next: ViewSink
  readonly #onSync: () => void
  #node: NodeView | undefined
  #synced = false
  #revision = 0

  constructor(next: ViewSink, onSync: () => void) {
    this.#next = next
    this.#onSync = onSync
  }

  setNode(node: NodeView): void {
    this.#node = node
    this.#next.setNode(node)
  }

  setService(service: ServiceView): void {
    this.#services.set(serviceKey(service), service)
    this.#next.setService(service)
  }

  deleteService(namespace: string, name: string): void {
    this.#services.delete(serviceKey({ namespace, name }))
    this.#next.deleteService(namespace, name)
  }

  sync(): void {
    this.#synced = true
    this.#revision++
    this.#next.sync()
    this.#onSync()
  }

  get node(): NodeView | undefined {
    return this.#node
  }

  /** At least one complete view has passed. */
  get synced(): boolean {
    return this.#synced
  }

  /** Counts the syncs. */
  get revision(): number {
    return this.#revision
  }

  get size(): number {
    return this.#services.size
  }

  services(): Iterable<ServiceView> {
    return this.#services.values()
  }
}
