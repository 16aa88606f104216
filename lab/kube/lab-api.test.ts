import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planLab } from '../plan.ts'
import { controlPlaneAddress } from './lab-api.ts'

const objects = (...nodes: ReadonlyArray<readonly string[]>) => ({
  services: [],
  slices: [],
  nodes: nodes.map((addresses, index) => ({
    kind: 'Node' as const,
    name: `n${index}`,
    internalIPs: addresses,
    addresses,
    zone: '',
    podCIDRs: [],
    goingAway: false,
    annotations: {},
  })),
})

const address = (families: readonly (4 | 6)[], ...nodes: ReadonlyArray<readonly string[]>): string => {
  const some = objects(...nodes)
  return controlPlaneAddress(some, planLab(some, new Map()), families)
}

const v4 = ['172.30.0.1']
const v6 = ['fd00:30::1']
const both = ['172.30.0.2', 'fd00:30::2']

test('the API server has an address of the first family that all nodes have, and that nobody else has', () => {
  assert.equal(address([4, 6], v4, both), '100.127.0.1')
  assert.equal(address([6, 4], v4, both), '100.127.0.1')
  assert.equal(address([4, 6], v6, both), 'fd6b:706e:6700::1')
  assert.equal(address([6, 4], both), 'fd6b:706e:6700::1')
  assert.equal(address([4, 6], ['100.127.0.1']), '100.127.0.2')
  assert.throws(() => address([4, 6], v4, v6), { code: 'usage' })
})
