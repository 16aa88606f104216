import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { anEndpoint, aService, aSlice } from '../objects/fixtures.ts'
import type { Service } from '../objects/types.ts'
import type { ListUse } from './categorize.ts'
import { DEFAULT_POLICY } from './decisions.ts'
import { listUse, selectService } from './service-view.ts'

const node = { name: 'n1', zone: '' }
const select = (fields: Partial<Service>) => selectService(aService(fields), [], node)

describe('Services', () => {
  const ignored: [string, Partial<Service>][] = [
    ['headless', { headless: true, clusterIPs: {} }],
    ['no clusterIP', { clusterIPs: {} }],
    ['ExternalName, even with a clusterIP', { type: 'ExternalName' }],
    ['service-proxy-name', { foreignProxy: true }],
  ]
  for (const [title, fields] of ignored) {
    it(`[KP-1.1 KP-1.5] ${title}: ignored`, () => assert.equal(select(fields), undefined))
  }

  it('[KP-1.6 KP-1.10] a dual-stack Service has its addresses per family, and SCTP ports are ports', () => {
    const view = select({
      clusterIPs: { IPv4: '10.96.0.1', IPv6: 'fd00:96::1' },
      externalIPs: ['192.0.2.1', '2001:db8::1'],
      loadBalancerIPs: ['203.0.113.1', '2001:db8::2'],
      sourceRanges: ['10.0.0.0/8', '2001:db8::/32'],
      ports: [{ name: 's', protocol: 'SCTP', port: 1, nodePort: 0 }],
    })
    assert.deepEqual(view?.addresses, {
      IPv4: {
        clusterIP: '10.96.0.1',
        externalIPs: ['192.0.2.1'],
        loadBalancerIPs: ['203.0.113.1'],
        sourceRanges: ['10.0.0.0/8'],
      },
      IPv6: {
        clusterIP: 'fd00:96::1',
        externalIPs: ['2001:db8::1'],
        loadBalancerIPs: ['2001:db8::2'],
        sourceRanges: ['2001:db8::/32'],
      },
    })
    assert.deepEqual(Object.keys(view?.ports[0]?.endpoints ?? {}), ['IPv4', 'IPv6'])
  })

  it('[KP-1.6 KP-14.14] without a clusterIP of the family nothing of the Service exists in it', () => {
    const view = select({
      clusterIPs: { IPv6: 'fd00:96::1' },
      externalIPs: ['192.0.2.1'],
      ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30080 }],
    })
    assert.deepEqual(Object.keys(view?.addresses ?? {}), ['IPv6'])
    assert.deepEqual(view?.addresses.IPv6?.externalIPs, [])
    assert.deepEqual(Object.keys(view?.ports[0]?.endpoints ?? {}), ['IPv6'])
  })

  it('[KP-1.7] the type does not matter otherwise: what is there counts', () => {
    const fields = {
      externalIPs: ['192.0.2.1'],
      loadBalancerIPs: ['203.0.113.1'],
      ports: [{ name: '', protocol: 'TCP' as const, port: 80, nodePort: 30_080 }],
    }
    const views = ['ClusterIP', 'NodePort', 'LoadBalancer', ''].map(type => select({ type, ...fields }))
    for (const view of views) assert.deepEqual({ ...view, type: '' }, { ...views[0], type: '' })
    assert.deepEqual(views[0]?.addresses.IPv4?.loadBalancerIPs, ['203.0.113.1'])
    assert.equal(views[0]?.ports[0]?.nodePort, 30_080)
  })

  it('[KP-1.8] a LoadBalancer without node ports has none', () => {
    const view = select({ type: 'LoadBalancer', loadBalancerIPs: ['203.0.113.1'] })
    assert.deepEqual([view?.ports[0]?.nodePort, view?.addresses.IPv4?.loadBalancerIPs], [0, ['203.0.113.1']])
  })

  it('[KP-1.10] externalIPs that are turned off are not there, nor a way in from outside', () => {
    const policy = { ...DEFAULT_POLICY, externalIPs: false }
    const service = aService({ externalIPs: ['192.0.2.1'], externalLocal: true })
    const slice = aSlice({ endpoints: [anEndpoint('10.0.0.1', { nodeName: 'n1' })] })
    const local = (view: ReturnType<typeof selectService>) =>
      view?.ports[0]?.endpoints.IPv4?.endpoints.map(it => it.inLocal)
    assert.deepEqual(local(selectService(service, [slice], node)), [true])
    const view = selectService(service, [slice], node, policy)
    assert.deepEqual([view?.addresses.IPv4?.externalIPs, local(view)], [[], [false]])
  })

  it('[KP-1.15] two ports of one number and different protocols are two, each with its own endpoints', () => {
    const view = selectService(
      aService({
        ports: [
          { name: 'dns', protocol: 'UDP', port: 53, nodePort: 0 },
          { name: 'dns', protocol: 'TCP', port: 53, nodePort: 0 },
        ],
      }),
      [
        aSlice({ ports: [{ name: 'dns', protocol: 'UDP', port: 53 }], endpoints: [anEndpoint('10.0.0.1')] }),
        aSlice({
          name: 'web-2',
          ports: [{ name: 'dns', protocol: 'TCP', port: 5353 }],
          endpoints: [anEndpoint('10.0.0.2')],
        }),
      ],
      node,
    )
    assert.deepEqual(
      view?.ports.map(it => [
        it.protocol,
        it.endpoints.IPv4?.endpoints.map(({ address, port }) => `${address} ${port}`),
      ]),
      [
        ['UDP', ['10.0.0.1 53']],
        ['TCP', ['10.0.0.2 5353']],
      ],
    )
  })

  it('[KP-1.13] the port of the health check is carried along', () => {
    assert.equal(select({ healthCheckNodePort: 32_000 })?.healthCheckNodePort, 32_000)
  })

  const ranges: [string, string[], string[]][] = [
    ['a range of all addresses makes the list empty', ['10.0.0.0/8', '0.0.0.0/0'], []],
    ['a range of all addresses of the other family does not', ['10.0.0.0/8', '::/0'], ['10.0.0.0/8']],
    ['only ranges of the other family: empty, open to all', ['fd00::/8'], []],
    ['10.0.0.0/10 is no zero prefix', ['10.0.0.0/10'], ['10.0.0.0/10']],
  ]
  for (const [title, sourceRanges, expected] of ranges) {
    it(`[KP-1.11 KP-14.7] source ranges: ${title}`, () => {
      assert.deepEqual(select({ sourceRanges })?.addresses.IPv4?.sourceRanges, expected)
    })
  }

  it('[KP-2.1 KP-6.9] each family has the endpoints of its slices', () => {
    const view = selectService(
      aService({ clusterIPs: { IPv4: '10.96.0.1', IPv6: 'fd00:96::1' } }),
      [
        aSlice({ endpoints: [anEndpoint('10.0.0.1')] }),
        aSlice({ name: 'web-2', family: 'IPv6', endpoints: [anEndpoint('fd00::1')] }),
      ],
      node,
    )
    const addresses = (family: 'IPv4' | 'IPv6') =>
      view?.ports[0]?.endpoints[family]?.endpoints.map(it => it.address)
    assert.deepEqual([addresses('IPv4'), addresses('IPv6')], [['10.0.0.1'], ['fd00::1']])
  })
})

