import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { anEndpoint } from '../objects/fixtures.ts'
import type { Endpoint } from '../objects/types.ts'
import { availableIn, type NodePlace, type TopologyMode, topologyMode } from './topology.ts'

const here: NodePlace = { name: 'n1', zone: 'a' }
const zones = (...zoneHints: string[]) => anEndpoint('10.0.0.1', { zoneHints })
const nodes = (...nodeHints: string[]) => anEndpoint('10.0.0.1', { nodeHints })
const both = (node: string, zone: string) => anEndpoint('10.0.0.1', { nodeHints: [node], zoneHints: [zone] })
const plain = anEndpoint('10.0.0.1')
const unready = anEndpoint('10.0.0.1', { ready: false })

describe('topology mode', () => {
  const cases: [string, Endpoint[], TopologyMode, NodePlace?][] = [
    ['[KP-3.5.1] no endpoint: none', [], ''],
    ['[KP-3.5.1] no ready endpoint: none', [{ ...zones('a'), ready: false }], ''],
    ['[KP-3.5.4] no hints: none', [plain, plain], ''],
    [
      '[KP-3.5.2] every ready endpoint has a node hint and one names this node: same node',
      [nodes('n1'), nodes('n2')],
      'PreferSameNode',
    ],
    ['[KP-3.5.2] a hint for several nodes', [nodes('n2', 'n1'), nodes('n2')], 'PreferSameNode'],
    ['[KP-3.5.4] node hints, none for this node: none', [nodes('n2'), nodes('n3')], ''],
    [
      '[KP-3.5.4 KP-14.6] one ready endpoint without a node hint turns node hints off',
      [nodes('n1'), plain],
      '',
    ],
    [
      '[KP-3.5 KP-14.6] an unready endpoint without a hint does not matter (nodes)',
      [nodes('n1'), unready],
      'PreferSameNode',
    ],
    [
      '[KP-3.5] an unready endpoint for this node does not count (nodes)',
      [{ ...nodes('n1'), ready: false }, nodes('n2')],
      '',
    ],
    [
      '[KP-3.5.3] every ready endpoint has a zone hint and one names this zone: same zone',
      [zones('a'), zones('b')],
      'PreferSameZone',
    ],
    ['[KP-3.5.4 KP-14.6] one ready endpoint without a hint turns hints off', [zones('a'), plain], ''],
    [
      '[KP-3.5 KP-14.6] an unready endpoint without a hint does not matter (zones)',
      [zones('a'), unready],
      'PreferSameZone',
    ],
    ['[KP-3.5.4] no endpoint for this zone: none', [zones('b'), zones('c')], ''],
    ['[KP-3.5.2] node hints go before zone hints', [both('n1', 'b'), both('n2', 'a')], 'PreferSameNode'],
    [
      '[KP-3.5.3] node hints that do not name this node leave it to zone hints',
      [both('n2', 'a'), both('n3', 'b')],
      'PreferSameZone',
    ],
    ['[KP-3.5.4] a node without zone label: none', [zones('a'), zones('b')], '', { name: 'n1', zone: '' }],
    [
      '[KP-3.5.4] an empty hint does not match a node without zone',
      [zones('')],
      '',
      { name: 'n1', zone: '' },
    ],
  ]
  for (const [title, endpoints, expected, node = here] of cases) {
    it(title, () => assert.equal(topologyMode(endpoints, node), expected))
  }

  it('[KP-3.5.2 KP-3.5.3] in a mode only endpoints hinted for this place are available', () => {
    assert.equal(availableIn('', plain, here), true)
    assert.equal(availableIn('PreferSameZone', zones('b', 'a'), here), true)
    assert.equal(availableIn('PreferSameZone', zones('b'), here), false)
    assert.equal(availableIn('PreferSameNode', nodes('n1'), here), true)
    assert.equal(availableIn('PreferSameNode', nodes('n2'), here), false)
  })
})
