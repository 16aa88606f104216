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
  /** In no order; each service port once. */
  readonly samples: () => Iterable<ServiceSample>
}

const kinds = {
  connections: 'TCP connections that were sent to an endpoint.',
  datagrams: 'Datagrams and connected UDP sockets that were sent to an endpoint.',
  refused: 'Attempts that were refused, for no endpoint can serve.',
  unreachable: 'Attempts that found no endpoint on this node under a policy Local.',
} as const

type Kind = keyof typeof kinds

const labelNames = ['namespace', 'service', 'port', 'protocol'] as const

/**
 * Traffic by service port. Monitoring pays for every series: beyond a bound Services have none, and how many that are
 * is a series, too.
 */
export class ServiceSeries {
  readonly #options: ServiceSeriesOptions
  readonly #counters: ReadonlyArray<readonly [Kind, Counter<(typeof labelNames)[number]>]>

  constructor(options: ServiceSeriesOptions) {
    this.#options = options
    const registers = [options.registry]
    this.#counters = (Object.keys(kinds) as Kind[]).map(kind => [
      kind,
      new Counter({ name: `kpng_service_${kind}_total`, help: kinds[kind], labelNames, registers }),
    ])
    const collect = (gauge: Gauge): void => gauge.set(this.#collect())
    new Gauge({
      name: 'kpng_services_without_series',
      help: 'Services that have no kpng_service_… series, for there are more than --max-service-series.',
      registers,
      collect() {
        collect(this)
      },
    })
  }

  /** Gives how many Services are left out. */
  #collect(): number {
    for (const [, counter] of this.#counters) counter.reset()
    const byService = Map.groupBy(this.#options.samples(), sample => `${sample.namespace}/${sample.service}`)
    const names = [...byService.keys()].sort()
    for (const name of names.slice(0, this.#options.maxServices))
      for (const sample of byService.get(name) ?? []) this.#add(sample)
    return Math.max(0, names.length - this.#options.maxServices)
  }

  #add(sample: ServiceSample): void {
    const { namespace, service, port, protocol } = sample
    for (const [kind, counter] of this.#counters)
      counter.inc({ namespace, service, port, protocol }, sample[kind])
  }
}
