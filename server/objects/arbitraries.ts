/** Random objects of a small world, so that names, addresses and labels meet often; for property tests. */
import fc from 'fast-check'
import type { Endpoint, EndpointSlice, KubeObject, Node, Service, ServiceCIDR } from './types.ts'

const name = fc.constantFrom('web', 'db')
const node = fc.constantFrom('n1', 'n2')
const zone = fc.constantFrom('', 'a', 'b')
const portName = fc.constantFrom('', 'http')
const protocol = fc.constantFrom('TCP' as const, 'UDP' as const)
const some = <T>(from: fc.Arbitrary<T>) => fc.array(from, { maxLength: 2 })

/** The optional fields that are there. */
function optional<T extends object>(
  fields: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<Partial<T>> {
  return fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>
}

const arbitraryService: fc.Arbitrary<Service> = fc.record({
  kind: fc.constant('Service' as const),
  namespace: fc.constant('shop'),
  name,
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  headless: fc.boolean(),
  foreignProxy: fc.constantFrom(false, false, true),
  clusterIPs: optional<Required<Service['clusterIPs']>>({
    IPv4: fc.constant('10.96.0.1'),
    IPv6: fc.constant('fd00:96::1'),
  }),
  externalIPs: fc.constantFrom([], ['192.0.2.1'], ['192.0.2.1', '2001:db8::1']),
  loadBalancerIPs: fc.constantFrom([], ['203.0.113.1']),
  sourceRanges: fc.constantFrom([], ['10.0.0.0/8'], ['0.0.0.0/0', '10.0.0.0/8'], ['fd00::/8']),
  ports: fc.uniqueArray(
    fc.record({
      name: portName,
      protocol,
      port: fc.constantFrom(80, 81),
      nodePort: fc.constantFrom(0, 30080),
    }),
    {
      maxLength: 2,
      selector: it => `${it.name}/${it.protocol}`,
    },
  ),
  affinityTimeoutSeconds: fc.constantFrom(0, 10_800),
  internalLocal: fc.boolean(),
  externalLocal: fc.boolean(),
  healthCheckNodePort: fc.constantFrom(0, 32000),
})

const endpoint: fc.Arbitrary<Endpoint> = fc
  .tuple(
    fc.record({
      address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'),
      ready: fc.boolean(),
      serving: fc.boolean(),
      terminating: fc.boolean(),
    }),
    optional<Required<Pick<Endpoint, 'nodeName' | 'pod' | 'zoneHints' | 'nodeHints'>>>({
      nodeName: node,
      pod: fc.constantFrom('p', 'q'),
      zoneHints: fc.constantFrom(['a'], ['b'], ['a', 'b']),
      nodeHints: fc.constantFrom(['n1'], ['n2']),
    }),
  )
  .map(([always, more]) => ({ ...always, ...more }))

const arbitrarySlice: fc.Arbitrary<EndpointSlice> = fc.record({
  kind: fc.constant('EndpointSlice' as const),
  namespace: fc.constant('shop'),
  name: fc.constantFrom('s1', 's2', 's3'),
  service: fc.constantFrom('web', 'web', 'db', ''),
  headless: fc.constantFrom(false, false, true),
  family: fc.constantFrom('IPv4' as const, 'IPv6' as const),
  ports: some(fc.record({ name: portName, protocol, port: fc.constantFrom(8080, 9090) })),
  endpoints: fc.array(endpoint, { maxLength: 4 }),
})

const arbitraryNode: fc.Arbitrary<Node> = fc.record({
  kind: fc.constant('Node' as const),
  name: node,
  addresses: fc.constantFrom([], ['172.30.0.1'], ['172.30.0.1', 'fd00:30::1']),
  internalIPs: fc.constant([]),
  zone,
  podCIDRs: fc.constantFrom([], ['10.244.1.0/24']),
  goingAway: fc.boolean(),
  annotations: fc.constant({}),
})

const arbitraryServiceCIDR: fc.Arbitrary<ServiceCIDR> = fc.record({
  kind: fc.constant('ServiceCIDR' as const),
  name: fc.constantFrom('c1', 'c2'),
  cidrs: some(fc.constantFrom('10.96.0.0/16', 'fd00:96::/112')),
})

export const arbitraryObject: fc.Arbitrary<KubeObject> = fc.oneof(
  arbitraryService,
  { weight: 3, arbitrary: arbitrarySlice },
  arbitraryNode,
  arbitraryServiceCIDR,
)
