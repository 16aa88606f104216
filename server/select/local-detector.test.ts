import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LocalDetector, type PodSources, podSources } from './local-detector.ts'

const clusterCIDRs = (...cidrs: string[]): LocalDetector => ({ mode: 'ClusterCIDR', clusterCIDRs: cidrs })

const cases: [string, LocalDetector | undefined, string[], PodSources][] = [
  ['no detector', undefined, ['10.244.1.0/24'], {}],
  ['ClusterCIDR', clusterCIDRs('10.244.0.0/16'), ['10.244.1.0/24'], { IPv4: '10.244.0.0/16' }],
  ['ClusterCIDR without a CIDR', clusterCIDRs(), ['10.244.1.0/24'], {}],
  [
    'ClusterCIDR of both families: the first of each',
    clusterCIDRs('fd00:244::/56', '10.244.0.0/16', '10.245.0.0/16', 'fd00:245::/56'),
    [],
    { IPv4: '10.244.0.0/16', IPv6: 'fd00:244::/56' },
  ],
  ['ClusterCIDR, not canonical', clusterCIDRs('010.244.1.0/16', 'x'), [], { IPv4: '10.244.0.0/16' }],
  [
    'NodeCIDR: the first podCIDR of each family',
    { mode: 'NodeCIDR' },
    ['10.244.1.0/24', 'fd00:244:1::/64', '10.244.2.0/24'],
    { IPv4: '10.244.1.0/24', IPv6: 'fd00:244:1::/64' },
  ],
  ['NodeCIDR, and the Node has none', { mode: 'NodeCIDR' }, [], {}],
  ['a bridge', { mode: 'BridgeInterface' }, [], { IPv4: 'interface', IPv6: 'interface' }],
  ['a prefix of interfaces', { mode: 'InterfaceNamePrefix' }, [], { IPv4: 'interface', IPv6: 'interface' }],
]
for (const [title, detector, podCIDRs, expected] of cases) {
  test(`[KP-4.1.9] how pods are told: ${title}`, () => {
    assert.deepEqual(podSources(detector, podCIDRs), expected)
  })
}
