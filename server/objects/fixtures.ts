/** Short ways to write down objects; for tests. */
import type { Endpoint, EndpointSlice, Node, Service } from './types.ts'

/** A ClusterIP Service shop/web, 10.96.0.1, port 80/TCP without name. */
export function aService(fields: Partial<Service> = {}): Service {
  return {
    kind: 'Service',
    namespace: 'shop',
    name: 'web',
    type: 'ClusterIP',
    headless: false,
    foreignProxy: false,
    clusterIPs: { IPv4: '10.96.0.1' },
    externalIPs: [],
    loadBalancerIPs: [],
    sourceRanges: [],
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }],
    affinityTimeoutSeconds: 0,
    internalLocal: false,
    externalLocal: false,
    healthCheckNodePort: 0,
    ...fields,
  }
}

/** An IPv4 slice shop/web-1 of Service web, port 8080/TCP without name. */
export function aSlice(fields: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    kind: 'EndpointSlice',
    namespace: 'shop',
    name: 'web-1',
    service: 'web',
    headless: false,
    family: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: [],
    ...fields,
  }
}

/** A ready endpoint on no node. */
export function anEndpoint(address: string, fields: Partial<Endpoint> = {}): Endpoint {
  return { address, ready: true, serving: true, terminating: false, ...fields }
}

/** Node n1 in zone a. */
export function aNode(fields: Partial<Node> = {}): Node {
  return {
    kind: 'Node',
    name: 'n1',
    addresses: ['172.30.0.1'],
    internalIPs: ['172.30.0.1'],
    zone: 'a',
    podCIDRs: [],
    goingAway: false,
    annotations: {},
    ...fields,
  }
}
