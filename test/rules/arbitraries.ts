/**
 * Random clusters of a few objects, as JSON: names, addresses and numbers out of small sets, so that they meet; every
 * field that may be absent or null is so at times. Distributions are such that each branch of the rules is gone often.
 */
import fc from 'fast-check'
import type {
  RawEndpoint,
  RawEndpointSlice,
  RawHint,
  RawIngress,
  RawNode,
  RawObject,
  RawService,
  RawServiceCIDR,
  RawServicePort,
  RawSlicePort,
} from './raw-objects.ts'
import type { Detector, NodePolicies } from './restated.ts'

const pick = fc.constantFrom

/** Weighted: [3, 'a'], [1, fc.nat()]. */
const mostly = <T>(...choices: [number, T | fc.Arbitrary<T>][]): fc.Arbitrary<T> =>
  fc.oneof(
    ...choices.map(([weight, value]) => ({
      weight,
      arbitrary: isArbitrary(value) ? value : fc.constant(value),
    })),
  )

const isArbitrary = <T>(value: T | fc.Arbitrary<T>): value is fc.Arbitrary<T> =>
  value !== null && typeof value === 'object' && 'generate' in value

const some = <T>(max: number, values: readonly T[]): fc.Arbitrary<T[]> =>
  fc.uniqueArray(pick(...values), { maxLength: max })

/** What JSON may have instead of a value. */
const NOTHING = [null, undefined] as const

const NAMESPACES = ['x', 'y'] as const
/** Mostly the first: what is about one Service is to meet. */
const SERVICES = ['s1', 's1', 's1', 's2', 's2', 's3'] as const
const PORT_NAMES = ['http', 'http', '', 'dns'] as const
const PROTOCOLS = ['TCP', 'TCP', 'TCP', 'UDP', 'SCTP', ...NOTHING] as const
const NODES = ['node-a', 'node-b', 'Node-A'] as const
const ZONES = ['z1', 'z2'] as const

const CLUSTER_IPS = {
  IPv4: ['10.96.0.1', '10.96.0.2', '10.96.0.010', '10.97.1.1'],
  IPv6: ['fd96::1', 'fd96::2', 'FD96:0:0::10'],
} as const
const OUTER_IPS = [
  '192.0.2.1',
  '192.0.2.002',
  '198.51.100.7',
  '2001:db8::1',
  '2001:DB8:0::2',
  'fd96::99',
] as const
const RANGES = [
  '10.0.0.0/8',
  ' 10.1.2.3/16',
  '192.0.2.0/24 ',
  '010.1.0.0/16',
  'fd00::/8',
  '2001:db8::/32',
] as const
const ODD_RANGES = ['0.0.0.0/0', '::/0', '10.9.8.7/00', '10.0.0.0', '300.0.0.0/8', 'all', ''] as const
const POD_IPS = {
  IPv4: ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.10', '10.001.0.02'],
  IPv6: ['fd01::1', 'fd01::2', 'fd01::3', 'fd01::10', 'FD01:0:0::2'],
  FQDN: ['pod.example'],
} as const
const CLUSTER_CIDRS = ['10.1.0.0/16', 'fd01::/48', '10.2.0.0/16'] as const
const ODD_POD_IPS = [
  '127.0.0.1',
  '0.0.0.0',
  '169.254.1.1',
  '224.0.0.1',
  '::',
  '::1',
  'fe80::1',
  'ff02::1',
  '10.1',
  '',
]

const policy = mostly<string | null | undefined>([3, 'Local'], [2, 'Cluster'], [1, pick(...NOTHING)])

const servicePorts: fc.Arbitrary<RawServicePort[] | null> = mostly<RawServicePort[] | null>(
  [1, null],
  [
    30,
    fc.uniqueArray(
      fc.record({
        name: pick(...PORT_NAMES),
        protocol: pick(...PROTOCOLS),
        port: pick(53, 80, 8080),
        targetPort: pick(1234, 'http', ...NOTHING),
        nodePort: mostly([2, 0], [2, pick(30053, 30080, 31000)], [2, pick(...NOTHING)]),
      }),
      { minLength: 1, maxLength: 3, size: 'max', selector: port => `${port.name}/${port.protocol ?? 'TCP'}` },
    ),
  ],
)

