import type {
  EndpointView,
  Family,
  NodeView,
  PortEndpointsView,
  Protocol,
  ServicePortView,
  ServiceView,
  TrafficDecision,
} from '@kpng/api'

/** `10.1.0.1:80` and words after it: local, notready (in no list), terminating (serving, in no list), onlylocal, onlycluster. */
function endpoint(text: string): EndpointView {
  const [where = '', ...words] = text.split(' ')
  const colon = where.lastIndexOf(':')
  const address = where.slice(0, colon).replace(/^\[|\]$/g, '')
  const is = (word: string): boolean => words.includes(word)
  const used = !is('notready') && !is('terminating')
  return {
    address,
    port: Number(where.slice(colon + 1)),
    local: is('local'),
    ready: used,
    serving: !is('notready'),
    terminating: is('terminating'),
    inCluster: used && !is('onlylocal'),
    inLocal: used && is('local') && !is('onlycluster'),
  }
}

function endpoints(texts: readonly string[], internalLocal: boolean): PortEndpointsView {
  const list = texts
    .map(endpoint)
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
  const hasAnyEndpoints = list.some(one => one.ready || (one.serving && one.terminating))
  const decision = (kind: TrafficDecision['list'], masquerade: boolean): TrafficDecision => {
    const serves = list.some(one => (kind === 'cluster' ? one.inCluster : one.inLocal))
    return { list: kind, verdict: serves ? 'serve' : hasAnyEndpoints ? 'drop' : 'refuse', masquerade }
  }
  const internal = decision(internalLocal ? 'local' : 'cluster', false)
  const external = decision('cluster', true)
  return {
    endpoints: list,
    hasAnyEndpoints,
    decisions: {
      clusterIPFromPod: internal,
      clusterIPFromElsewhere: internal,
      externalFromPod: external,
      externalFromNode: external,
      externalFromElsewhere: external,
    },
    topologyMode: '',
  }
}

export interface PortSpec {
  readonly name?: string
  readonly protocol?: Protocol
  readonly port: number
  readonly nodePort?: number
  readonly endpoints?: readonly string[]
}

export interface ServiceSpec {
  /** `namespace/name`; namespace `default` when there is no slash. */
  readonly name: string
  readonly clusterIPs?: readonly string[]
  readonly externalIPs?: readonly string[]
  readonly loadBalancerIPs?: readonly string[]
  readonly sourceRanges?: readonly string[]
  readonly ports: readonly PortSpec[]
  readonly affinity?: number
  readonly internalLocal?: boolean
}

const ofFamily = (family: Family, texts: readonly string[] = []): string[] =>
  texts.filter(text => text.includes('.') === (family === 'IPv4'))

/** A ServiceView from what a test has to say about it. Endpoints go to the family of their address. */
export function service(spec: ServiceSpec): ServiceView {
  const [namespace = '', name = ''] = spec.name.includes('/') ? spec.name.split('/') : ['default', spec.name]
  const families = (['IPv4', 'IPv6'] as const).filter(family => ofFamily(family, spec.clusterIPs).length > 0)
  const addressesOf = (family: Family) => ({
    clusterIP: ofFamily(family, spec.clusterIPs)[0] ?? '',
    externalIPs: ofFamily(family, spec.externalIPs),
    loadBalancerIPs: ofFamily(family, spec.loadBalancerIPs),
    sourceRanges: ofFamily(family, spec.sourceRanges),
  })
  const portOf = (port: PortSpec): ServicePortView => ({
    name: port.name ?? '',
    protocol: port.protocol ?? 'TCP',
    port: port.port,
    nodePort: port.nodePort ?? 0,
    endpoints: Object.fromEntries(
      families.map(family => [
        family,
        endpoints(ofFamily(family, port.endpoints), spec.internalLocal ?? false),
      ]),
    ),
  })
  return {
    namespace,
    name,
    type: 'ClusterIP',
    addresses: Object.fromEntries(families.map(family => [family, addressesOf(family)])),
    ports: spec.ports.map(portOf),
    affinityTimeoutSeconds: spec.affinity ?? 0,
    internalLocal: spec.internalLocal ?? false,
    externalLocal: false,
    healthCheckNodePort: 0,
  }
}

export const node = (addresses: readonly string[], serviceCIDRs: readonly string[] = []): NodeView => ({
  name: 'node-a',
  addresses,
  zone: '',
  serviceCIDRs,
  eligible: true,
})
