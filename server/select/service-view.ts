/** A Service and its slices, as one node sees them. */
import type { Family, PortEndpointsView, ServiceAddressesView, ServicePortView, ServiceView } from '@kpng/api'
import { ofFamily } from '../objects/address-fields.ts'
import type { EndpointSlice, Service, ServicePort } from '../objects/types.ts'
import { categorize, type ListUse } from './categorize.ts'
import { DEFAULT_POLICY, decide, type NodePolicy, verdictOf } from './decisions.ts'
import { portEndpoints, usableSlices } from './endpoints.ts'
import type { NodePlace } from './topology.ts'

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6']

/**
 * undefined when no proxy of this kind serves the Service: headless, ExternalName, another proxy's, or without
 * an address. Does not depend on the order of the slices.
 */
export function selectService(
  service: Service,
  slices: Iterable<EndpointSlice>,
  node: NodePlace,
  policy: NodePolicy = DEFAULT_POLICY,
): ServiceView | undefined {
  const families = FAMILIES.filter(family => service.clusterIPs[family] !== undefined)
  if (families.length === 0 || service.headless || service.foreignProxy || service.type === 'ExternalName') {
    return undefined
  }
  const usable = usableSlices(slices)
  const addresses: { [F in Family]?: ServiceAddressesView } = {}
  for (const family of families) addresses[family] = addressesOf(service, family, policy)
  return {
    namespace: service.namespace,
    name: service.name,
    type: service.type,
    addresses,
    ports: service.ports.map(port => portView(service, port, addresses, usable, node, policy)),
    affinityTimeoutSeconds: service.affinityTimeoutSeconds,
    internalLocal: service.internalLocal,
    externalLocal: service.externalLocal,
    healthCheckNodePort: service.healthCheckNodePort,
  }
}

function addressesOf(service: Service, family: Family, policy: NodePolicy): ServiceAddressesView {
  return {
    clusterIP: service.clusterIPs[family] ?? '',
    externalIPs: policy.externalIPs ? ofFamily(family, service.externalIPs) : [],
    loadBalancerIPs: ofFamily(family, service.loadBalancerIPs),
    sourceRanges: sourceRangesInForce(ofFamily(family, service.sourceRanges)),
  }
}

/** A range that holds everybody makes the others void; so does having none left of the family. */
function sourceRangesInForce(ranges: readonly string[]): readonly string[] {
  return ranges.some(range => range.endsWith('/0')) ? [] : ranges
}

function portView(
  service: Service,
  port: ServicePort,
  addresses: ServiceView['addresses'],
  slices: readonly EndpointSlice[],
  node: NodePlace,
  policy: NodePolicy,
): ServicePortView {
  const endpoints: { [F in Family]?: PortEndpointsView } = {}
  for (const family of FAMILIES) {
    const own = addresses[family]
    if (own === undefined) continue
    const selected = categorize(portEndpoints(slices, family, port), listUse(service, port, own), node)
    const { endpoints: all, hasAnyEndpoints } = selected
    endpoints[family] = {
      ...selected,
      decisions: decide({
        internalLocal: service.internalLocal,
        externalLocal: service.externalLocal,
        cluster: verdictOf(!all.some(it => it.inCluster), hasAnyEndpoints),
        local: verdictOf(!all.some(it => it.inLocal), hasAnyEndpoints),
        masqueradeAll: policy.masqueradeAll,
        localDetector: policy.podSources[family] !== undefined,
      }),
    }
  }
  return { name: port.name, protocol: port.protocol, port: port.port, nodePort: port.nodePort, endpoints }
}

/** Which lists a service port needs in a family: policies count only where there is a way in for their traffic. */
export function listUse(
  service: Pick<Service, 'internalLocal' | 'externalLocal'>,
  port: Pick<ServicePort, 'nodePort'>,
  addresses: Pick<ServiceAddressesView, 'externalIPs' | 'loadBalancerIPs'>,
): ListUse {
  const fromOutside =
    port.nodePort !== 0 || addresses.externalIPs.length > 0 || addresses.loadBalancerIPs.length > 0
  return {
    cluster: !service.internalLocal || fromOutside,
    local: service.internalLocal || (service.externalLocal && fromOutside),
  }
}
