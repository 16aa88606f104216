import { Counter, type Registry } from 'prom-client'
import type { HealthPath } from '../health/proxy-health.ts'
import { alpha } from './alpha.ts'

/** How health probes were answered. */
export class HealthCounter {
  readonly #counters: Readonly<Record<HealthPath, Counter<'code'>>>

  constructor(registry: Registry) {
    const counter = (name: string): Counter<'code'> =>
      new Counter({
        name: `kubeproxy_proxy_${name}_total`,
        help: alpha(`Cumulative proxy ${name} HTTP status`),
        labelNames: ['code'],
        registers: [registry],
      })
    this.#counters = { '/healthz': counter('healthz'), '/livez': counter('livez') }
  }

  answered(path: HealthPath, status: number): void {
    this.#counters[path].inc({ code: `${status}` })
  }
}

/** How requests to the API server ended. */
export class RestClientCounter {
  readonly #requests: Counter<'code' | 'method' | 'host'>

  constructor(registry: Registry) {
    this.#requests = new Counter({
      name: 'rest_client_requests_total',
      help: alpha('Number of HTTP requests, partitioned by status code, method, and host.'),
      labelNames: ['code', 'method', 'host'],
      registers: [registry],
    })
  }

  /** status undefined: there was no answer. */
  ended(answer: {
    readonly method: string
    readonly host: string
    readonly status: number | undefined
  }): void {
    const { method, host, status } = answer
    this.#requests.inc({ code: status === undefined ? '<error>' : `${status}`, method, host })
  }
}
