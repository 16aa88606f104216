import type { PortSpec, ServiceSpec } from './views.ts'

/** Few names, few addresses, few ports: so that everything clashes with everything. */
const NAMES = ['a/one', 'a/two', 'b/one', 'b/three', 'c/four', 'c/five']
const VIPS4 = ['10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4']
const VIPS6 = ['fd00::1', 'fd00::2']
const EXTERNAL = ['192.0.2.1', '192.0.2.2', '10.96.0.1', '2001:db8::1']
const PODS = ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', 'fd01::1', 'fd01::2', 'fd01::3']
const POD_PORTS = [80, 81]
const RANGES = ['10.1.0.0/16', '10.0.0.0/8', '192.168.1.0/24', 'fd01::/16', 'fd02::/64']
const WORDS = ['', '', ' local', ' local onlycluster', ' local onlylocal', ' notready', ' terminating']
const NODE_ADDRESSES = ['192.168.1.1', '10.96.0.2', 'fd02::1']
const CIDRS = ['10.96.0.0/16', 'fd00::/112']

/** A change of the cluster: what it is called, and the objects that are different afterwards. */
export interface Change {
  readonly kind: string
  readonly service?: ServiceSpec
  readonly gone?: string
  readonly node?: { readonly addresses: readonly string[]; readonly cidrs: readonly string[] }
}

type Changed<T> = { -readonly [K in keyof T]?: T[K] }

/** A cluster in which one thing after the other changes at random. */
export class Churn {
  readonly #random: () => number
  readonly #services = new Map<string, ServiceSpec>()
  /** How often each kind of change has happened. */
  readonly counts = new Map<string, number>()

  constructor(random: () => number) {
    this.#random = random
  }