describe('which lists are used', () => {
  const cases: [string, object, number, string[], ListUse][] = [
    ['internal Cluster', {}, 0, [], { cluster: true, local: false }],
    ['internal Local', { internalLocal: true }, 0, [], { cluster: false, local: true }],
    ['internal Local with a NodePort', { internalLocal: true }, 30080, [], { cluster: true, local: true }],
    [
      'internal Local with an external address',
      { internalLocal: true },
      0,
      ['192.0.2.1'],
      { cluster: true, local: true },
    ],
    ['external Local, nothing external', { externalLocal: true }, 0, [], { cluster: true, local: false }],
    ['external Local with a NodePort', { externalLocal: true }, 30080, [], { cluster: true, local: true }],
    [
      'external Local with an external address',
      { externalLocal: true },
      0,
      ['192.0.2.1'],
      { cluster: true, local: true },
    ],
    [
      'both Local with a NodePort',
      { internalLocal: true, externalLocal: true },
      30080,
      [],
      { cluster: true, local: true },
    ],
  ]
  for (const [title, policies, nodePort, outside, expected] of cases) {
    it(`[KP-3.1] ${title}`, () => {
      const service = { internalLocal: false, externalLocal: false, ...policies }
      assert.deepEqual(
        listUse(service, { nodePort }, { externalIPs: outside, loadBalancerIPs: [] }),
        expected,
      )
      assert.deepEqual(
        listUse(service, { nodePort }, { externalIPs: [], loadBalancerIPs: outside }),
        expected,
      )
    })
  }
})
