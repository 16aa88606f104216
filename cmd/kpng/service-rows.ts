import {
  type Family,
  formatAddressPort,
  ipFamily,
  type PortEndpointsView,
  type ServicePortView,
  type ServiceView,
  serviceKey,
} from '@kpng/api'
import { decisionOf, type Frontend, type ListKind, planService, servicePortKey } from '@kpng/backend-ebpf'

export const families: readonly Family[] = ['IPv4', 'IPv6']

/** The frontends of one service port, as the backend plans them. */
export function frontendsOf(
  service: ServiceView,
  port: ServicePortView,
  nodePortAddresses: readonly string[],
): Frontend[] {
  if (port.protocol === 'SCTP') return []
  const key = servicePortKey(serviceKey(service), port.name, port.protocol)
  const nodePortFamilies = new Set(nodePortAddresses.map(ipFamily))
  return planService(service, { nodePortFamilies, primaryAddresses: {} }).frontends.filter(
    ({ servicePort }) => servicePort === key,
  )
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
  const verdict = endpoints && decisionOf(frontend.kind, endpoints).verdict
  return verdict === 'drop' ? 'unreachable: no local endpoint' : 'refused: no endpoints'
}

/** What all frontends of a port meet; where they differ, which family or kind of frontend meets what. */
export function stateOf(port: ServicePortView, frontends: readonly Frontend[]): string {
  const by = (name: (frontend: Frontend) => string): string | undefined => {
    const outcomes = Map.groupBy(frontends, name)
    const parts = [...outcomes].map(
      ([key, group]) => [key, new Set(group.map(one => outcomeOf(port, one)))] as const,
    )
    if (parts.some(([, outcomes]) => outcomes.size > 1)) return undefined
    return parts.map(([key, outcomes]) => `${key}${[...outcomes].join('')}`).join(', ')
  }
  const namings: ReadonlyArray<(frontend: Frontend) => string> = [
    () => '',
    ({ family }) => `${family}: `,
    ({ kind }) => `${kind}: `,
    ({ family, kind }) => `${family} ${kind}: `,
  ]
  return namings.map(by).find(text => text !== undefined) ?? ''
}

/** `namespace/name:port`, or without the colon where the port has no name. */
export const servicePortName = (service: ServiceView, port: ServicePortView): string =>
  `${service.namespace}/${service.name}${port.name === '' ? '' : `:${port.name}`}`
