import { type NodeView, type ServiceView, type SyncState, serviceKey, type ViewSink } from '@kpng/api'
import type { Logger } from 'pino'

/** Says what is handed to a sink, in kube-proxy's words, for who asked for that much (-v 4). */
export class LoggingSink implements ViewSink {
  readonly #sink: ViewSink
  readonly #logger: Logger
  /** By Service: names of its ports as kube-proxy prints them. */
  readonly #ports = new Map<string, ReadonlySet<string>>()

  constructor(sink: ViewSink, logger: Logger) {
    this.#sink = sink
    this.#logger = logger
  }

  setNode(node: NodeView): void {
    this.#sink.setNode(node)
  }

  setService(service: ServiceView): void {
    if (this.#logger.isLevelEnabled('debug')) this.#say(serviceKey(service), portNames(service))
    this.#sink.setService(service)
  }

  deleteService(namespace: string, name: string): void {
    if (this.#logger.isLevelEnabled('debug')) this.#say(serviceKey({ namespace, name }), new Set())
    this.#sink.deleteService(namespace, name)
  }

  sync(state?: SyncState): void {
    this.#logger.debug({}, 'Syncing ebpf rules')
    this.#sink.sync(state)
  }

  #say(key: string, ports: ReadonlySet<string>): void {
    const before = this.#ports.get(key) ?? new Set()
    for (const servicePortName of ports)
      this.#logger.debug(
        { servicePortName },
        before.has(servicePortName) ? 'Updating existing service port' : 'Adding new service port',
      )
    for (const servicePortName of before)
      if (!ports.has(servicePortName)) this.#logger.debug({ servicePortName }, 'Removing service port')
    if (ports.size > 0) this.#ports.set(key, ports)
    else this.#ports.delete(key)
  }
}

/** `namespace/name:port`, without the colon where a port has no name. */
const portNames = (service: ServiceView): ReadonlySet<string> =>
  new Set(service.ports.map(({ name }) => `${serviceKey(service)}${name === '' ? '' : `:${name}`}`))
