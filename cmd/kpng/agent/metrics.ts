import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Family } from '@kpng/api'
import type { BackendStatus, ServicePortTraffic } from '@kpng/backend-ebpf'
import { EventLoopStalls, HealthCounter, RestClientCounter, ServiceSeries, SyncMetrics } from '@kpng/observe'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { version } from '../version.ts'

type Values = ReadonlyArray<readonly [labels: Record<string, string>, value: number]>

/** Read when somebody asks; a counter where its name ends in _total. */
interface Metric {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
  readonly values: (sample: MetricsSample) => Values
}

/** Entries in use, and how many fit. */
export interface Bound {
  readonly used: number
  readonly max: number
}

/** What a scrape looks at. */
export interface MetricsSample {
  readonly status: BackendStatus
  readonly traffic: readonly ServicePortTraffic[]
  /** Of what is bounded elsewhere than in the datapath. */
  readonly bounds: Readonly<Record<string, Bound>>
}

const one = (value: number): Values => [[{}, value]]

const metrics: readonly Metric[] = [
  {
    name: 'kpng_build_info',
    help: 'Always 1.',
    labelNames: ['version'],
    values: () => [[{ version }, 1]],
  },
  {
    name: 'kpng_services',
    help: 'Services of the node-local view.',
    values: ({ status }) => one(status.counts.services),
  },
  {
    name: 'kpng_services_unfit',
    help: 'Services that do not fit whole into the maps: reported, and tried again when room appears.',
    values: ({ status }) => one(status.counts.unfit),
  },
  {
    name: 'kpng_services_failing',
    help: 'Services whose last write to the kernel failed: tried again with backoff.',
    values: ({ status }) => one(status.counts.failing),
  },
  {
    name: 'kpng_used',
    help: 'Entries in use, by what is bounded.',
    labelNames: ['resource'],
    values: sample => bounds(sample).map(([resource, { used }]) => [{ resource }, used]),
  },
  {
    name: 'kpng_max',
    help: 'Entries that fit, by what is bounded.',
    labelNames: ['resource'],
    values: sample => bounds(sample).map(([resource, { max }]) => [{ resource }, max]),
  },
  {
    name: 'kpng_reconciler_total',
    help: 'What the reconciler has done since the agent started, by kind.',
    labelNames: ['kind'],
    values: ({ status }) => Object.entries(status.counters).map(([kind, value]) => [{ kind }, value]),
  },
  {
    name: 'kpng_datapath_in_place',
    help: 'Whether the programs are attached, and everything pinned that keeps them without an agent: 1 or 0, as the last look tells.',
    labelNames: ['what'],
    values: ({ status }) =>
      Object.entries(status.upkeep).map(([what, { inPlace }]) => [{ what }, inPlace ? 1 : 0]),
  },
  {
    name: 'kpng_datapath_repairs_total',
    help: 'How often programs or pins were not in place any more, and were put there again.',
    labelNames: ['what'],
    values: ({ status }) => Object.entries(status.upkeep).map(([what, { repairs }]) => [{ what }, repairs]),
  },
  {
    name: 'kpng_datapath_total',
    help: 'Connections and datagrams that were not translated, by reason (enum reason of the datapath).',
    labelNames: ['reason'],
    values: ({ status }) => Object.entries(status.reasons).map(([reason, value]) => [{ reason }, value]),
  },
  {
    name: 'kpng_traffic_total',
    help: 'Connections and datagrams to Services, and those that were refused or found no local endpoint.',
    labelNames: ['what'],
    values: ({ traffic }) =>
      trafficKinds.map(what => [{ what }, traffic.reduce((sum, service) => sum + service[what], 0)]),
  },
]

const trafficKinds = ['connections', 'datagrams', 'refused', 'unreachable'] as const

const bounds = ({ status: { counts }, bounds }: MetricsSample): ReadonlyArray<readonly [string, Bound]> => [
  ['lists', counts.lists],
  ['backend_slots_ipv4', counts.ranges.IPv4],
  ['backend_slots_ipv6', counts.ranges.IPv6],
  ['backend_ids', counts.backendIds],
  ['service_port_ids', counts.servicePortIds],
  ...Object.entries(bounds),
]

export interface AgentMetricsOptions {
  /** May take several turns of the event loop. */
  readonly sample: () => Promise<MetricsSample>
  /** That the node serves. */
  readonly families: readonly Family[]
  /** Services with series of their own. */
  readonly maxServiceSeries: number
}

export interface MetricDescription {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly labelNames: readonly string[]
}

/** prom-client keeps them to itself in its types. */
function labelNamesOf(metric: unknown): readonly string[] {
  const has = typeof metric === 'object' && metric !== null && 'labelNames' in metric
  return has && Array.isArray(metric.labelNames) ? (metric.labelNames as string[]) : []
}

/** The agent's metrics in Prometheus' text format, collected when they are asked for. */
export class AgentMetrics implements Disposable {
  /** For whoever counts something. */
  readonly registry = new Registry()
  readonly probes: HealthCounter
  readonly requests: RestClientCounter
  readonly syncs: SyncMetrics
  readonly #stalls: EventLoopStalls
  readonly #series: ServiceSeries
  readonly #options: AgentMetricsOptions
  /** Of the scrape that is under way: it takes a look at every Service. */
  #sample: MetricsSample | undefined
  /** Who asks meanwhile gets the same. */
  #scrape: Promise<string> | undefined

  constructor(options: AgentMetricsOptions) {
    this.#options = options
    const registry = this.registry
    // In ms: each is a timer that wakes an idle agent.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
    this.#stalls = new EventLoopStalls(registry)
    this.syncs = new SyncMetrics({ registry, families: options.families })
    this.probes = new HealthCounter(registry)
    this.requests = new RestClientCounter(registry)
    this.#readWhenAsked(registry)
    this.#series = new ServiceSeries({ registry, maxServices: options.maxServiceSeries })
  }

  #readWhenAsked(registry: Registry): void {
    const current = (values: Metric['values']): Values =>
      this.#sample === undefined ? [] : values(this.#sample)
    for (const { name, help, labelNames = [], values } of metrics) {
      const common = { name, help, labelNames: [...labelNames], registers: [registry] }
      if (name.endsWith('_total'))
        new Counter({
          ...common,
          collect() {
            this.reset()
            for (const [labels, value] of current(values)) this.inc(labels, value)
          },
        })
      else
        new Gauge({
          ...common,
          collect() {
            this.reset()
            for (const [labels, value] of current(values)) this.set(labels, value)
          },
        })
    }
  }

  async text(): Promise<string> {
    this.#scrape ??= this.#read()
    return await this.#scrape
  }

  async #read(): Promise<string> {
    try {
      this.#sample = await this.#options.sample()
      // Each of these takes its time where there are many Services.
      await nextTurn()
      this.#series.take(this.#sample.traffic)
      await nextTurn()
      return await this.registry.metrics()
    } finally {
      this.#sample = undefined
      this.#scrape = undefined
    }
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** All that there are, whether or not they have a value yet. */
  async list(): Promise<MetricDescription[]> {
    const described = await this.registry.getMetricsAsJSON()
    return described.map(({ name, help, type }) => {
      const metric = this.registry.getSingleMetric(name)
      return { name, help, type: String(type), labelNames: labelNamesOf(metric) }
    })
  }

  [Symbol.dispose](): void {
    this.#stalls[Symbol.dispose]()
  }
}
