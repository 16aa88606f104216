import type { Family } from '@kpng/api'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { PolicyCounts } from '../view-tally.ts'
import { alpha, programmingBuckets, syncBuckets } from './alpha.ts'

export interface SyncMetricsOptions {
  readonly registry: Registry
  readonly families: readonly Family[]
}

/** Changes that are known and not in force. */
export interface PendingCounts {
  /** Different Services. */
  readonly services: number
  /** Changes of EndpointSlices. */
  readonly slices: number
}

/** kube-proxy's metrics of its syncs, by its names. All times in seconds. */
export class SyncMetrics {
  readonly #families: readonly Family[]
  readonly #duration: Histogram<'ip_family'>
  readonly #full: Histogram<'ip_family'>
  readonly #partial: Histogram<'ip_family'>
  readonly #programming: Histogram<'ip_family'>
  readonly #services: Counter
  readonly #slices: Counter
  readonly #failures: Counter
  #pending: () => PendingCounts = () => ({ services: 0, slices: 0 })
  #noLocal: PolicyCounts | undefined
  #queuedMs: number | undefined
  #syncedMs: number | undefined

  constructor({ registry, families }: SyncMetricsOptions) {
    this.#families = families
    const registers = [registry]
    const histogram = (name: string, help: string, buckets: readonly number[]): Histogram<'ip_family'> =>
      new Histogram({
        ...{ name: `kubeproxy_${name}`, help: alpha(help), registers },
        labelNames: ['ip_family'],
        buckets: [...buckets],
      })
    const counter = (name: string, help: string): Counter =>
      new Counter({ name: `kubeproxy_${name}`, help: alpha(help), registers })
    const sync = 'sync_proxy_rules'
    this.#duration = histogram(`${sync}_duration_seconds`, 'SyncProxyRules latency in seconds', syncBuckets)
    this.#full = histogram(
      'sync_full_proxy_rules_duration_seconds',
      'SyncProxyRules latency in seconds for full resyncs',
      syncBuckets,
    )
    this.#partial = histogram(
      'sync_partial_proxy_rules_duration_seconds',
      'SyncProxyRules latency in seconds for partial resyncs',
      syncBuckets,
    )
    this.#programming = histogram(
      'network_programming_duration_seconds',
      'In Cluster Network Programming Latency in seconds',
      programmingBuckets,
    )
    this.#slices = counter(`${sync}_endpoint_changes_total`, 'Cumulative proxy rules Endpoint changes')
    this.#services = counter(`${sync}_service_changes_total`, 'Cumulative proxy rules Service changes')
    this.#failures = new Counter({
      name: 'kpng_sync_failures_total',
      help: 'Syncs in which something could not be written; it is tried again.',
      registers,
    })
    this.#gauges(registry)
  }

  #gauges(registry: Registry): void {
    const gauge = (
      name: string,
      help: string,
      labelNames: readonly string[],
      collect: (gauge: Gauge) => void,
    ): Gauge =>
      new Gauge({
        ...{ name: `kubeproxy_${name}`, help: alpha(help), registers: [registry] },
        labelNames: [...labelNames],
        collect() {
          collect(this)
        },
      })
    const ofFamilies = (ms: () => number | undefined) => (gauge: Gauge) => {
      const atMs = ms()
      if (atMs === undefined) return
      for (const family of this.#families) gauge.set({ ip_family: family }, atMs / 1_000)
    }
    gauge(
      'sync_proxy_rules_last_timestamp_seconds',
      'The last time proxy rules were successfully synced',
      ['ip_family'],
      ofFamilies(() => this.#syncedMs),
    )
    gauge(
      'sync_proxy_rules_last_queued_timestamp_seconds',
      'The last time a sync of proxy rules was queued',
      ['ip_family'],
      ofFamilies(() => this.#queuedMs),
    )
    gauge('sync_proxy_rules_endpoint_changes_pending', 'Pending proxy rules Endpoint changes', [], gauge =>
      gauge.set(this.#pending().slices),
    )
    gauge('sync_proxy_rules_service_changes_pending', 'Pending proxy rules Service changes', [], gauge =>
      gauge.set(this.#pending().services),
    )
    gauge(
      'sync_proxy_rules_no_local_endpoints_total',
      'Number of services with a Local traffic policy and no endpoints',
      ['traffic_policy', 'ip_family'],
      gauge => {
        const noLocal = this.#noLocal
        if (noLocal === undefined) return
        for (const family of this.#families)
          for (const policy of ['internal', 'external'] as const)
            gauge.set({ traffic_policy: policy, ip_family: family }, noLocal[family][policy])
      },
    )
  }

  /** A source has said something of a Service: kube-proxy counts that in each family. */
  serviceWritten(): void {
    this.#services.inc(this.#families.length)
  }

  /** A source has said something of an EndpointSlice: that is of one family. */
  sliceWritten(): void {
    this.#slices.inc()
  }

  /** Asked when somebody wants to know. */
  watchPending(pending: () => PendingCounts): void {
    this.#pending = pending
  }

  queued(wallMs: number): void {
    this.#queuedMs = wallMs
  }

  /** Of failed syncs, too. One sync is of all families. */
  passed(durationMs: number, full: boolean, failed: boolean): void {
    for (const family of this.#families) {
      const labels = { ip_family: family }
      this.#duration.observe(labels, durationMs / 1_000)
      const which = full ? this.#full : this.#partial
      which.observe(labels, durationMs / 1_000)
    }
    if (failed) this.#failures.inc()
  }

  synced(wallMs: number, noLocal: PolicyCounts): void {
    this.#syncedMs = wallMs
    this.#noLocal = noLocal
  }

  /** A change has taken so long from its cause until connections see it. */
  programmed(family: Family, delayMs: number): void {
    this.#programming.observe({ ip_family: family }, delayMs / 1_000)
  }
}
