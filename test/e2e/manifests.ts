/** Kubernetes objects for tests: small builders that leave out what a case does not care about. */

export interface PortSpec {
  readonly name?: string
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP'
  readonly port: number
  readonly targetPort?: number | string
  readonly nodePort?: number
}

export interface ServiceSpec {
  readonly name: string
  readonly namespace?: string
  readonly type?: string
  readonly clusterIPs?: readonly string[]
  readonly ports: readonly PortSpec[]
  readonly spec?: Record<string, unknown>
  readonly status?: Record<string, unknown>
  readonly labels?: Record<string, string>
}

const familyOf = (address: string): 'IPv4' | 'IPv6' => (address.includes(':') ? 'IPv6' : 'IPv4')

export function service(spec: ServiceSpec): Record<string, unknown> {
  const clusterIPs = spec.clusterIPs ?? []
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      namespace: spec.namespace ?? 'default',
      name: spec.name,
      ...(spec.labels ? { labels: spec.labels } : {}),
    },
    spec: {
      type: spec.type ?? 'ClusterIP',
      ...(clusterIPs.length > 0
        ? { clusterIP: clusterIPs[0], clusterIPs, ipFamilies: clusterIPs.map(familyOf) }
        : {}),
      ports: spec.ports.map(port => ({ protocol: 'TCP', ...port })),
      ...spec.spec,
    },
    ...(spec.status ? { status: spec.status } : {}),
  }
}

export interface EndpointSpec {
  readonly address: string
  readonly nodeName?: string
  readonly zone?: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
  readonly hints?: Record<string, unknown>
}

export interface SliceSpec {
  readonly service: string
  readonly namespace?: string
  readonly name?: string
  readonly ports: ReadonlyArray<{ name?: string; protocol?: string; port: number }>
  /** A bare text is a ready endpoint. */
  readonly endpoints: ReadonlyArray<EndpointSpec | string>
  readonly nodeName?: string
}

export function endpointSlice(spec: SliceSpec): Record<string, unknown> {
  const endpoints = spec.endpoints.map(endpoint =>
    typeof endpoint === 'string' ? { address: endpoint } : endpoint,
  )
  const family = familyOf(endpoints[0]?.address ?? '10.0.0.1')
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: spec.namespace ?? 'default',
      name: spec.name ?? `${spec.service}-${family.toLowerCase()}`,
      labels: { 'kubernetes.io/service-name': spec.service },
    },
    addressType: family,
    ports: spec.ports.map(port => ({ name: '', protocol: 'TCP', ...port })),
    endpoints: endpoints.map(
      ({ address, nodeName = spec.nodeName, zone, hints, ready = true, serving, terminating }) => ({
        addresses: [address],
        conditions: {
          ready,
          ...(serving === undefined ? {} : { serving }),
          ...(terminating === undefined ? {} : { terminating }),
        },
        ...(nodeName === undefined ? {} : { nodeName }),
        ...(zone === undefined ? {} : { zone }),
        ...(hints === undefined ? {} : { hints }),
      }),
    ),
  }
}

export function node(
  name: string,
  addresses: readonly string[],
  labels: Record<string, string> = {},
): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
    status: { addresses: addresses.map(address => ({ type: 'InternalIP', address })) },
  }
}

export function serviceCIDR(...cidrs: string[]): Record<string, unknown> {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs },
  }
}
