import { setImmediate as nextTurn } from 'node:timers/promises'
import { backgroundClock, KpngError, type NodeView, type Problem } from '@kpng/api'
import { type EbpfBackend, primaryAddresses, type SyncPass } from '@kpng/backend-ebpf'
import {
  Door,
  type EventRecorder,
  type HealthAddresses,
  isHealthPath,
  listenAddresses,
  metricsAnswer,
  pathOf,
  proxyHealthAnswer,
  ServiceHealth,
  SyncHealth,
  SyncWatch,
} from '@kpng/observe'
import type { ApiAnswer, LocalViewOptions, StoreWrite } from '@kpng/server'
import type { Logger } from 'pino'
import type { AgentSettings, ListenAddress } from './agent-settings.ts'
import { InterfaceAddresses } from './interface-addresses.ts'
import { AgentMetrics, type MetricsSample } from './metrics.ts'
import { servedFamilies } from './served-families.ts'

/** What GET /proxyMode answers: kube-proxy names iptables, ipvs or nftables there. */
const proxyMode = 'ebpf'

/** Listening sockets for the health of Services; more are reported. */
const maxHealthListeners = 1_024

const nowhere: HealthAddresses = { IPv4: [], IPv6: [] }

export interface ObservationOptions {
  readonly settings: AgentSettings
  readonly backend: EbpfBackend
  /** undefined before the first sync. */
  readonly node: () => NodeView | undefined
  readonly recorder: EventRecorder
  readonly logger: Logger
  /** problems() may say something else. */
  readonly onChange: () => void
}

/** Health, metrics and their servers: what others may know of an agent over TCP. Stands between view and backend. */
export class Observation implements AsyncDisposable {
  readonly #options: ObservationOptions
  readonly #resources = new AsyncDisposableStack()
  readonly #health: SyncHealth
  readonly #serviceHealth: ServiceHealth
  readonly #interfaces = new InterfaceAddresses()
  readonly #failed = Promise.withResolvers<never>()
  /** The view's sink. */
  readonly watch: SyncWatch
  readonly metrics: AgentMetrics

  constructor(options: ObservationOptions) {
    const { settings, backend, logger, recorder } = options
    this.#options = options
    const clock = backgroundClock
    const families = servedFamilies()
    // Whoever waits for it may come late, or never.
    this.#failed.promise.catch(() => {})
    this.metrics = this.#resources.use(
      new AgentMetrics({
        families,
        sample: () => this.#sample(),
        maxServiceSeries: settings.maxServiceSeries,
      }),
    )
    this.#health = new SyncHealth({ families, timeoutMs: 2 * settings.syncPeriodMs, clock })
    this.#serviceHealth = this.#resources.use(
      new ServiceHealth({
        ...{ recorder, logger, clock, nodeName: settings.nodeName, maxListeners: maxHealthListeners },
        proxyHealthy: () => this.#health.report().healthy,
        retryMs: settings.syncPeriodMs,
        onChange: options.onChange,
      }),
    )
    this.watch = new SyncWatch({
      sink: backend,
      inForce: () => backend.inForce(),
      health: this.#health,
      metrics: this.metrics.syncs,
      clock,
      onSynced: ({ health }) =>
        this.#serviceHealth.sync(health, health.size === 0 ? nowhere : this.#healthAddresses()),
    })
  }

  async #sample(): Promise<MetricsSample> {
    const { backend } = this.#options
    const traffic = await backend.serviceTraffic()
    await nextTurn()
    const listeners = { used: this.#serviceHealth.listeners, max: maxHealthListeners }
    return { traffic, status: backend.status(), bounds: { health_check_listeners: listeners } }
  }

  /** Begins to answer. Where a port cannot be had, tries again, or ends the agent, as the settings say. */
  async open(): Promise<void> {
    const { healthzBindAddress, metricsBindAddress } = this.#options.settings
    await Promise.all([
      healthzBindAddress && this.#openHealth(healthzBindAddress),
      metricsBindAddress && this.#openMetrics(metricsBindAddress),
    ])
  }

  /** Rejects when a server must be there and cannot. Throws io. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** A source has written; ready: all its first lists are there. */
  written(write: StoreWrite, ready: boolean): void {
    this.watch.written(write, ready)
  }

  /** How requests to the API server end. */
  answered(answer: ApiAnswer): void {
    this.metrics.requests.ended(answer)
  }

  /** What a view has to tell. */
  get viewHooks(): Pick<LocalViewOptions, 'onTriggered' | 'onCaughtUp'> {
    return {
      onTriggered: triggers => this.watch.triggered(triggers),
      onCaughtUp: () => this.watch.caughtUp(),
    }
  }

  passed(pass: SyncPass): void {
    this.watch.passed(pass)
  }

  /** Looks whether the programs are in place. */
  look(): void {
    this.watch.look(this.#options.backend.attached)
  }

  problems(): Problem[] {
    return this.#serviceHealth.problems()
  }

  async #openHealth(at: ListenAddress): Promise<void> {
    await this.#open('healthz', 'FailedToStartProxierHealthcheck', at, request => {
      const path = pathOf(request)
      const answer = proxyHealthAnswer(path, {
        report: this.#health.report(),
        nodeEligible: this.#options.node()?.eligible ?? false,
        nowMs: backgroundClock.wallMs(),
      })
      if (isHealthPath(path)) this.metrics.probes.answered(path, answer.status)
      return answer
    })
  }

  async #openMetrics(at: ListenAddress): Promise<void> {
    const { metrics } = this
    const pages = {
      metrics: async () => ({ contentType: metrics.contentType, text: await metrics.text() }),
      proxyMode,
      configuration: this.#options.settings.configuration,
    }
    await this.#open('metrics', 'FailedToStartMetricServer', at, request => metricsAnswer(request, pages))
  }

  async #open(
    what: string,
    reason: string,
    at: ListenAddress,
    answer: ConstructorParameters<typeof Door>[0]['answer'],
  ): Promise<void> {
    const { settings, logger, recorder } = this.#options
    const hardFail = settings.bindAddressHardFail
    const door = this.#resources.use(
      new Door({
        ...{ ...at, answer, hardFail, clock: backgroundClock },
        onListening: port => logger.info({ ...at, port }, `${what} is served`),
        onFailed: failure => {
          const message = `failed to start ${what} server on ${at.address} port ${at.port}: ${failure.message}`
          logger.warn(at, hardFail ? message : `${message}; will be tried again`)
          if (!hardFail) return
          recorder.event({
            regarding: { kind: 'Node', apiVersion: 'v1', name: settings.nodeName },
            ...{ type: 'Warning', reason, action: 'StartKubeProxy', note: message },
          })
          this.#failed.reject(new KpngError('io', message, { cause: failure }))
        },
      }),
    )
    await door.open()
  }

  /** Where the health of Services is served now: addresses come and go. */
  #healthAddresses(): HealthAddresses {
    const primary = Object.values(primaryAddresses(this.#options.node()))
    const node = { primary, interfaces: this.#interfaces.addresses() }
    const choice = this.#options.settings.nodePortAddresses
    return { IPv4: listenAddresses('IPv4', choice, node), IPv6: listenAddresses('IPv6', choice, node) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}