/** clusterIP, clusterIPs and ipFamilies as an API server keeps them in step, and as older objects have them. */
const addresses = fc
  .record({
    four: pick(...CLUSTER_IPS.IPv4),
    six: pick(...CLUSTER_IPS.IPv6),
    families: pick(['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4']),
    shape: mostly<'full' | 'old' | 'none' | 'headless'>(
      [12, 'full'],
      [2, 'old'],
      [1, 'none'],
      [1, 'headless'],
    ),
    absent: pick(...NOTHING),
  })
  .map(({ four, six, families, shape, absent }) => {
    const clusterIPs = families.map(family => (family === 'IPv4' ? four : six))
    const clusterIP = clusterIPs[0]
    if (shape === 'full') return { clusterIP, clusterIPs, ipFamilies: families }
    if (shape === 'old') return { clusterIP, clusterIPs: absent, ipFamilies: absent }
    if (shape === 'none') return { clusterIP: '', clusterIPs: absent, ipFamilies: families }
    return { clusterIP: 'None', clusterIPs: ['None'], ipFamilies: families }
  })

const ingress = fc.array(
  fc.record({
    ip: mostly<string | null | undefined>([5, pick(...OUTER_IPS)], [1, pick(...NOTHING)]),
    hostname: pick('lb.example', ...NOTHING),
    ipMode: pick('VIP', 'VIP', 'Proxy', ...NOTHING),
  }),
  { maxLength: 3 },
)

const serviceLabels = mostly<Record<string, string> | null | undefined>(
  [18, pick(...NOTHING, {}, { app: 'a' })],
  [1, { 'service.kubernetes.io/service-proxy-name': 'other' }],
  [1, { 'service.kubernetes.io/service-proxy-name': '' }],
)

const service = (namespace: string, name: string): fc.Arbitrary<RawService> =>
  fc
    .record({
      labels: serviceLabels,
      addresses,
      ports: servicePorts,
      type: mostly<string | null | undefined>(
        [4, pick('ClusterIP', ...NOTHING)],
        [3, 'NodePort'],
        [5, 'LoadBalancer'],
        [1, 'ExternalName'],
      ),
      externalIPs: mostly<readonly string[] | null | undefined>(
        [4, pick([], ...NOTHING)],
        [3, some(3, OUTER_IPS)],
        [1, some(3, [...OUTER_IPS, 'none', '1.2.3', ''])],
      ),
      ranges: mostly<readonly string[] | null | undefined>(
        [4, pick([], ...NOTHING)],
        [4, some(3, RANGES)],
        [2, some(4, [...RANGES, ...ODD_RANGES])],
      ),
      ingress: mostly<readonly RawIngress[] | null | undefined>([2, pick(...NOTHING, [])], [3, ingress]),
      internalTrafficPolicy: mostly<string | null | undefined>(
        [2, 'Local'],
        [2, 'Cluster'],
        [1, pick(...NOTHING)],
      ),
      externalTrafficPolicy: policy,
      healthCheckNodePort: pick(0, 32000, 32000, 32001, ...NOTHING),
      affinity: mostly([3, pick('None', ...NOTHING)], [2, 'ClientIP']),
      timeout: pick(
        { clientIP: { timeoutSeconds: 600 } },
        { clientIP: { timeoutSeconds: null } },
        { clientIP: null },
        ...NOTHING,
      ),
      distribution: pick('PreferClose', 'PreferSameNode', ...NOTHING),
      bare: mostly([40, false], [1, true]),
      // What needs several fields at once.
      balanced: mostly([2, false], [1, true]),
    })
    .map(it =>
      it.balanced
        ? { ...it, type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 }
        : it,
    )
    .map(it => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name, labels: it.labels },
      ...(!it.bare && {
        spec: {
          ...it.addresses,
          type: it.type,
          ports: it.ports,
          externalIPs: it.externalIPs,
          loadBalancerSourceRanges: it.ranges,
          internalTrafficPolicy: it.internalTrafficPolicy,
          externalTrafficPolicy: it.externalTrafficPolicy,
          healthCheckNodePort: it.healthCheckNodePort,
          sessionAffinity: it.affinity,
          sessionAffinityConfig: it.timeout,
          trafficDistribution: it.distribution,
        },
        status: { loadBalancer: { ingress: it.ingress } },
      }),
    }))

const condition = pick(true, false, ...NOTHING)
/** By the life of a pod, and anything at all. */
const conditions: fc.Arbitrary<RawEndpoint['conditions']> = mostly<RawEndpoint['conditions']>(
  [6, { ready: true, serving: true, terminating: false }],
  [2, { ready: false, serving: true, terminating: true }],
  [1, { ready: false, serving: false, terminating: true }],
  [1, { ready: false, serving: false, terminating: false }],
  [1, pick(...NOTHING)],
  [4, fc.record({ ready: condition, serving: condition, terminating: condition })],
)

/** How the endpoints of a cluster are hinted, for the most part. */
type Hinting = 'none' | 'zones' | 'nodes' | 'both' | 'elsewhere'

const names = (values: readonly string[], min: number) =>
  fc.uniqueArray(
    pick(...values).map(name => ({ name })),
    { minLength: min, maxLength: 2, selector: it => it.name },
  )

