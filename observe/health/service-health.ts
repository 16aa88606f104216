import type { Socket } from 'node:net'
import type { Clock, Family, Problem } from '@kpng/api'
import type { EventRecorder } from '../events/event-recorder.ts'
import { HttpCore } from '../http/http-core.ts'
import { type Listen, type Listener, listenTcp } from '../http/listen.ts'
import type { ObserveLogger } from '../logger.ts'
import { serviceHealthAnswer } from './service-answer.ts'

/** A Service of which load balancers may ask. */
export interface WantedHealth {
  readonly namespace: string
  readonly name: string
  readonly port: number
  /** Distinct addresses of ready endpoints on this node, for each family that the Service has. */
  readonly localEndpoints: { readonly [F in Family]?: number }
}

/** Canonical addresses to listen on. */
export type HealthAddresses = Readonly<Record<Family, readonly string[]>>

export interface ServiceHealthOptions {
  readonly nodeName: string
  /** What /livez answers by. */
  readonly proxyHealthy: () => boolean
  readonly recorder: EventRecorder
  readonly logger: ObserveLogger
  readonly clock: Clock
  readonly listen?: Listen
  /** Listening sockets, all Services, families and addresses together. Default 1,024. */
  readonly maxListeners?: number
  /** Between attempts for a port that could not be had, while nothing is synced. Default 30,000. */
  readonly retryMs?: number
  /** problems() may say something else now. */
  readonly onChange: () => void
}

/** One Service in one family. */
interface Instance {
  readonly wanted: WantedHealth
  readonly family: Family
  readonly addresses: readonly string[]
  readonly listeners: readonly Listener[]
  /** A listener has failed. */
  broken: boolean
}

interface Failure {
  readonly problem: Problem
  /** Steady time. */
  readonly atMs: number
}

/** Syncs may follow each other faster than kube-proxy's: a port that is taken is not tried more often. */
const leastRetryMs = 1_000

/**
 * The healthCheckNodePorts of a node: one HTTP server for each Service and family, opened and closed by `sync` alone.
 * A port that cannot be had is told in an Event and tried again at the next sync.
 */
export class ServiceHealth implements AsyncDisposable {
  readonly #options: ServiceHealthOptions
  readonly #core = new HttpCore()
  readonly #open = new Map<string, Instance>()
  readonly #failures = new Map<string, Failure>()
  #wanted: ReadonlyMap<string, WantedHealth> = new Map()
  #addresses: HealthAddresses = { IPv4: [], IPv6: [] }
  #working: Promise<void> | undefined
  #due = false
  #retry: Disposable | undefined
  #closed = false

  constructor(options: ServiceHealthOptions) {
    this.#options = options
  }

  /**
   * What the datapath carries now, by namespace/name. Counts are in force at once; ports are opened and closed after
   * this call, `settled` waits for that.
   */
  sync(wanted: ReadonlyMap<string, WantedHealth>, addresses: HealthAddresses): void {
    this.#wanted = wanted
    this.#addresses = addresses
    this.#request()
  }

  /** Resolves when ports are as the last sync wants them, or have been found taken. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  /** Listening sockets. */
  get listeners(): number {
    return this.#open.values().reduce((sum, { listeners }) => sum + listeners.length, 0)
  }

