import {
  type Family,
  type PortEndpointsView,
  type ServicePortView,
  type ServiceView,
  serviceKey,
} from '@kpng/api'
import { type Frontend, type ListKind, planService, servicePortKey } from '@kpng/backend-ebpf'
import { formatAddressPort } from './destination.ts'

export const families: readonly Family[] = ['IPv4', 'IPv6']

/** The frontends of one service port, as the backend plans them. */
export function frontendsOf(
  service: ServiceView,
  port: ServicePortView,
  nodePortAddresses: readonly string[],
): Frontend[] {
  if (port.protocol === 'SCTP') return []
  const key = servicePortKey(serviceKey(service), port.name, port.protocol)
  const nodePortFamilies = new Set(
    nodePortAddresses.map(address => (address.includes(':') ? 'IPv6' : 'IPv4')),
  )
  return planService(service, nodePortFamilies).frontends.filter(({ servicePort }) => servicePort === key)
}

export const formatFrontend = (frontend: Frontend): string =>
  frontend.kind === 'NodePort' ? `node:${frontend.port}` : formatAddressPort(frontend.address, frontend.port)

/** Endpoints that a list holds. */
export const usedEndpoints = (endpoints: PortEndpointsView | undefined, list: ListKind) =>
  (endpoints?.endpoints ?? []).filter(endpoint => (list === 'local' ? endpoint.inLocal : endpoint.inCluster))

/** What a connection to a frontend meets: how many backends, or how it is refused. */
export function outcomeOf(port: ServicePortView, frontend: Frontend): string {
  const endpoints = port.endpoints[frontend.family]
  const used = usedEndpoints(endpoints, frontend.list).length
  if (used > 0) return used === 1 ? '1 backend' : `${used} backends`
  return endpoints?.hasAnyEndpoints === true ? 'unreachable: no local endpoint' : 'refused: no endpoints'
}

/** `namespace/name:port`, or without the colon where the port has no name. */
export const servicePortName = (service: ServiceView, port: ServicePortView): string =>
  `${service.namespace}/${service.name}${port.name === '' ? '' : `:${port.name}`}`