function hints(hinting: Hinting): fc.Arbitrary<RawEndpoint['hints']> {
  const any = fc.record({
    forZones: mostly<readonly RawHint[] | null | undefined>([1, pick(...NOTHING, [])], [1, names(ZONES, 0)]),
    forNodes: mostly<readonly RawHint[] | null | undefined>([1, pick(...NOTHING, [])], [1, names(NODES, 0)]),
  })
  const usual = {
    none: fc.constantFrom(...NOTHING, {}),
    zones: fc.record({ forZones: names(ZONES, 1) }),
    nodes: fc.record({ forNodes: names(NODES, 1) }),
    elsewhere: fc.record({ forZones: names(['z3', ...ZONES], 1).map(some => some.slice(0, 1)) }),
    both: fc.record({
      forZones: names(ZONES, 1),
      forNodes: mostly([1, names(NODES, 1)], [2, names(['node-b'], 1)]),
    }),
  }[hinting]
  return mostly<RawEndpoint['hints']>([9, usual as fc.Arbitrary<RawEndpoint['hints']>], [1, any])
}

/** Of what kind the clusters are: all their endpoints are drawn accordingly. */
interface Mood {
  readonly hinting: Hinting
  /** Pods all end, or are what they are. */
  readonly ending: boolean
  /** No pod is on the node looked at. */
  readonly away: boolean
}

function endpoint(type: 'IPv4' | 'IPv6' | 'FQDN', mood: Mood): fc.Arbitrary<RawEndpoint> {
  const good = pick<string[]>(...POD_IPS[type])
  const elsewhere = pick('node-b', 'node-b', 'Node-A', ...NOTHING)
  return fc
    .record({
      addresses: mostly<readonly string[] | null | undefined>(
        [18, good.map(address => [address])],
        [2, fc.tuple(good, pick('10.1.0.9', 'fd01::9', '127.0.0.1')).map(pair => [...pair])],
        [1, pick(...ODD_POD_IPS).map(address => [address])],
        [1, pick([], ...NOTHING)],
      ),
      conditions: mood.ending
        ? pick(
            { ready: false, serving: true, terminating: true },
            { ready: false, terminating: true },
            { ready: false },
          )
        : conditions,
      nodeName: mood.away ? elsewhere : mostly<string | null | undefined>([2, 'node-a'], [3, elsewhere]),
      zone: pick(...ZONES, ...NOTHING),
      hints: hints(mood.hinting),
      // As a controller does: hints are for those that are ready.
      plain: fc.boolean(),
    })
    .map(({ plain, ...it }) => (plain && it.conditions?.ready === false ? { ...it, hints: undefined } : it))
}

const slicePorts: fc.Arbitrary<RawSlicePort[] | null | undefined> = mostly<RawSlicePort[] | null | undefined>(
  [1, pick([], ...NOTHING)],
  [
    20,
    fc.uniqueArray(
      fc.record({
        name: mostly<string | null | undefined>([9, pick(...PORT_NAMES)], [1, pick(...NOTHING)]),
        protocol: pick(...PROTOCOLS),
        port: mostly<number | null | undefined>([6, 8080], [4, pick(53, 8081)], [1, pick(0, ...NOTHING)]),
      }),
      { minLength: 1, maxLength: 4, size: 'max', selector: port => `${port.name}/${port.protocol ?? 'TCP'}` },
    ),
  ],
)

function slice(name: string, mood: Mood): fc.Arbitrary<RawEndpointSlice> {
  const labels = pick(...SERVICES).chain(service =>
    mostly<Record<string, string> | null | undefined>(
      [20, { 'kubernetes.io/service-name': service }],
      [1, { 'kubernetes.io/service-name': service, 'service.kubernetes.io/headless': '' }],
      [1, pick({ 'kubernetes.io/service-name': '' }, {}, ...NOTHING)],
    ),
  )
  return mostly<'IPv4' | 'IPv6' | 'FQDN'>([9, 'IPv4'], [6, 'IPv6'], [1, 'FQDN']).chain(addressType =>
    fc
      .record({
        namespace: mostly([5, NAMESPACES[0]], [1, NAMESPACES[1]]),
        labels,
        ports: slicePorts,
        endpoints: mostly<RawEndpoint[] | null | undefined>(
          [20, fc.array(endpoint(addressType, mood), { minLength: 1, maxLength: 5, size: 'max' })],
          [1, pick([], ...NOTHING)],
        ),
      })
      .map(({ namespace, labels, ports, endpoints }) => ({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace, name, labels },
        addressType,
        endpoints,
        ports,
      })),
  )
}

interface Taint {
  readonly key: string
  readonly effect: string
}

