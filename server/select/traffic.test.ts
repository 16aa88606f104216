/** From objects to what becomes of a connection: the table of destinations and states, through the whole selection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TrafficClass } from '@kpng/api'
import { anEndpoint, aService, aSlice } from '../objects/fixtures.ts'
import type { Endpoint, Service } from '../objects/types.ts'
import { DEFAULT_POLICY } from './decisions.ts'
import type { PodSources } from './local-detector.ts'
import { selectService } from './service-view.ts'

const HERE = anEndpoint('10.0.1.1', { nodeName: 'n1' })
const THERE = anEndpoint('10.0.2.1', { nodeName: 'n2' })
const LEAVING = anEndpoint('10.0.1.2', { nodeName: 'n1', ready: false, terminating: true })
const UNREADY = anEndpoint('10.0.1.3', { nodeName: 'n1', ready: false, serving: false })

const OUTSIDE: Partial<Service> = {
  ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  externalIPs: ['192.0.2.1'],
}
const EXTERNAL_LOCAL: Partial<Service> = { ...OUTSIDE, externalLocal: true }
const INTERNAL_LOCAL: Partial<Service> = { internalLocal: true }
const BOTH_LOCAL: Partial<Service> = { ...EXTERNAL_LOCAL, internalLocal: true }

/** Pods can be told from others. */
const policy = { ...DEFAULT_POLICY, podSources: { IPv4: '10.0.0.0/16' } }

/** The verdict, with the endpoints' addresses where it serves, and the mark of a masquerade. */
function outcome(fields: Partial<Service>, endpoints: Endpoint[], traffic: TrafficClass): string {
  const view = selectService(aService(fields), [aSlice({ endpoints })], { name: 'n1', zone: '' }, policy)
  const selected = view?.ports[0]?.endpoints.IPv4 ?? assert.fail('not served')
  const { list, verdict, masquerade } = selected.decisions[traffic]
  if (verdict !== 'serve') return verdict
  const used = selected.endpoints.filter(it => (list === 'local' ? it.inLocal : it.inCluster))
  return `${used.map(it => it.address).join(' ')}${masquerade ? ' masqueraded' : ''}`
}

const CLUSTER_IP: readonly TrafficClass[] = ['clusterIPFromPod', 'clusterIPFromElsewhere']
const EXTERNAL: readonly TrafficClass[] = ['externalFromPod', 'externalFromNode', 'externalFromElsewhere']

const all = '10.0.1.1 10.0.2.1'
const cases: [string, Partial<Service>, Endpoint[], readonly TrafficClass[], string][] = [
  ['[KP-4.1] ClusterIP, Cluster, from a pod', {}, [HERE, THERE], ['clusterIPFromPod'], all],
  [
    '[KP-4.1] ClusterIP, Cluster, from elsewhere',
    {},
    [HERE, THERE],
    ['clusterIPFromElsewhere'],
    `${all} masqueraded`,
  ],
  ['[KP-4.2] ClusterIP, Local', INTERNAL_LOCAL, [HERE, THERE], ['clusterIPFromPod'], '10.0.1.1'],
  [
    '[KP-4.2] ClusterIP, Local, from elsewhere',
    INTERNAL_LOCAL,
    [HERE, THERE],
    ['clusterIPFromElsewhere'],
    '10.0.1.1 masqueraded',
  ],
  [
    '[KP-4.2] ClusterIP, Local, one here on its way out',
    INTERNAL_LOCAL,
    [LEAVING, THERE],
    ['clusterIPFromPod'],
    '10.0.1.2',
  ],
  ['[KP-4.3 KP-14.1] ClusterIP, Local, nobody here', INTERNAL_LOCAL, [THERE], CLUSTER_IP, 'drop'],
  ['[KP-4.3] ClusterIP, Local, nobody ready here', INTERNAL_LOCAL, [UNREADY, THERE], CLUSTER_IP, 'drop'],
  ['[KP-4.4 KP-14.1] nobody can serve', OUTSIDE, [UNREADY], [...CLUSTER_IP, ...EXTERNAL], 'refuse'],
  [
    '[KP-4.4 KP-14.1] nobody can serve, both policies Local',
    BOTH_LOCAL,
    [UNREADY],
    [...CLUSTER_IP, ...EXTERNAL],
    'refuse',
  ],
  ['[KP-4.4] no endpoints at all', BOTH_LOCAL, [], [...CLUSTER_IP, ...EXTERNAL], 'refuse'],
  ['[KP-4.5 KP-14.3] external, Cluster', OUTSIDE, [HERE, THERE], EXTERNAL, `${all} masqueraded`],
  ['[KP-4.6 KP-14.2] external, Local, from a pod', EXTERNAL_LOCAL, [HERE, THERE], ['externalFromPod'], all],
  [
    '[KP-4.6 KP-14.2] external, Local, from a pod, nobody here',
    EXTERNAL_LOCAL,
    [THERE],
    ['externalFromPod'],
    '10.0.2.1',
  ],
  [
    '[KP-4.7 KP-14.2] external, Local, from the node',
    EXTERNAL_LOCAL,
    [HERE, THERE],
    ['externalFromNode'],
    `${all} masqueraded`,
  ],
  [
    '[KP-4.7 KP-14.2] external, Local, from the node, nobody here',
    EXTERNAL_LOCAL,
    [THERE],
    ['externalFromNode'],
    '10.0.2.1 masqueraded',
  ],
  [
    '[KP-4.8] external, Local, from elsewhere',
    EXTERNAL_LOCAL,
    [HERE, THERE],
    ['externalFromElsewhere'],
    '10.0.1.1',
  ],
  [
    '[KP-4.8 KP-14.4] external, Local, from elsewhere, one here on its way out',
    EXTERNAL_LOCAL,
    [LEAVING, THERE],
    ['externalFromElsewhere'],
    '10.0.1.2',
  ],
  [
    '[KP-4.9 KP-14.1] external, Local, from elsewhere, nobody here',
    EXTERNAL_LOCAL,
    [THERE],
    ['externalFromElsewhere'],
    'drop',
  ],
  [
    '[KP-4.15] internal Local leaves external traffic alone',
    { ...OUTSIDE, internalLocal: true },
    [HERE, THERE],
    EXTERNAL,
    `${all} masqueraded`,
  ],
  [
    '[KP-4.15] external Local leaves ClusterIPs alone',
    EXTERNAL_LOCAL,
    [HERE, THERE],
    ['clusterIPFromPod'],
    all,
  ],
  [
    '[KP-4.15] a pod calls an external address, both policies Local',
    BOTH_LOCAL,
    [HERE, THERE],
    ['externalFromPod'],
    all,
  ],
]
for (const [title, fields, endpoints, classes, expected] of cases) {
  test(title, () => {
    for (const traffic of classes) assert.equal(outcome(fields, endpoints, traffic), expected, traffic)
  })
}

test('[KP-4.1.2 KP-6.9] pods may be known in one family and not in the other', () => {
  const clusterIPs = { IPv4: '10.96.0.1', IPv6: 'fd00:96::1' }
  const masqueraded = (podSources: PodSources) => {
    const view = selectService(
      aService({ clusterIPs }),
      [],
      { name: 'n1', zone: '' },
      { ...policy, podSources },
    )
    const { IPv4, IPv6 } = view?.ports[0]?.endpoints ?? {}
    return [IPv4, IPv6].map(it => it?.decisions.clusterIPFromElsewhere.masquerade)
  }
  assert.deepEqual(masqueraded({ IPv4: '10.0.0.0/16' }), [true, false])
  assert.deepEqual(masqueraded({ IPv6: 'fd00::/48' }), [false, true])
})
