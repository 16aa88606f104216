import assert from 'node:assert/strict'
import { test } from 'node:test'
import { viewOptions } from './view-options.ts'

const settings = {
  masqueradeAll: true,
  externalIPs: false,
  bindAddress: '192.0.2.1',
  clusterCIDRs: ['10.244.0.0/16'],
}

for (const [title, localDetector, expected] of [
  ['none', undefined, undefined],
  ['ClusterCIDR', 'ClusterCIDR', { mode: 'ClusterCIDR', clusterCIDRs: ['10.244.0.0/16'] }],
  ['NodeCIDR', 'NodeCIDR', { mode: 'NodeCIDR' }],
  ['a bridge', 'BridgeInterface', { mode: 'BridgeInterface' }],
] as const)
  test(`[KP-4.1.9] how the selection is told of pods: ${title}`, () => {
    assert.deepEqual(viewOptions({ ...settings, localDetector }), {
      masqueradeAll: true,
      externalIPs: false,
      bindAddress: '192.0.2.1',
      localDetector: expected,
    })
  })
