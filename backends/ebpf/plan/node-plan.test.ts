import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { node } from '../reconcile/testing/views.ts'
import { type NodePortAddresses, planNode } from './node-plan.ts'

const ADDRESSES = ['127.0.0.1', '192.168.1.1', '10.0.0.1', '::1', 'fd02::1']

describe('planNode', () => {
  const cases: [string, NodePortAddresses, string[], string[] | undefined, string[]][] = [
    [
      '[KP-5.1 KP-5.2] NodePorts: the first address of each family',
      'primary',
      ADDRESSES,
      undefined,
      ['192.168.1.1', 'fd02::1'],
    ],
    [
      '[KP-5.2] NodePorts: no NodePorts in a family without an address',
      'primary',
      ['192.168.1.1'],
      undefined,
      ['192.168.1.1'],
    ],
    [
      '[KP-5.2] NodePorts: the primary address whatever the interfaces have',
      'primary',
      ['192.168.1.1'],
      ['10.9.9.9'],
      ['192.168.1.1'],
    ],
    [
      '[KP-5.1 KP-5.3] NodePorts: addresses inside CIDRs, all of a family without',
      ['10.0.0.0/8'],
      ADDRESSES,
      undefined,
      ['10.0.0.1', 'fd02::1'],
    ],
    [
      '[KP-5.4 KP-5.6] NodePorts: all but loopback for zero CIDRs',
      ['0.0.0.0/0', '::/0'],
      ADDRESSES,
      undefined,
      ['192.168.1.1', '10.0.0.1', 'fd02::1'],
    ],
    [
      '[KP-5.1 KP-5.5] NodePorts: addresses of interfaces where they are known',
      ['172.16.0.0/12', 'fd09::/64'],
      ADDRESSES,
      ['127.0.0.1', '172.16.0.5', '10.0.0.1', 'fd09::2'],
      ['172.16.0.5', 'fd09::2'],
    ],
    [
      '[KP-5.1] NodePorts: nothing where no address matches',
      ['172.16.0.0/12', 'fd09::/64'],
      ADDRESSES,
      undefined,
      [],
    ],
  ]
  for (const [title, choice, addresses, local, expected] of cases) {
    it(title, () => {
      const plan = planNode(node(addresses), choice, local)
      assert.deepEqual(plan.nodePortAddresses, expected)
      const families = new Set(expected.map(address => (address.includes(':') ? 'IPv6' : 'IPv4')))
      assert.deepEqual(plan.nodePortFamilies, families)
    })
  }

  it('[KP-5.9] serves none before the Node is known', () => {
    assert.deepEqual(planNode(undefined, 'primary').nodePortAddresses, [])
  })

  it('takes at most eight ServiceCIDRs a family and says which are left out', () => {
    const cidrs = [...Array.from({ length: 9 }, (_, index) => `10.${index}.0.0/16`), 'fd00::/112', 'nonsense']
    const plan = planNode(node([], cidrs), 'primary')
    assert.equal(plan.serviceCIDRs.IPv4.length, 8)
    assert.equal(plan.serviceCIDRs.IPv6.length, 1)
    assert.deepEqual(
      plan.problems.map(problem => problem.message),
      ['10.8.0.0/16 is ignored: at most 8 a family', 'nonsense is not a CIDR'],
    )
  })
})
