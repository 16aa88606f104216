import { type Clock, KpngError, type Problem, systemClock } from '@kpng/api'
import type { Kind, KubeObject } from '../../objects/types.ts'
import type { Store } from '../../store/store.ts'
import { ApiClient } from './api-client.ts'
import { Lifeline } from './lifeline.ts'
import { defaultLimits, type ReflectorLimits } from './limits.ts'
import { Reflector, type ReflectorTarget } from './reflector.ts'
import { proxyResources, type Resource, type ResourceOptions } from './resources.ts'
import { StoreTarget } from './store-target.ts'
import type { Transport } from './transport.ts'

export interface KubeSourceOptions extends ResourceOptions {
  /** Name of the source in the store. Default 'kube'. */
  readonly name?: string
  /** Called when problems may have changed; must only take note. */
  readonly onRead?: () => void
  readonly clock?: Clock
  /** 0 to 1, default Math.random. */
  readonly random?: () => number
  readonly limits?: Partial<ReflectorLimits>
}

interface Part {
  readonly resource: Resource
  readonly reflector: Reflector
}

/**
 * A cluster's objects out of its API server into a store, followed as they change. The source is complete once
 * each kind has been listed; a server that cannot be reached changes nothing of what is there.
 */
export class KubeSource implements AsyncDisposable {
  /** To write to the same server, as long as the source lives. */
  readonly client: ApiClient
  readonly #transport: Transport
  readonly #parts: readonly Part[]
  readonly #targets: readonly StoreTarget[]
  readonly #lifeline: Lifeline
  /** Whether lists may be written, once that is known. */
  readonly #mayWrite = Promise.withResolvers<boolean>()
  #prepared = false

  /** The transport is the source's own from here on. */
  constructor(store: Store, transport: Transport, options: KubeSourceOptions) {
    const { name = 'kube', onRead = () => {}, clock = systemClock, random = Math.random } = options
    this.#transport = transport
    this.client = new ApiClient(transport, { clock })
    store.addSource(name)
    const limits = { ...defaultLimits, ...options.limits }
    // The server has chosen by the label; nobody else is to judge it again.
    const own = (object: KubeObject): KubeObject =>
      options.serviceProxyName !== undefined && object.kind === 'Service'
        ? { ...object, foreignProxy: false }
        : object
    const target = (kind: Kind): StoreTarget => new StoreTarget(store, name, kind, onRead)
    const targets = {
      Service: target('Service'),
      EndpointSlice: target('EndpointSlice'),
      Node: target('Node'),
      ServiceCIDR: target('ServiceCIDR'),
    }
    this.#targets = Object.values(targets)
    this.#lifeline = new Lifeline({
      services: targets.Service,
      slices: targets.EndpointSlice,
      addresses: () => transport.addresses,
      onProblems: onRead,
    })
    const { services, slices } = this.#lifeline
    const written = { ...targets, Service: services, EndpointSlice: slices }
    this.#parts = proxyResources(options).map(resource => {
      const reflector = new Reflector({
        ...{ resource, transport, target: this.#heldBack(written[resource.kind]), clock, random, limits },
        adjust: own,
        onFailure: onRead,
      })
      return { resource, reflector }
    })
  }

  /** Begins to read; what comes is kept until `start`. */
  prepare(): void {
    if (this.#prepared) return
    this.#prepared = true
    for (const { reflector } of this.#parts) reflector.start()
  }

  /** Begins to write into the store; waits for nothing. */
  start(): Promise<void> {
    this.prepare()
    this.#mayWrite.resolve(true)
    return Promise.resolve()
  }

  /** The same target, whose first list waits for `start`; nothing else is written before it. */
  #heldBack(target: ReflectorTarget): ReflectorTarget {
    return {
      replace: async items => {
        if (await this.#mayWrite.promise) await target.replace(items)
      },
      put: item => target.put(item),
      delete: ref => target.delete(ref),
    }
  }

  /** Lists everything anew; resolves when the store has it. Throws `io` when the server does not give it. */
  async rescan(): Promise<void> {
    const lists = await Promise.allSettled(this.#parts.map(({ reflector }) => reflector.relist()))
    const [failed] = lists.filter(it => it.status === 'rejected')
    if (failed !== undefined)
      throw KpngError.from(failed.reason, 'io', `${this.#transport.server} was not read anew`)
  }

  /** What is wrong with requests and objects now. */
  problems(): Problem[] {
    const requests = this.#parts.flatMap(({ resource, reflector: { failure } }) => {
      const where = `${this.#transport.server.replace(/\/$/, '')}${resource.path}`
      return failure === undefined ? [] : [{ where, field: '', message: failure.message }]
    })
    return [...requests, ...this.#lifeline.problems(), ...this.#targets.flatMap(it => it.problems())]
  }

  /** Stops following. The store keeps what it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#mayWrite.resolve(false)
    await Promise.all(this.#parts.map(({ reflector }) => reflector[Symbol.asyncDispose]()))
    this.client[Symbol.dispose]()
    await this.#transport[Symbol.asyncDispose]()
  }
}
