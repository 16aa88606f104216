import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Family } from '@kpng/api'
import { service } from '../reconcile/testing/views.ts'
import { type NodeFacts, planService } from './service-plan.ts'

const nodeWith = (...families: readonly Family[]): NodeFacts => ({
  nodePortFamilies: new Set(families),
  primaryAddresses: {},
})
const BOTH = nodeWith('IPv4', 'IPv6')
const frontends = (plan: ReturnType<typeof planService>): string[] =>
  plan.frontends.map(({ key, kind, list }) => `${kind} ${key} ${list}`)

describe('planService', () => {
  it('[KP-1.7] serves ClusterIPs, load balancer and external addresses and NodePorts, per family', () => {
    const view = service({
      name: 'shop/web',
      clusterIPs: ['10.96.0.10', 'fd00::10'],
      loadBalancerIPs: ['192.0.2.1'],
      externalIPs: ['198.51.100.1', '2001:db8::1'],
      ports: [{ name: 'http', port: 80, nodePort: 30080 }],
    })
    assert.deepEqual(frontends(planService(view, BOTH)), [
      'ClusterIP 10.96.0.10:80/TCP cluster',
      'LoadBalancer 192.0.2.1:80/TCP cluster',
      'ExternalIP 198.51.100.1:80/TCP cluster',
      'ClusterIP [fd00::10]:80/TCP cluster',
      'ExternalIP [2001:db8::1]:80/TCP cluster',
      'NodePort *4:30080/TCP cluster',
      'NodePort *6:30080/TCP cluster',
    ])
  })

  it('[KP-1.6] serves NodePorts only where the node and the Service have the family', () => {
    const view = service({ name: 'a', clusterIPs: ['10.96.0.1'], ports: [{ port: 80, nodePort: 30080 }] })
    assert(frontends(planService(view, BOTH)).includes('NodePort *4:30080/TCP cluster'))
    assert(!frontends(planService(view, BOTH)).includes('NodePort *6:30080/TCP cluster'))
    assert.deepEqual(frontends(planService(view, nodeWith('IPv6'))), ['ClusterIP 10.96.0.1:80/TCP cluster'])
  })

  it('[KP-4.15] uses the local list for ClusterIPs with internalTrafficPolicy Local, and only for them', () => {
    const view = service({
      name: 'a',
      clusterIPs: ['10.96.0.1'],
      externalIPs: ['192.0.2.1'],
      ports: [{ port: 80, nodePort: 30080 }],
      internalLocal: true,
    })
    assert.deepEqual(frontends(planService(view, BOTH)), [
      'ClusterIP 10.96.0.1:80/TCP local',
      'ExternalIP 192.0.2.1:80/TCP cluster',
      'NodePort *4:30080/TCP cluster',
    ])
  })

  it('takes an address that is named twice once', () => {
    const view = service({
      name: 'a',
      clusterIPs: ['10.96.0.1'],
      loadBalancerIPs: ['192.0.2.1'],
      externalIPs: ['192.0.2.1', '10.96.0.1'],
      ports: [{ port: 80 }],
    })
    assert.deepEqual(frontends(planService(view, BOTH)), [
      'ClusterIP 10.96.0.1:80/TCP cluster',
      'LoadBalancer 192.0.2.1:80/TCP cluster',
    ])
  })

  it('[KP-1.15 KPNG-C15] keeps TCP and UDP apart and says that SCTP is not served', () => {
    const ports = (['TCP', 'UDP', 'SCTP'] as const).map(protocol => ({ name: 'dns', protocol, port: 53 }))
    const plan = planService(service({ name: 'a', clusterIPs: ['10.96.0.1'], ports }), BOTH)
    assert.deepEqual(
      plan.ports.map(port => port.key),
      ['default/a:dns/TCP', 'default/a:dns/UDP'],
    )
    assert.deepEqual(plan.notServed, [
      {
        where: 'default/a',
        field: 'spec.ports[2]',
        message: 'SCTP is not served at the socket',
        reason: 'ProtocolNotServed',
      },
    ])
  })

  it('[KP-5.6] never serves loopback or unspecified addresses', () => {
    const view = service({
      name: 'a',
      clusterIPs: ['10.96.0.1', 'fd00::1'],
      externalIPs: ['127.0.0.1', '0.0.0.0', '::1', '::'],
      ports: [{ port: 80 }],
    })
    const plan = planService(view, BOTH)
    assert.deepEqual(frontends(plan), [
      'ClusterIP 10.96.0.1:80/TCP cluster',
      'ClusterIP [fd00::1]:80/TCP cluster',
    ])
    assert.deepEqual(
      plan.addresses.map(known => known.address),
      ['10.96.0.1', 'fd00::1'],
    )
    assert.equal(plan.notServed.length, 4)
  })

  describe('loadBalancerSourceRanges', () => {
    const ranged = (spec: Partial<Parameters<typeof service>[0]> = {}) =>
      service({
        name: 'a',
        clusterIPs: ['10.96.0.1', 'fd00::1'],
        loadBalancerIPs: ['192.0.2.1'],
        sourceRanges: ['203.0.113.0/24'],
        externalIPs: ['198.51.100.1'],
        ports: [{ port: 80, nodePort: 30080 }],
        ...spec,
      })
    const checked = (plan: ReturnType<typeof planService>): string[] =>
      plan.frontends.filter(({ sourceRanges }) => sourceRanges).map(({ kind, key }) => `${kind} ${key}`)

    it('[KP-4.2.1] check load balancer addresses, not node ports, externalIPs and ClusterIPs', () => {
      const plan = planService(ranged(), BOTH)
      assert.deepEqual(checked(plan), ['LoadBalancer 192.0.2.1:80/TCP'])
      assert.deepEqual(plan.frontends.length, 6)
      assert.deepEqual(plan.notServed, [])
      assert.deepEqual(
        plan.ports.map(port => port.sources),
        [['203.0.113.0/24']],
      )
    })

    it('[KP-4.2.1] check an address that is a load balancer’s and an external IP, too', () => {
      assert.deepEqual(checked(planService(ranged({ externalIPs: ['192.0.2.1', '10.96.0.1'] }), BOTH)), [
        'LoadBalancer 192.0.2.1:80/TCP',
      ])
      assert.deepEqual(checked(planService(ranged({ loadBalancerIPs: ['10.96.0.1'] }), BOTH)), [
        'ClusterIP 10.96.0.1:80/TCP',
      ])
    })

    it('[KP-4.2.1] of one family close that family only', () => {
      const plan = planService(ranged({ loadBalancerIPs: ['192.0.2.1', '2001:db8::1'] }), BOTH)
      assert.deepEqual(checked(plan), ['LoadBalancer 192.0.2.1:80/TCP'])
    })

    it('[KP-4.2.1] that hold the node’s own address hold the load balancer’s addresses of the family', () => {
      const sources = (nodeAddress: string) =>
        planService(
          ranged({
            loadBalancerIPs: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
            sourceRanges: ['203.0.113.0/24', 'fd07::/64'],
          }),
          { ...BOTH, primaryAddresses: { [nodeAddress.includes(':') ? 'IPv6' : 'IPv4']: nodeAddress } },
        ).ports[0]?.sources
      const ranges = ['203.0.113.0/24', 'fd07::/64']
      assert.deepEqual(sources('203.0.114.1'), ranges)
      assert.deepEqual(sources('203.0.113.1'), ['192.0.2.1/32', '192.0.2.2/32', ...ranges])
      assert.deepEqual(sources('fd07::9'), ['203.0.113.0/24', '2001:db8::1/128', 'fd07::/64'])
    })

    it('mean nothing to a Service without a load balancer address', () => {
      const plan = planService(ranged({ loadBalancerIPs: [] }), BOTH)
      assert.deepEqual([checked(plan), plan.ports[0]?.sources], [[], []])
    })
  })

  it('refuses names that the map cannot hold', () => {
    const long = 'x'.repeat(64)
    const plan = planService(
      service({ name: `ns/${long}`, clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] }),
      BOTH,
    )
    assert.deepEqual(plan.frontends, [])
    assert.match(plan.notServed[0]?.message ?? '', /longer than 63 bytes/)
    const port = planService(
      service({
        name: 'a',
        clusterIPs: ['10.96.0.1'],
        ports: [
          { name: long, port: 80 },
          { name: 'b', port: 81 },
        ],
      }),
      BOTH,
    )
    assert.deepEqual(frontends(port), ['ClusterIP 10.96.0.1:81/TCP cluster'])
  })
})
