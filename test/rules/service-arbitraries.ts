/** Random Services, as JSON. */
import fc from 'fast-check'
import { mostly, NOTHING, PORT_NAMES, PROTOCOLS, pick, some } from './choices.ts'
import type { RawIngress, RawService, RawServicePort } from './raw-objects.ts'

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

export const service = (namespace: string, name: string): fc.Arbitrary<RawService> =>
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
      balanced: mostly([1, false], [1, true]),
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