  /** Services and families that should be listened for and are not. */
  problems(): Problem[] {
    return [...this.#failures.values()].map(({ problem }) => problem)
  }

  #request(): void {
    this.#due = true
    if (this.#closed || this.#working !== undefined) return
    this.#working = this.#work().finally(() => {
      this.#working = undefined
    })
  }

  async #work(): Promise<void> {
    while (this.#due && !this.#closed) {
      this.#due = false
      await this.#closeUnwanted()
      for (const [key, wanted] of this.#wanted)
        for (const family of families)
          if (this.#missing(key, wanted, family)) await this.#start(wanted, family)
    }
    this.#retry?.[Symbol.dispose]()
    this.#retry = undefined
    if (this.#failures.size > 0 && !this.#closed)
      this.#retry = this.#options.clock.after(this.#options.retryMs ?? 30_000, () => this.#request())
  }

  async #closeUnwanted(): Promise<void> {
    for (const [id, instance] of this.#open) if (!this.#asWanted(instance)) await this.#close(id, instance)
    const before = this.#failures.size
    for (const id of this.#failures.keys()) {
      const [key = '', family = ''] = id.split(' ')
      if (this.#wanted.get(key)?.localEndpoints[family as Family] === undefined) this.#failures.delete(id)
    }
    if (this.#failures.size !== before) this.#options.onChange()
  }

  #asWanted({ wanted, family, addresses, broken }: Instance): boolean {
    const now = this.#wanted.get(keyOf(wanted))
    return (
      !broken &&
      now?.port === wanted.port &&
      now.localEndpoints[family] !== undefined &&
      this.#addresses[family].join() === addresses.join()
    )
  }

  async #close(id: string, { wanted, family, listeners }: Instance): Promise<void> {
    this.#open.delete(id)
    this.#options.logger.debug({ service: keyOf(wanted), family, port: wanted.port }, 'closing healthcheck')
    await Promise.all(listeners.map(listener => listener.close()))
  }

  #missing(key: string, wanted: WantedHealth, family: Family): boolean {
    const id = `${key} ${family}`
    if (wanted.localEndpoints[family] === undefined || this.#open.has(id)) return false
    const failedMs = this.#failures.get(id)?.atMs ?? Number.NEGATIVE_INFINITY
    return this.#options.clock.nowMs() - failedMs >= leastRetryMs
  }

  async #start(wanted: WantedHealth, family: Family): Promise<void> {
    const id = `${keyOf(wanted)} ${family}`
    const addresses = this.#addresses[family]
    try {
      this.#open.set(id, await this.#listenAll(id, wanted, family, addresses))
      if (this.#failures.delete(id)) this.#options.onChange()
      this.#options.logger.debug({ service: keyOf(wanted), family, port: wanted.port }, 'opening healthcheck')
    } catch (reason) {
      this.#fail(id, wanted, reason instanceof Error ? reason.message : String(reason))
    }
  }

  /** All or nothing. */
  async #listenAll(
    id: string,
    wanted: WantedHealth,
    family: Family,
    addresses: readonly string[],
  ): Promise<Instance> {
    const most = this.#options.maxListeners ?? 1_024
    if (this.listeners + addresses.length > most)
      throw new Error(`the node listens for at most ${most} of them`)
    const listeners: Listener[] = []
    const instance: Instance = { wanted, family, addresses, listeners, broken: false }
    const listen = this.#options.listen ?? listenTcp
    const events = {
      onConnection: (socket: Socket) => this.#core.serve(socket, () => this.#answer(wanted, family)),
      onError: (reason: Error) => {
        instance.broken = true
        this.#options.logger.warn({ err: reason, service: keyOf(wanted), family }, 'healthcheck closed')
        if (this.#open.get(id) === instance) this.#request()
      },
    }
    try {
      for (const address of addresses)
        listeners.push(await listen({ address, port: wanted.port, ipv6Only: true }, events))
    } catch (reason) {
      await Promise.all(listeners.map(listener => listener.close()))
      throw reason
    }
    return instance
  }

  #fail(id: string, wanted: WantedHealth, why: string): void {
    const { namespace, name, port } = wanted
    const key = keyOf(wanted)
    const note = `node ${this.#options.nodeName} failed to start healthcheck "${key}" on port ${port}: ${why}`
    const problem = { where: key, field: 'spec.healthCheckNodePort', message: `${note}; will be tried again` }
    const known = this.#failures.get(id)?.problem.message === problem.message
    this.#failures.set(id, { problem, atMs: this.#options.clock.nowMs() })
    if (!known) this.#options.onChange()
    this.#options.recorder.event({
      regarding: { kind: 'Service', apiVersion: 'v1', namespace, name },
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note,
    })
  }

  #answer({ namespace, name }: WantedHealth, family: Family) {
    const localEndpoints = this.#wanted.get(`${namespace}/${name}`)?.localEndpoints[family] ?? 0
    const proxyHealthy = this.#options.proxyHealthy()
    return serviceHealthAnswer({ namespace, name, localEndpoints, proxyHealthy })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#retry?.[Symbol.dispose]()
    await this.settled()
    for (const [id, instance] of this.#open) await this.#close(id, instance)
  }
}

const families: readonly Family[] = ['IPv4', 'IPv6']

const keyOf = ({ namespace, name }: WantedHealth): string => `${namespace}/${name}`
