/** Random EndpointSlices, as JSON. */
import fc from 'fast-check'
import {
  mostly,
  NAMESPACES,
  NODES,
  NOTHING,
  PORT_NAMES,
  PROTOCOLS,
  pick,
  SERVICES,
  ZONES,
} from './choices.ts'
import type { RawEndpoint, RawEndpointSlice, RawHint, RawSlicePort } from './raw-objects.ts'

const POD_IPS = {
  IPv4: ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.10', '10.001.0.02'],
  IPv6: ['fd01::1', 'fd01::2', 'fd01::3', 'fd01::10', 'FD01:0:0::2'],
  FQDN: ['pod.example'],
} as const

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
type Hinting = 'none' | 'zones' | 'nodes' | 'both' | 'elsewhere' | 'partly'

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
    partly: mostly<RawEndpoint['hints']>([3, fc.record({ forZones: names(ZONES, 1) })], [1, undefined]),
    elsewhere: fc.record({ forZones: names(['z3', ...ZONES], 1).map(some => some.slice(0, 1)) }),
    both: fc.record({
      forZones: names(ZONES, 1),
      forNodes: mostly([1, names(NODES, 1)], [2, names(['node-b'], 1)]),
    }),
  }[hinting]
  return mostly<RawEndpoint['hints']>([6, usual as fc.Arbitrary<RawEndpoint['hints']>], [1, any])
}

/** Of what kind the clusters are: all their endpoints are drawn accordingly. */
export interface Mood {
  readonly hinting: Hinting
  /** Pods all end, or are what they are. */
  readonly ending: boolean
  /** Those of the node looked at do. */
  readonly draining: boolean
  /** No pod is on the node looked at. */
  readonly away: boolean
}

const DRAINING = { ready: false, serving: true, terminating: true }

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
        ? pick(DRAINING, { ready: false, terminating: true }, { ready: false })
        : conditions,
      nodeName: mood.away ? elsewhere : mostly<string | null | undefined>([2, 'node-a'], [3, elsewhere]),
      zone: pick(...ZONES, ...NOTHING),
      hints: hints(mood.hinting),
      // As a controller does: hints are for those that are ready.
      plain: fc.boolean(),
    })
    .map(it => (mood.draining && it.nodeName === 'node-a' ? { ...it, conditions: DRAINING } : it))
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

export function slice(name: string, mood: Mood): fc.Arbitrary<RawEndpointSlice> {
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
        namespace: mostly([9, NAMESPACES[0]], [1, NAMESPACES[1]]),
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

export const mood: fc.Arbitrary<Mood> = fc.record({
  hinting: pick<Hinting[]>('none', 'zones', 'nodes', 'both', 'both', 'elsewhere', 'partly'),
  ending: mostly([4, false], [1, true]),
  draining: mostly([5, false], [1, true]),
  away: mostly([3, false], [1, true]),
})
