import {
  classifyIP,
  type Family,
  familyOfBytes,
  formatIP,
  type PortEndpointsView,
  type Problem,
  parseIP,
  type ServiceView,
  serviceKey,
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

/**
 * Frontends, lists and addresses of one Service on this node. `nodePortFamilies` are those in which the node
 * serves NodePorts at all.
 */
export function planService(view: ServiceView, nodePortFamilies: ReadonlySet<Family>): ServicePlan {
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
    })
    const seen = new Set<string>()
    const add = (target: Target, number: number): void => {
      const { family, address, kind } = target
      const frontend = frontendKey(family, address, number, protocol)
      // One address twice (an external IP that is the load balancer's too) is one frontend; the first kind counts.
      if (seen.has(frontend)) return
      seen.add(frontend)
      const list = kind === 'ClusterIP' && view.internalLocal ? 'local' : 'cluster'
      plan.frontends.push({
        key: frontend,
        kind,
        family,
        address,
        port: number,
        protocol,
        list,
        service: key,
        servicePort,
      })
    }
    for (const target of targets) add(target, port.port)
    if (port.nodePort === 0) continue
    for (const family of FAMILIES)
      if (nodePortFamilies.has(family) && view.addresses[family] !== undefined)
        add({ family, address: '', kind: 'NodePort' }, port.nodePort)
  }
  return plan
}

interface Target {
  readonly family: Family
  readonly address: string
  readonly kind: FrontendKind
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
    else targets.push({ family, address: formatIP(ip), kind })
  }
  add('ClusterIP', addresses.clusterIP)
  if (addresses.sourceRanges.length === 0) {
    for (const address of addresses.loadBalancerIPs) add('LoadBalancer', address)
  } else if (addresses.loadBalancerIPs.length > 0) {
    // The socket does not know its source address yet: serving everybody would open what was closed.
    const message = `${addresses.loadBalancerIPs.join(', ')}: not served at the socket, loadBalancerSourceRanges cannot be checked there yet`
    notServed.push({
      where: key,
      field: 'spec.loadBalancerSourceRanges',
      message,
      reason: 'SourceRangesNotServed',
    })
  }
  for (const address of addresses.externalIPs) add('ExternalIP', address)
  return targets
}

function knownAddresses(targets: readonly Target[]): KnownAddress[] {
  const known = new Map<string, KnownAddress>()
  for (const { address, kind } of targets) {
    const what = kind === 'ClusterIP' ? 'cluster' : 'external'
    known.set(`${what} ${address}`, { address, kind: what })
  }
  return [...known.values()]
}
