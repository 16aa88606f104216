import type {
  EndpointView,
  Family,
  PortEndpointsView,
  ServiceView,
  TrafficClass,
  TrafficDecision,
} from '@kpng/api'

export interface AService {
  readonly name?: string
  readonly healthCheckNodePort?: number
  readonly families?: readonly Family[]
  /** Verdicts under the policies Local that the Service has, one for each port. */
  readonly internal?: readonly TrafficDecision['verdict'][]
  readonly external?: readonly TrafficDecision['verdict'][]
  /** `10.0.0.1` local and ready; with ` remote`, ` terminating` or ` unready` after it something else. By port. */
  readonly endpoints?: readonly (readonly string[])[]
}

/** A Service in the namespace `shop`, with what observers look at. */
export function aService(spec: AService): ServiceView {
  const { name = 'web', families = ['IPv4'], internal, external, endpoints = [[]], ...rest } = spec
  const count = Math.max(endpoints.length, internal?.length ?? 0, external?.length ?? 0)
  return {
    namespace: 'shop',
    name,
    type: 'LoadBalancer',
    addresses: Object.fromEntries(
      families.map(family => [
        family,
        { clusterIP: '', externalIPs: [], loadBalancerIPs: [], sourceRanges: [] },
      ]),
    ),
    ports: Array.from({ length: count }, (_, port) => ({
      ...{ name: `p${port}`, protocol: 'TCP', port: port + 1, nodePort: 0 },
      endpoints: Object.fromEntries(
        families.map(family => [
          family,
          portEndpoints(family, endpoints[port] ?? [], internal?.[port], external?.[port]),
        ]),
      ),
    })),
    affinityTimeoutSeconds: 0,
    internalLocal: internal !== undefined,
    externalLocal: external !== undefined,
    healthCheckNodePort: 0,
    ...rest,
  }
}

function portEndpoints(
  family: Family,
  texts: readonly string[],
  internal: TrafficDecision['verdict'] = 'serve',
  external: TrafficDecision['verdict'] = 'serve',
): PortEndpointsView {
  const decision = (verdict: TrafficDecision['verdict']): TrafficDecision => ({
    list: 'local',
    verdict,
    masquerade: false,
  })
  const decisions: Record<TrafficClass, TrafficDecision> = {
    clusterIPFromPod: decision(internal),
    clusterIPFromElsewhere: decision(internal),
    externalFromPod: decision('serve'),
    externalFromNode: decision('serve'),
    externalFromElsewhere: decision(external),
  }
  const inFamily = texts.filter(text => text.includes(':') === (family === 'IPv6'))
  return { endpoints: inFamily.map(endpoint), hasAnyEndpoints: true, decisions, topologyMode: '' }
}

function endpoint(text: string): EndpointView {
  const [address = '', state] = text.split(' ')
  return {
    address,
    port: 8080,
    local: state !== 'remote',
    ready: state !== 'unready' && state !== 'terminating',
    serving: state !== 'unready',
    terminating: state === 'terminating',
    inCluster: true,
    inLocal: state !== 'remote',
  }
}