  get names(): readonly string[] {
    return [...this.#services.keys()]
  }

  next(): Change {
    for (;;) {
      const change = this.#weighted(this.#kinds)()
      if (change === undefined) continue
      if (change.service !== undefined) this.#services.set(change.service.name, change.service)
      if (change.gone !== undefined) this.#services.delete(change.gone)
      this.counts.set(change.kind, (this.counts.get(change.kind) ?? 0) + 1)
      return change
    }
  }

  /** What can happen, and how often; undefined = not to this cluster now. */
  readonly #kinds: readonly (readonly [weight: number, make: () => Change | undefined])[] = [
    [4, () => this.#come()],
    [3, () => this.#go()],
    [10, () => this.#onPort('endpoint comes', port => this.#endpointComes(port))],
    [10, () => this.#onPort('endpoint goes', port => this.#endpointGoes(port))],
    [6, () => this.#onPort('endpoint turns', port => this.#endpointTurns(port))],
    [2, () => this.#onPort('all endpoints change', () => ({ endpoints: this.#endpoints() }))],
    [2, () => this.#onPort('all endpoints go', () => ({ endpoints: [] }))],
    [3, () => this.#onPort('protocol', ({ protocol }) => ({ protocol: protocol === 'UDP' ? 'TCP' : 'UDP' }))],
    [3, () => this.#onPort('port number', () => ({ port: this.#pick([53, 80]) }))],
    [2, () => this.#onPort('port name', () => ({ name: this.#pick(['p', 'q', 'r']) }))],
    [2, () => this.#onPort('node port', () => ({ nodePort: this.#pick([0, 30053, 30080]) }))],
    [2, () => this.#onService('port comes', ({ ports }) => ({ ports: [...ports, this.#port()] }))],
    [2, () => this.#onService('port goes', ({ ports }) => ({ ports: this.#without(ports) }))],
    [3, () => this.#onService('family', ({ clusterIPs }) => this.#otherFamilies(clusterIPs ?? []))],
    [2, () => this.#onService('cluster IP', () => ({ clusterIPs: this.#clusterIPs() }))],
    [2, () => this.#onService('external IPs', () => ({ externalIPs: this.#some(EXTERNAL) }))],
    [2, () => this.#onService('load balancer IPs', () => ({ loadBalancerIPs: this.#some(EXTERNAL) }))],
    [2, () => this.#onService('source ranges', () => ({ sourceRanges: this.#some(RANGES) }))],
    [3, () => this.#onService('traffic policy', ({ internalLocal }) => ({ internalLocal: !internalLocal }))],
    [3, () => this.#onService('affinity', () => ({ affinity: this.#pick([0, 10, 3600]) }))],
    [1, () => ({ kind: 'node', node: { addresses: this.#some(NODE_ADDRESSES), cidrs: this.#some(CIDRS) } })],
  ]

  #come(): Change | undefined {
    const name = this.#pick(NAMES)
    if (this.#services.has(name)) return undefined
    const sourceRanges = this.#random() < 0.3 ? this.#some(RANGES) : []
    const service: ServiceSpec = {
      ...{ name, clusterIPs: this.#clusterIPs(), ports: [this.#port()], sourceRanges },
      ...{ externalIPs: this.#some(EXTERNAL), loadBalancerIPs: this.#some(EXTERNAL) },
      ...{ affinity: this.#pick([0, 0, 10]), internalLocal: this.#random() < 0.2 },
    }
    return { kind: 'service comes', service }
  }

  #go(): Change | undefined {
    if (this.#services.size === 0) return undefined
    return { kind: 'service goes', gone: this.#pick(this.names) }
  }

  #onService(
    kind: string,
    change: (service: ServiceSpec) => Changed<ServiceSpec> | undefined,
  ): Change | undefined {
    if (this.#services.size === 0) return undefined
    const service = this.#services.get(this.#pick(this.names))
    const changed = service && change(service)
    if (service === undefined || changed === undefined) return undefined
    const ports = new Set((changed.ports ?? service.ports).map(({ name, protocol }) => `${name} ${protocol}`))
    // As in Kubernetes, a Service has not two ports of one name and protocol.
    if (ports.size < (changed.ports ?? service.ports).length) return undefined
    return { kind, service: { ...service, ...changed } }
  }

  #onPort(kind: string, change: (port: PortSpec) => Changed<PortSpec> | undefined): Change | undefined {
    return this.#onService(kind, ({ ports }) => {
      const index = Math.floor(this.#random() * ports.length)
      const port = ports[index]
      const changed = port && change(port)
      if (port === undefined || changed === undefined) return undefined
      return { ports: ports.with(index, { ...port, ...changed }) }
    })
  }

  #endpointComes({ endpoints = [] }: PortSpec): Changed<PortSpec> | undefined {
    const endpoint = this.#endpoint()
    if (endpoints.some(one => whereOf(one) === whereOf(endpoint))) return undefined
    return { endpoints: [...endpoints, endpoint] }
  }

  #endpointGoes({ endpoints = [] }: PortSpec): Changed<PortSpec> | undefined {
    if (endpoints.length === 0) return undefined
    const gone = this.#pick(endpoints)
    return { endpoints: endpoints.filter(one => one !== gone) }
  }

  #endpointTurns({ endpoints = [] }: PortSpec): Changed<PortSpec> | undefined {
    if (endpoints.length === 0) return undefined
    const index = Math.floor(this.#random() * endpoints.length)
    return { endpoints: endpoints.with(index, `${whereOf(endpoints[index] ?? '')}${this.#pick(WORDS)}`) }
  }

  #endpoint(): string {
    return `[${this.#pick(PODS)}]:${this.#pick(POD_PORTS)}${this.#pick(WORDS)}`
  }

  #endpoints(): string[] {
    const endpoints = new Map<string, string>()
    for (let count = Math.floor(this.#random() * 7); count > 0; count--) {
      const endpoint = this.#endpoint()
      endpoints.set(whereOf(endpoint), endpoint)
    }
    return [...endpoints.values()]
  }

  #port(): PortSpec {
    return {
      ...{
        name: this.#pick(['p', 'q', 'r']),
        protocol: this.#pick(['TCP', 'UDP', 'UDP']),
        endpoints: this.#endpoints(),
      },
      ...{ port: this.#pick([53, 80]), nodePort: this.#pick([0, 0, 30053, 30080]) },
    }
  }

  /** A Service keeps one port at least. */
  #without(ports: readonly PortSpec[]): PortSpec[] {
    return ports.length === 1 ? [...ports] : ports.toSpliced(Math.floor(this.#random() * ports.length), 1)
  }

  #clusterIPs(): string[] {
    return this.#pick([[this.#pick(VIPS4)], [this.#pick(VIPS6)], [this.#pick(VIPS4), this.#pick(VIPS6)]])
  }

  /** From one family to both, or to the other, or back. */
  #otherFamilies(clusterIPs: readonly string[]): Changed<ServiceSpec> {
    const v4 = clusterIPs.find(one => one.includes('.')) ?? this.#pick(VIPS4)
    const v6 = clusterIPs.find(one => one.includes(':')) ?? this.#pick(VIPS6)
    return { clusterIPs: this.#pick([[v4], [v6], [v4, v6]].filter(all => all.length !== clusterIPs.length)) }
  }

  #some(all: readonly string[]): string[] {
    return all.filter(() => this.#random() < 0.3)
  }

  #pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#random() * all.length)]
    if (one === undefined) throw new Error('nothing to choose from')
    return one
  }

  #weighted<T>(all: readonly (readonly [number, T])[]): T {
    let at = this.#random() * all.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, one] of all) {
      if (at < weight) return one
      at -= weight
    }
    throw new Error('nothing to choose from')
  }
}

const whereOf = (endpoint: string): string => endpoint.split(' ')[0] ?? ''
