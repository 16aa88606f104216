import type {
  EndpointView,
  Family,
  NodeView,
  PortEndpointsView,
  ServicePortView,
  ServiceView,
} from '@kpng/api'
import type { FrontendPlace } from '../rows.ts'

/** What a frontend should lead to, worked out the slow and simple way, with nothing shared with what is tested. */
export interface Expected {
  readonly place: FrontendPlace
  /** `namespace/name`. */
  readonly service: string
  /** `namespace/name:port/protocol`. */
  readonly servicePort: string
  readonly affinityS: number
  /** `address port`, sorted; empty: see reason. */
  readonly backends: readonly string[]
  readonly reason: 'NO_ENDPOINTS' | 'NO_LOCAL_ENDPOINTS'
  /** CIDRs of those who may connect; undefined: everybody. */
  readonly sources: readonly string[] | undefined
}

const RANKS = ['clusterIP', 'loadBalancer', 'external', 'nodePort']

/** By `family address port/protocol`. */
export function expectedFrontends(
  services: Iterable<ServiceView>,
  node: NodeView | undefined,
): Map<string, Expected> {
  const claims: { key: string; order: string; expected: Expected }[] = []
  for (const view of services) {
    for (const port of view.ports) {
      if (port.protocol === 'SCTP') continue
      for (const family of ['IPv4', 'IPv6'] as const) {
        for (const [kind, address, number] of targets(view, port, family, node)) {
          const place = { family, address, port: number, protocol: port.protocol }
          const name = `${view.namespace}/${view.name}`
          const servicePort = `${name}:${port.name}/${port.protocol}`
          const local = kind === 'clusterIP' && view.internalLocal
          claims.push({
            key: placeText(place),
            order: `${RANKS.indexOf(kind)} ${name} ${servicePort}`,
            expected: {
              place,
              service: name,
              servicePort,
              affinityS: view.affinityTimeoutSeconds,
              ...listOf(port.endpoints[family], local),
              sources: address === '' ? undefined : sourcesOf(view, family, address, node),
            },
          })
        }
      }
    }
  }
  claims.sort((a, b) => (a.order < b.order ? 1 : a.order > b.order ? -1 : 0))
  return new Map(claims.map(({ key, expected }) => [key, expected]))
}

const placeText = (place: FrontendPlace): string =>
  `${place.family} ${place.address} ${place.port}/${place.protocol}`

function targets(
  view: ServiceView,
  port: ServicePortView,
  family: Family,
  node: NodeView | undefined,
): [string, string, number][] {
  const addresses = view.addresses[family]
  if (addresses === undefined) return []
  const served = node?.addresses.some(address => address.includes('.') === (family === 'IPv4')) ?? false
  return [
    ['clusterIP', addresses.clusterIP, port.port] as [string, string, number],
    ...addresses.loadBalancerIPs.map(
      address => ['loadBalancer', address, port.port] as [string, string, number],
    ),
    ...addresses.externalIPs.map(address => ['external', address, port.port] as [string, string, number]),
    ...(served && port.nodePort > 0 ? [['nodePort', '', port.nodePort] as [string, string, number]] : []),
  ]
}

/** An address that is a load balancer's is checked; the node may call it from itself. */
function sourcesOf(
  view: ServiceView,
  family: Family,
  address: string,
  node: NodeView | undefined,
): readonly string[] | undefined {
  const addresses = view.addresses[family]
  if (addresses === undefined || addresses.sourceRanges.length === 0) return undefined
  if (!addresses.loadBalancerIPs.includes(address)) return undefined
  const own = node?.addresses.find(one => one.includes('.') === (family === 'IPv4'))
  if (own === undefined || !isWithin(own, addresses.sourceRanges)) return addresses.sourceRanges
  return [
    ...addresses.sourceRanges,
    ...addresses.loadBalancerIPs.map(one => `${one}/${one.includes('.') ? 32 : 128}`),
  ]
}

/** Compares addresses as text of bits. */
export function isWithin(address: string, ranges: readonly string[]): boolean {
  return ranges.some(range => {
    const [first = '', length = ''] = range.split('/')
    if (first.includes('.') !== address.includes('.')) return false
    return bits(address).slice(0, Number(length)) === bits(first).slice(0, Number(length))
  })
}

function bits(address: string): string {
  if (address.includes('.'))
    return address
      .split('.')
      .map(byte => Number(byte).toString(2).padStart(8, '0'))
      .join('')
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0')
  return [...left, ...zeros, ...right]
    .map(word => Number.parseInt(word, 16).toString(2).padStart(16, '0'))
    .join('')
}

function listOf(
  selection: PortEndpointsView | undefined,
  local: boolean,
): Pick<Expected, 'backends' | 'reason'> {
  const used = (selection?.endpoints ?? []).filter(endpoint =>
    local ? endpoint.inLocal : endpoint.inCluster,
  )
  return {
    backends: used.map(({ address, port }) => `${address} ${port}`).sort(),
    reason: selection?.hasAnyEndpoints ? 'NO_LOCAL_ENDPOINTS' : 'NO_ENDPOINTS',
  }
}

/** `servicePort address port` of every endpoint that serves somewhere: their flows may stay. */
export const servingMemberships = (services: Iterable<ServiceView>): Set<string> =>
  memberships(services, ({ ready, serving }) => ready || serving)

/** The same of all endpoints: they keep their ids. */
export const namedMemberships = (services: Iterable<ServiceView>): Set<string> =>
  memberships(services, () => true)

function memberships(
  services: Iterable<ServiceView>,
  counts: (endpoint: EndpointView) => boolean,
): Set<string> {
  const found = new Set<string>()
  for (const view of services) {
    for (const port of view.ports) {
      for (const selection of Object.values(port.endpoints)) {
        for (const endpoint of selection.endpoints) {
          const { address, port: number } = endpoint
          if (counts(endpoint))
            found.add(`${view.namespace}/${view.name}:${port.name}/${port.protocol} ${address} ${number}`)
        }
      }
    }
  }
  return found
}
