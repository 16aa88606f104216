import { type Family, readyLocalAddresses, type ServiceView, serviceKey } from '@kpng/api'
import type { WantedHealth } from './health/service-health.ts'

/** Which policy Local: that for ClusterIPs, or that for traffic from outside. */
export type TrafficPolicy = 'internal' | 'external'

/** Service ports by family and policy. */
export type PolicyCounts = Readonly<Record<Family, Readonly<Record<TrafficPolicy, number>>>>

/** What health and metrics want to know of a whole view. */
export interface ViewFacts {
  /** Services with a healthCheckNodePort, by namespace/name. */
  readonly health: ReadonlyMap<string, WantedHealth>
  /** Service ports that somebody serves, but under a policy Local nobody here. */
  readonly noLocal: PolicyCounts
}

type Counts = Record<Family, Record<TrafficPolicy, number>>

const noCounts = (): Counts => ({ IPv4: { internal: 0, external: 0 }, IPv6: { internal: 0, external: 0 } })

const families: readonly Family[] = ['IPv4', 'IPv6']

/** Keeps the facts of a view while its Services come and go: only of those that make a difference anything is kept. */
export class ViewTally {
  #health = new Map<string, WantedHealth>()
  readonly #noLocal = noCounts()
  readonly #parts = new Map<string, Counts>()
  /** Copied before the next change: somebody holds it. */
  #shared = false

  set(view: ServiceView): void {
    const key = serviceKey(view)
    this.#setHealth(key, healthOf(view))
    const counts = countsOf(view)
    this.#add(this.#parts.get(key), -1)
    this.#add(counts, 1)
    if (counts === undefined) this.#parts.delete(key)
    else this.#parts.set(key, counts)
  }

  delete(namespace: string, name: string): void {
    const key = serviceKey({ namespace, name })
    this.#setHealth(key, undefined)
    this.#add(this.#parts.get(key), -1)
    this.#parts.delete(key)
  }

  /** Of now: later changes do not show in it. */
  facts(): ViewFacts {
    this.#shared = true
    const { IPv4, IPv6 } = this.#noLocal
    return { health: this.#health, noLocal: { IPv4: { ...IPv4 }, IPv6: { ...IPv6 } } }
  }

  #setHealth(key: string, wanted: WantedHealth | undefined): void {
    if (wanted === undefined && !this.#health.has(key)) return
    if (this.#shared) this.#health = new Map(this.#health)
    this.#shared = false
    if (wanted === undefined) this.#health.delete(key)
    else this.#health.set(key, wanted)
  }

  #add(counts: Counts | undefined, sign: 1 | -1): void {
    if (counts === undefined) return
    for (const family of families)
      for (const policy of ['internal', 'external'] as const)
        this.#noLocal[family][policy] += sign * counts[family][policy]
  }
}

function healthOf(view: ServiceView): WantedHealth | undefined {
  const { namespace, name, healthCheckNodePort: port } = view
  if (port === 0) return undefined
  const localEndpoints = Object.fromEntries(
    families
      .filter(family => view.addresses[family] !== undefined)
      .map(family => [family, readyLocalAddresses(view, family)]),
  )
  return { namespace, name, port, localEndpoints }
}

function countsOf(view: ServiceView): Counts | undefined {
  if (!view.internalLocal && !view.externalLocal) return undefined
  const counts = noCounts()
  let any = false
  for (const family of families)
    for (const port of view.ports) {
      const decisions = port.endpoints[family]?.decisions
      if (decisions === undefined) continue
      const internal = view.internalLocal && decisions.clusterIPFromElsewhere.verdict === 'drop'
      const external = view.externalLocal && decisions.externalFromElsewhere.verdict === 'drop'
      if (internal) counts[family].internal++
      if (external) counts[family].external++
      any ||= internal || external
    }
  return any ? counts : undefined
}
