import { Counter, Gauge, type Registry } from 'prom-client'

/** What has been counted for one service port. */
export interface ServiceSample {
  readonly namespace: string
  readonly service: string
  /** Name of the port; may be ''. */
  readonly port: string
  readonly protocol: string
  readonly connections: number
  readonly datagrams: number
  readonly refused: number
  readonly unreachable: number
}

export interface ServiceSeriesOptions {
  readonly registry: Registry
  /** So many Services have series of their own, by name; the others are only counted. 0: none has. */
  readonly maxServices: number
}

const kinds = {
  connections: 'Sockets that were connected to an endpoint: TCP, and UDP where a client connects.',
  datagrams: 'Datagrams of unconnected sockets that were sent to an endpoint.',
  refused: 'Attempts that were refused: no endpoint can serve.',
  unreachable: 'Attempts that no endpoint may take: policy Local, or a source that is not allowed.',
} as const

type Kind = keyof typeof kinds

const labelNames = ['namespace', 'service', 'port', 'protocol'] as const

/**
 * Traffic by service port. Monitoring pays for every series: beyond a bound Services have none, and how many that are
 * is a series, too.
 */
export class ServiceSeries {
  readonly #maxServices: number
  #chosen: readonly ServiceSample[] = []
  #leftOut = 0

  constructor({ registry, maxServices }: ServiceSeriesOptions) {
    this.#maxServices = maxServices
    const registers = [registry]
    const chosen = () => this.#chosen
    for (const kind of Object.keys(kinds) as Kind[])
      new Counter({
        ...{ name: `kpng_service_${kind}_total`, help: kinds[kind], labelNames, registers },
        collect() {
          this.reset()
          for (const sample of chosen()) {
            const { namespace, service, port, protocol } = sample
            this.inc({ namespace, service, port, protocol }, sample[kind])
          }
        },
      })
    const leftOut = () => this.#leftOut
    new Gauge({
      name: 'kpng_services_without_series',
      help: 'Services that have no kpng_service_… series, for there are more than --max-service-series.',
      registers,
      collect() {
        this.set(leftOut())
      },
    })
  }

  /** What is counted now, in no order. */
  take(samples: readonly ServiceSample[]): void {
    const byService = Map.groupBy(samples, sample => `${sample.namespace}/${sample.service}`)
    const names = [...byService.keys()].sort()
    const chosen = names.slice(0, this.#maxServices)
    this.#chosen = chosen.flatMap(name => byService.get(name) ?? [])
    this.#leftOut = names.length - chosen.length
  }
}
