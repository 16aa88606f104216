import type { BackendStatus, Traffic } from '@kpng/backend-ebpf'
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'

interface Metric {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
  readonly values: (
    status: BackendStatus,
  ) => ReadonlyArray<readonly [labels: Record<string, string>, value: number]>
}

const one = (value: number): ReadonlyArray<readonly [Record<string, string>, number]> => [[{}, value]]

const metrics: readonly Metric[] = [
  {
    name: 'kpng_services',
    help: 'Services of the node-local view.',
    values: ({ counts }) => one(counts.services),
  },
  {
    name: 'kpng_services_unfit',
    help: 'Services that do not fit whole into the maps: reported, and tried again when room appears.',
    values: ({ counts }) => one(counts.unfit),
  },
  {
    name: 'kpng_services_failing',
    help: 'Services whose last write to the kernel failed: tried again with backoff.',
    values: ({ counts }) => one(counts.failing),
  },
  {
    name: 'kpng_used',
    help: 'Entries in use, by what is bounded.',
    labelNames: ['resource'],
    values: status => bounds(status).map(([resource, { used }]) => [{ resource }, used]),
  },
  {
    name: 'kpng_max',
    help: 'Entries that fit, by what is bounded.',
    labelNames: ['resource'],
    values: status => bounds(status).map(([resource, { max }]) => [{ resource }, max]),
  },
  {
    name: 'kpng_reconciler_total',
    help: 'What the reconciler has done since the agent started, by kind.',
    labelNames: ['kind'],
    values: ({ counters }) => Object.entries(counters).map(([kind, value]) => [{ kind }, value]),
  },
  {
    name: 'kpng_datapath_total',
    help: 'Connections and datagrams that were not translated, by reason (enum reason of the datapath).',
    labelNames: ['reason'],
    values: ({ reasons }) => Object.entries(reasons).map(([reason, value]) => [{ reason }, value]),
  },
]

const bounds = ({
  counts,
}: BackendStatus): ReadonlyArray<readonly [string, { used: number; max: number }]> => [
  ['lists', counts.lists],
  ['backend_slots_ipv4', counts.ranges.IPv4],
  ['backend_slots_ipv6', counts.ranges.IPv6],
  ['backend_ids', counts.backendIds],
  ['service_port_ids', counts.servicePortIds],
]

/** The agent's metrics in Prometheus' text format, collected when they are asked for. */
export class AgentMetrics {
  readonly #registry = new Registry()
  /** Of the scrape that is under way: it takes a look at every Service. */
  #status: BackendStatus | undefined

  constructor(status: () => BackendStatus, traffic: () => Traffic) {
    // In ms: each is a timer that wakes an idle agent.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 })
    this.#watchTraffic(traffic)
    const current = (): BackendStatus => {
      this.#status ??= status()
      return this.#status
    }
    for (const { name, help, labelNames = [], values } of metrics)
      new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [this.#registry],
        collect() {
          this.reset()
          for (const [labels, value] of values(current())) this.set(labels, value)
        },
      })
  }

  #watchTraffic(traffic: () => Traffic): void {
    new Gauge({
      name: 'kpng_traffic_total',
      help: 'Connections and datagrams to Services, and those that were refused or found no local endpoint.',
      labelNames: ['what'],
      registers: [this.#registry],
      collect() {
        for (const [what, value] of Object.entries(traffic())) this.set({ what }, value)
      },
    })
  }

  async text(): Promise<string> {
    this.#status = undefined
    const text = await this.#registry.metrics()
    this.#status = undefined
    return text
  }

  get contentType(): string {
    return this.#registry.contentType
  }
}