const taint = (key: string): Taint => ({ key, effect: 'NoSchedule' })

const node = (name: string): fc.Arbitrary<RawNode> =>
  fc
    .record({
      zone: pick(...ZONES, '', undefined),
      labels: mostly([12, true], [1, false]),
      taints: mostly<readonly Taint[] | null | undefined>(
        [4, pick([], ...NOTHING)],
        [1, [taint('ToBeDeletedByClusterAutoscaler')]],
        [1, [taint('node.kubernetes.io/unreachable')]],
      ),
      podCIDRs: mostly<readonly string[] | null | undefined>(
        [3, some(2, CLUSTER_CIDRS)],
        [1, pick(...NOTHING)],
      ),
      deletionTimestamp: mostly<string | null | undefined>(
        [6, pick(...NOTHING)],
        [1, '2026-01-02T03:04:05Z'],
      ),
      addresses: mostly(
        [1, pick(...NOTHING)],
        [
          8,
          fc.array(
            fc.record({
              type: pick('InternalIP', 'InternalIP', 'ExternalIP', 'Hostname'),
              address: pick('172.16.0.1', '172.16.0.2', '172.016.0.3', 'fd16::1', 'fd16::2', 'host'),
            }),
            { maxLength: 4 },
          ),
        ],
      ),
    })
    .map(it => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        labels: it.labels
          ? { ...(it.zone !== undefined && { 'topology.kubernetes.io/zone': it.zone }) }
          : null,
        deletionTimestamp: it.deletionTimestamp,
      },
      spec: { taints: it.taints, podCIDRs: it.podCIDRs },
      status: { addresses: it.addresses },
    }))

const serviceCIDR = (name: string): fc.Arbitrary<RawServiceCIDR> =>
  pick(
    ['10.96.0.0/16'],
    ['10.97.0.0/16', 'fd96::/112'],
    ['FD96::/112'],
    ['10.96.1.2/16', 'none'],
    [],
    ...NOTHING,
  ).map(cidrs => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs },
  }))

const mood: fc.Arbitrary<Mood> = fc.record({
  hinting: pick<Hinting[]>('none', 'zones', 'nodes', 'both', 'elsewhere'),
  ending: mostly([5, false], [1, true]),
  away: mostly([3, false], [1, true]),
})

/** Any object of a cluster; two with one kind, namespace and name may differ in all the rest. */
function object(mood: Mood): fc.Arbitrary<RawObject> {
  const services = mostly([5, NAMESPACES[0]], [1, NAMESPACES[1]]).chain(namespace =>
    pick(...SERVICES).chain(name => service(namespace, name)),
  )
  return mostly<RawObject>(
    [8, services],
    [10, pick('e1', 'e2', 'e3', 'e4', 'e5', 'e6').chain(name => slice(name, mood))],
    [2, node('node-a')],
    [1, node('node-b')],
    [1, pick('c1', 'c2').chain(serviceCIDR)],
  )
}

export const keyOf = ({ kind, metadata }: RawObject): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

export const objects: fc.Arbitrary<RawObject[]> = mood.chain(mood =>
  fc.uniqueArray(object(mood), { minLength: 1, maxLength: 18, selector: keyOf, size: 'max' }),
)

export const nodeNames = mostly([8, 'node-a'], [1, ' Node-A '], [1, 'node-c'])

export const nodePolicies: fc.Arbitrary<NodePolicies> = fc.record({
  masqueradeAll: fc.boolean(),
  detector: mostly<Detector | undefined>(
    [1, undefined],
    [2, some(3, CLUSTER_CIDRS).map(clusterCIDRs => ({ mode: 'ClusterCIDR', clusterCIDRs }) as const)],
    [1, { mode: 'NodeCIDR' }],
    [1, pick('BridgeInterface', 'InterfaceNamePrefix').map(mode => ({ mode }))],
  ),
  externalIPs: mostly([5, true], [1, false]),
  bindAddress: mostly<string | undefined>(
    [4, undefined],
    [2, pick('0.0.0.0', '::')],
    [1, pick('172.16.9.9', 'fd16::9')],
  ),
})

/** What happens to a cluster, one after the other. */
export type Step =
  | { readonly do: 'set'; readonly object: RawObject }
  | { readonly do: 'remove'; readonly which: number }
  /** The view is brought up to date. */
  | { readonly do: 'look' }

export const history: fc.Arbitrary<Step[]> = mood.chain(mood =>
  fc.array(
    mostly<Step>(
      [8, object(mood).map(object => ({ do: 'set', object }) as const)],
      [2, fc.nat().map(which => ({ do: 'remove', which }) as const)],
      [1, { do: 'look' }],
    ),
    { minLength: 1, maxLength: 40, size: 'max' },
  ),
)
