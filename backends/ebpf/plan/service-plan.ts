import {
  type Cidr,
  cidrContains,
  classifyIP,
  type Family,
  familyOfBytes,
  formatCIDR,
  formatIP,
  type PortEndpointsView,
  type Problem,
  parseCIDR,
  parseIP,
  type ServiceView,
  serviceKey,
  type TrafficDecision,
} from '@kpng/api'

/** The transports that a socket hook can translate. */
export type Transport = 'TCP' | 'UDP'
export type ListKind = 'cluster' | 'local'
export type FrontendKind = 'ClusterIP' | 'LoadBalancer' | 'ExternalIP' | 'NodePort'

/** One address and port that leads to a service port, and which of its lists it uses. */
export interface Frontend {
  /** See `frontendKey`: who claims the same key wants the same map entry. */
  readonly key: string
  readonly kind: FrontendKind
  readonly family: Family
  /** '' = any of this node's NodePort addresses. */
  readonly address: string
  readonly port: number
  readonly protocol: Transport
  readonly list: ListKind
  /** Only for the sources of the service port. */
  readonly sourceRanges: boolean
  /** Key of the Service that claims it. */
  readonly service: string
  /** Key of the service port: `namespace/name:port/protocol`. */
  readonly servicePort: string
}

export interface ServicePortPlan {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly port: string
  readonly protocol: Transport
  readonly affinityTimeoutSeconds: number
  readonly endpoints: { readonly [F in Family]?: PortEndpointsView }
  /** CIDRs of both families, canonical: who may connect to the frontends with `sourceRanges`. */
  readonly sources: readonly string[]
}

/** An address that is known, whatever its port: see the map addr4. */
export interface KnownAddress {
  readonly address: string
  readonly kind: 'cluster' | 'external' | 'node'
}

/** What one Service wants of the maps, but for what another Service may claim as well. */
export interface ServicePlan {
  readonly key: string
  readonly ports: readonly ServicePortPlan[]
  readonly frontends: readonly Frontend[]
  readonly addresses: readonly KnownAddress[]
  /** What the socket datapath does not serve of it, and why. */
  readonly notServed: readonly Problem[]
}

/** In bytes: what the `service` map holds of a name. */
const MAX_NAME_BYTES = 63
const FAMILIES: readonly Family[] = ['IPv4', 'IPv6']

export const servicePortKey = (service: string, port: string, protocol: Transport): string =>
  `${service}:${port}/${protocol}`

/** `10.96.0.10:53/UDP`, `[fd00::10]:53/UDP`; NodePorts `*4:30053/UDP` and `*6:30053/UDP`. */
export function frontendKey(family: Family, address: string, port: number, protocol: Transport): string {
  if (address === '') return `${family === 'IPv4' ? '*4' : '*6'}:${port}/${protocol}`
  return family === 'IPv4' ? `${address}:${port}/${protocol}` : `[${address}]:${port}/${protocol}`
}

/** What a Service's plan needs to know of the node. */
export interface NodeFacts {
  /** Those in which the node serves NodePorts at all. */
  readonly nodePortFamilies: ReadonlySet<Family>
  /** The node's own address of each family. */
  readonly primaryAddresses: { readonly [F in Family]?: string }
}

/**
 * What becomes of a connection that a socket on this node makes. It is a node's process or a pod on this node, which
 * only a masquerade would tell apart: who makes it is certain here, with or without a local detector.
 */
export const decisionOf = (kind: FrontendKind, { decisions }: PortEndpointsView): TrafficDecision =>
  kind === 'ClusterIP' ? decisions.clusterIPFromPod : decisions.externalFromNode

