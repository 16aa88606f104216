import type { Family, PortEndpointsView, ServicePortView, ServiceView } from '@kpng/api'
import { formatAddressPort } from './destination.ts'

export const families: readonly Family[] = ['IPv4', 'IPv6']

/** Which list a frontend of a kind uses for traffic from this node and its pods (kube-proxy.md 4). */
export type ListKind = 'cluster' | 'local'

export interface FrontendRow {
  readonly kind: 'ClusterIP' | 'ExternalIP' | 'LoadBalancer' | 'NodePort'
  readonly family: Family
  /** '' for a NodePort: any of the node's NodePort addresses. */
  readonly address: string
  readonly port: number
  readonly list: ListKind
}

/** The frontends of one service port, in the order kubectl would name them. */
export function frontendsOf(service: ServiceView, port: ServicePortView): FrontendRow[] {
  return families.flatMap(family => {
    const addresses = service.addresses[family]
    if (addresses === undefined) return []
    const row = (
      kind: FrontendRow['kind'],
      address: string,
      number: number,
      list: ListKind,
    ): FrontendRow => ({
      kind,
      family,
      address,
      port: number,
      list,
    })
    return [
      row('ClusterIP', addresses.clusterIP, port.port, service.internalLocal ? 'local' : 'cluster'),
      ...addresses.externalIPs.map(address => row('ExternalIP', address, port.port, 'cluster')),
      ...addresses.loadBalancerIPs.map(address => row('LoadBalancer', address, port.port, 'cluster')),
      ...(port.nodePort === 0 ? [] : [row('NodePort', '', port.nodePort, 'cluster')]),
    ]
  })
}

export const formatFrontend = (frontend: FrontendRow): string =>
  frontend.kind === 'NodePort' ? `node:${frontend.port}` : formatAddressPort(frontend.address, frontend.port)

/** Endpoints that a list holds. */
export const usedEndpoints = (endpoints: PortEndpointsView | undefined, list: ListKind) =>
  (endpoints?.endpoints ?? []).filter(endpoint => (list === 'local' ? endpoint.inLocal : endpoint.inCluster))

/** What a connection to a frontend meets: how many backends, or how it is refused. */
export function outcomeOf(port: ServicePortView, frontend: FrontendRow): string {
  const endpoints = port.endpoints[frontend.family]
  const used = usedEndpoints(endpoints, frontend.list).length
  if (used > 0) return used === 1 ? '1 backend' : `${used} backends`
  return endpoints?.hasAnyEndpoints === true ? 'unreachable: no local endpoint' : 'refused: no endpoints'
}

/** `namespace/name:port`, or without the colon where the port has no name. */
export const servicePortName = (service: ServiceView, port: ServicePortView): string =>
  `${service.namespace}/${service.name}${port.name === '' ? '' : `:${port.name}`}`
