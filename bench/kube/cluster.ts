/** The objects of the measured cluster, with the metadata that objects of a real one have. Pure. */

export interface ClusterSize {
  readonly services: number
  /** Of each Service. */
  readonly endpoints: number
}

const servicesPerNamespace = 500
const nodes = 100
const zones = 3
export const endpointPort = 8080

const address = (network: number, number: number): string =>
  `10.${network + Math.floor(number / 62_500)}.${Math.floor(number / 250) % 250}.${(number % 250) + 1}`

/** The address that the endpoint of a Service begins with; nobody answers there. */
const firstAddress = (index: number, endpoint: number, { endpoints }: ClusterSize): string =>
  address(128, index * endpoints + endpoint)

/** The address of the pod that replaces another in the change of that number. */
export const newAddress = (change: number): string => address(200, change)

export const namespaceOf = (index: number): string => `team-${Math.floor(index / servicesPerNamespace)}`
const serviceName = (index: number): string => `service-${index}`
export const sliceName = (index: number): string => `${serviceName(index)}-x7k2p`

export const namespaces = ({ services }: ClusterSize): object[] =>
  Array.from({ length: Math.ceil(services / servicesPerNamespace) }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: `team-${index}` },
  }))

export const node = (name: string, internalIP: string): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': 'zone-0' } },
  status: {
    addresses: [
      { type: 'InternalIP', address: internalIP },
      { type: 'Hostname', address: name },
    ],
  },
})

export const service = (index: number): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: serviceName(index),
    namespace: namespaceOf(index),
    labels: { 'app.kubernetes.io/name': serviceName(index), 'app.kubernetes.io/managed-by': 'Helm' },
    annotations: { 'meta.helm.sh/release-name': serviceName(index) },
  },
  spec: {
    selector: { 'app.kubernetes.io/name': serviceName(index) },
    ports: [{ name: 'http', port: 80, targetPort: endpointPort, protocol: 'TCP' }],
  },
})

/** One ready pod; `generation` tells pods of one place apart. */
export function endpoint(index: number, number: number, podAddress: string, generation = 0): object {
  const place = (index * 7 + number) % nodes
  return {
    addresses: [podAddress],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `worker-${place}`,
    zone: `zone-${place % zones}`,
    targetRef: {
      kind: 'Pod',
      namespace: namespaceOf(index),
      name: `${serviceName(index)}-6d4cf56db6-${number}-${generation}`,
      uid: `00000000-0000-4000-8000-${(index * 1_000 + number).toString(16).padStart(12, '0')}`,
    },
  }
}

export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** The slice that belongs to a Service. `triggerTime`: RFC 3339. */
export const endpointSlice = (
  index: number,
  size: ClusterSize,
  owner: { readonly uid: string; readonly triggerTime: string },
): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: sliceName(index),
    generateName: `${serviceName(index)}-`,
    namespace: namespaceOf(index),
    labels: {
      'app.kubernetes.io/name': serviceName(index),
      'kubernetes.io/service-name': serviceName(index),
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    },
    annotations: { [triggerTimeAnnotation]: owner.triggerTime },
    ownerReferences: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        name: serviceName(index),
        uid: owner.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: endpointPort, protocol: 'TCP' }],
  endpoints: Array.from({ length: size.endpoints }, (_, number) =>
    endpoint(index, number, firstAddress(index, number, size)),
  ),
})

export const firstAddresses = (index: number, size: ClusterSize): string[] =>
  Array.from({ length: size.endpoints }, (_, number) => firstAddress(index, number, size))
