/** One string or list in memory where many objects say the same: a cluster has few nodes, zones and port lists. */
import { ownText } from './fields.ts'
import type { Endpoint, EndpointSlice, KubeObject, Service } from './types.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Bound on the lists remembered; beyond it remembering starts anew. */
const MAX_LISTS = 4_096

/** Gives equal texts the same string, and one that does not keep the whole file in memory. */
type Intern = (text: string) => string

/** A table of strings that many objects share. Bounded: with more than maxEntries it starts anew. */
function internTable(maxEntries = 1 << 14): Intern {
  const table = new Map<string, string>()
  return text => {
    const known = table.get(text)
    if (known !== undefined) return known
    const own = ownText(text)
    if (table.size >= maxEntries) table.clear()
    table.set(own, own)
    return own
  }
}

export class Sharing {
  readonly #text: Intern = internTable()
  readonly #lists = new Map<string, readonly unknown[]>()

  /** Works on the object itself, which nobody else may have yet. */
  share(object: KubeObject): void {
    if (object.kind === 'EndpointSlice') this.#slice(object)
    else if (object.kind === 'Service') this.#service(object)
  }

  #slice(slice: Writable<EndpointSlice>): void {
    slice.kind = 'EndpointSlice' // the program's own string
    slice.namespace = this.#text(slice.namespace)
    slice.ports = this.#list(slice.ports)
    for (const endpoint of slice.endpoints) this.#endpoint(endpoint)
  }

  #endpoint(endpoint: Writable<Endpoint>): void {
    if (endpoint.nodeName !== undefined) endpoint.nodeName = this.#text(endpoint.nodeName)
    if (endpoint.zone !== undefined) endpoint.zone = this.#text(endpoint.zone)
    if (endpoint.zoneHints !== undefined) endpoint.zoneHints = this.#list(endpoint.zoneHints)
    if (endpoint.nodeHints !== undefined) endpoint.nodeHints = this.#list(endpoint.nodeHints)
  }

  #service(service: Writable<Service>): void {
    service.namespace = this.#text(service.namespace)
    service.type = this.#text(service.type)
    service.ports = this.#list(service.ports)
    service.externalIPs = this.#list(service.externalIPs)
    service.loadBalancerIPs = this.#list(service.loadBalancerIPs)
    service.sourceRanges = this.#list(service.sourceRanges)
  }

  #list<T>(list: readonly T[]): readonly T[] {
    const key = JSON.stringify(list)
    const known = this.#lists.get(key)
    if (known !== undefined) return known as readonly T[]
    if (this.#lists.size >= MAX_LISTS) this.#lists.clear()
    this.#lists.set(key, list)
    return list
  }
}