/** Frontends, lists and addresses of one Service on this node. */
export function planService(view: ServiceView, node: NodeFacts): ServicePlan {
  const key = serviceKey(view)
  const notServed: Problem[] = []
  const plan = {
    key,
    ports: [] as ServicePortPlan[],
    frontends: [] as Frontend[],
    addresses: [] as KnownAddress[],
    notServed,
  }
  const tooLong = [view.namespace, view.name].find(text => Buffer.byteLength(text) > MAX_NAME_BYTES)
  if (tooLong !== undefined) {
    notServed.push({
      where: key,
      field: 'metadata',
      message: `not served: longer than ${MAX_NAME_BYTES} bytes: ${tooLong}`,
      reason: 'NameTooLong',
    })
    return plan
  }
  const targets = FAMILIES.flatMap(family => targetsOf(view, family, key, notServed))
  const sources = FAMILIES.flatMap(family => sourcesOf(view, family, targets, node))
  plan.addresses.push(...knownAddresses(targets))
  for (const [index, port] of view.ports.entries()) {
    const field = `spec.ports[${index}]`
    const { protocol } = port
    if (protocol === 'SCTP') {
      notServed.push({
        where: key,
        field,
        message: 'SCTP is not served at the socket',
        reason: 'ProtocolNotServed',
      })
      continue
    }
    if (Buffer.byteLength(port.name) > MAX_NAME_BYTES) {
      notServed.push({
        where: key,
        field,
        message: `not served: port name longer than ${MAX_NAME_BYTES} bytes`,
        reason: 'NameTooLong',
      })
      continue
    }
    const servicePort = servicePortKey(key, port.name, protocol)
    const { affinityTimeoutSeconds, namespace, name } = view
    plan.ports.push({
      key: servicePort,
      namespace,
      name,
      port: port.name,
      protocol,
      affinityTimeoutSeconds,
      endpoints: port.endpoints,
      sources,
    })
    const seen = new Set<string>()
    const add = (target: Target, number: number): void => {
      const { family, address, kind } = target
      const frontend = frontendKey(family, address, number, protocol)
      // One address twice (an external IP that is the load balancer's too) is one frontend; the first kind counts.
      if (seen.has(frontend)) return
      seen.add(frontend)
      const selection = port.endpoints[family]
      const list = selection === undefined ? 'cluster' : decisionOf(kind, selection).list
      plan.frontends.push({
        key: frontend,
        kind,
        family,
        address,
        port: number,
        protocol,
        list,
        sourceRanges: target.sourceRanges,
        service: key,
        servicePort,
      })
    }
    for (const target of targets) add(target, port.port)
    if (port.nodePort === 0) continue
    for (const family of FAMILIES)
      if (node.nodePortFamilies.has(family) && view.addresses[family] !== undefined)
        add({ family, address: '', kind: 'NodePort', sourceRanges: false }, port.nodePort)
  }
  return plan
}

interface Target {
  readonly family: Family
  readonly address: string
  readonly kind: FrontendKind
  readonly sourceRanges: boolean
}

const FIELDS: Readonly<Record<FrontendKind, string>> = {
  ClusterIP: 'spec.clusterIPs',
  ExternalIP: 'spec.externalIPs',
  LoadBalancer: 'status.loadBalancer.ingress',
  NodePort: 'spec.ports',
}

export const fieldOf = (kind: FrontendKind): string => FIELDS[kind]

/** The Service's addresses in one family that can be frontends, ClusterIP first. */
function targetsOf(view: ServiceView, family: Family, key: string, notServed: Problem[]): Target[] {
  const addresses = view.addresses[family]
  if (addresses === undefined) return []
  const targets: Target[] = []
  // A load balancer's address is checked whatever else it is called. Node ports never are.
  const checked = new Set(addresses.sourceRanges.length > 0 ? addresses.loadBalancerIPs.map(canonical) : [])
  const add = (kind: FrontendKind, text: string): void => {
    const ip = parseIP(text)
    const refuse = (why: string): void => {
      notServed.push({
        where: key,
        field: FIELDS[kind],
        message: `${text} is not served: ${why}`,
        reason: 'AddressNotServed',
      })
    }
    if (ip === undefined || familyOfBytes(ip) !== family) refuse(`not an ${family} address`)
    else if (classifyIP(ip) === 'loopback') refuse('a loopback address is never translated')
    else if (classifyIP(ip) === 'unspecified') refuse('an unspecified address is no destination')
    else {
      const address = formatIP(ip)
      targets.push({ family, address, kind, sourceRanges: checked.has(address) })
    }
  }
  add('ClusterIP', addresses.clusterIP)
  for (const address of addresses.loadBalancerIPs) add('LoadBalancer', address)
  for (const address of addresses.externalIPs) add('ExternalIP', address)
  return targets
}

const canonical = (text: string): string => {
  const ip = parseIP(text)
  return ip === undefined ? text : formatIP(ip)
}

/**
 * Who may connect to the Service's load balancer addresses of a family. If that is the node, so may those addresses
 * themselves: where one is put on the node's own interfaces, the node calls it from itself.
 */
function sourcesOf(
  view: ServiceView,
  family: Family,
  targets: readonly Target[],
  { primaryAddresses }: NodeFacts,
): string[] {
  const own = targets.filter(target => target.family === family && target.sourceRanges)
  if (own.length === 0) return []
  const ranges = (view.addresses[family]?.sourceRanges ?? [])
    .map(parseCIDR)
    .filter((cidr): cidr is Cidr => cidr?.family === family)
  const node = parseIP(primaryAddresses[family] ?? '')
  const fromNode = node !== undefined && ranges.some(range => cidrContains(range, node))
  const themselves = fromNode ? own.map(({ address }) => `${address}/${family === 'IPv4' ? 32 : 128}`) : []
  return [...new Set([...ranges.map(formatCIDR), ...themselves])].sort()
}

function knownAddresses(targets: readonly Target[]): KnownAddress[] {
  const known = new Map<string, KnownAddress>()
  for (const { address, kind } of targets) {
    const what = kind === 'ClusterIP' ? 'cluster' : 'external'
    known.set(`${what} ${address}`, { address, kind: what })
  }
  return [...known.values()]
}
