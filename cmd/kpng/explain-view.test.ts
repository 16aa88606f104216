import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  cidrContains,
  type EndpointView,
  ipBytes,
  type PortEndpointsView,
  parseCIDR,
  type ServiceView,
} from '@kpng/api'
import { decide } from '@kpng/server'
import { parseDestination } from './destination.ts'
import { type Explanation, explain } from './explain-view.ts'

const contains = (text: string, address: string): boolean => {
  const cidr = parseCIDR(text)
  return cidr !== undefined && cidrContains(cidr, ipBytes(address))
}

const endpoint = (address: string, changes: Partial<EndpointView> = {}): EndpointView => ({
  address,
  port: 8080,
  nodeName: 'node-b',
  local: false,
  ready: true,
  serving: true,
  terminating: false,
  inCluster: true,
  inLocal: false,
  ...changes,
})

const selected = (...endpoints: EndpointView[]): PortEndpointsView => ({
  endpoints,
  hasAnyEndpoints: endpoints.length > 0,
  decisions: decide({
    internalLocal: false,
    externalLocal: false,
    cluster: endpoints.length > 0 ? 'serve' : 'refuse',
    local: endpoints.length > 0 ? 'drop' : 'refuse',
    masqueradeAll: false,
    localDetector: false,
  }),
  topologyMode: '',
})

const service = (name: string, clusterIP: string, changes: Partial<ServiceView> = {}): ServiceView => ({
  namespace: 'default',
  name,
  type: 'NodePort',
  addresses: { IPv4: { clusterIP, externalIPs: [], loadBalancerIPs: [], sourceRanges: [] } },
  ports: [
    {
      name: 'http',
      protocol: 'TCP',
      port: 80,
      nodePort: 30080,
      endpoints: {
        IPv4: selected(
          endpoint('10.180.0.1'),
          endpoint('10.180.0.2', { ready: false, inCluster: false, reason: 'not ready' }),
        ),
      },
    },
  ],
  affinityTimeoutSeconds: 0,
  internalLocal: false,
  externalLocal: false,
  healthCheckNodePort: 0,
  ...changes,
})

function explained(text: string, ...services: ServiceView[]): Explanation {
  return explainedFrom(undefined, text, ...services)
}

function explainedFrom(from: string | undefined, text: string, ...services: ServiceView[]): Explanation {
  return explain(parseDestination(text), {
    node: {
      name: 'node-a',
      addresses: ['192.0.2.1', '192.0.2.3'],
      zone: '',
      serviceCIDRs: ['10.96.0.0/16'],
      eligible: true,
    },
    services,
    nodePortAddresses: ['192.0.2.1'],
    contains,
    ...(from === undefined ? {} : { from }),
  })
}

const web = service('web', '10.96.0.1')

test('explain: a ClusterIP names the Service, and each endpoint with why it is not used', () => {
  const { outcome, service: name, endpoints } = explained('10.96.0.1:80', web)
  assert.equal(outcome, 'forwarded')
  assert.equal(name, 'default/web:http')
  assert.deepEqual(
    endpoints.map(({ endpoint: { address }, used, reason }) => [address, used, reason]),
    [
      ['10.180.0.1', true, ''],
      ['10.180.0.2', false, 'not ready'],
    ],
  )
})

test('explain: a NodePort is served on the node’s own addresses only', () => {
  assert.equal(explained('192.0.2.1:30080', web).frontend?.kind, 'NodePort')
  assert.equal(explained('192.0.2.2:30080', web).outcome, 'untouched')
  assert.match(
    explained('192.0.2.3:30080', web).rule,
    /NodePort of default\/web, but NodePorts are served on 192\.0\.2\.1 only/,
  )
})

test('explain: policy Local with all endpoints elsewhere is unreachable, and says where they are', () => {
  const decisions = decide({
    internalLocal: true,
    externalLocal: false,
    cluster: 'serve',
    local: 'drop',
    masqueradeAll: false,
    localDetector: false,
  })
  const ports = web.ports.map(port => ({
    ...port,
    endpoints: { IPv4: { ...selected(...(port.endpoints.IPv4?.endpoints ?? [])), decisions } },
  }))
  const { outcome, endpoints } = explained('10.96.0.1:80', { ...web, internalLocal: true, ports })
  assert.equal(outcome, 'unreachable')
  assert.match(endpoints[0]?.reason ?? '', /not on this node \(on node-b\)/)
})

test('explain: nobody in the cluster can serve: refused', () => {
  const empty = { ...web, ports: web.ports.map(port => ({ ...port, endpoints: { IPv4: selected() } })) }
  assert.equal(explained('10.96.0.1:80', empty).outcome, 'refused')
})

for (const [text, outcome, rule] of [
  ['10.96.0.1:81', 'refused', /ClusterIP of default\/web, which has no such port/],
  ['10.96.0.1:80/udp', 'refused', /no such port/],
  ['10.96.0.1:80/sctp', 'untouched', /SCTP/],
  ['10.96.9.9:80', 'unreachable', /lies in ServiceCIDR 10\.96\.0\.0\/16/],
  ['8.8.8.8:53', 'untouched', /no Service’s address/],
] as const) {
  test(`explain: ${text} is ${outcome}`, () => {
    const explanation = explained(text, web)
    assert.equal(explanation.outcome, outcome)
    assert.match(explanation.rule, rule)
  })
}

test('explain: two Services that claim one address: the one served is named, and the other', () => {
  const { service: name, shadowed } = explained('10.96.0.1:80', service('zz', '10.96.0.1'), web)
  assert.equal(name, 'default/web:http')
  assert.deepEqual(shadowed, ['default/zz'])
})

test('explain: who is served of two is decided as in the datapath: a load balancer address before an external IP', () => {
  const addresses = (externalIPs: string[], loadBalancerIPs: string[]): ServiceView['addresses'] => ({
    IPv4: { clusterIP: '10.96.0.5', externalIPs, loadBalancerIPs, sourceRanges: [] },
  })
  const first = service('a', '10.96.0.5', { addresses: addresses(['203.0.113.1'], []) })
  const second = service('b', '10.96.0.6', { addresses: addresses([], ['203.0.113.1']) })
  const { service: name, shadowed } = explained('203.0.113.1:80', first, second)
  assert.deepEqual([name, shadowed], ['default/b:http', ['default/a']])
})

test('explain: another port of an external address is left alone, also inside of a ServiceCIDR', () => {
  const addresses = {
    clusterIP: '10.96.0.5',
    externalIPs: ['10.96.7.7'],
    loadBalancerIPs: [],
    sourceRanges: [],
  }
  const view = service('a', '10.96.0.5', { addresses: { IPv4: addresses } })
  const { outcome, rule } = explained('10.96.7.7:81', view)
  assert.equal(outcome, 'untouched')
  assert.match(rule, /external address of default\/a, which has no such port/)
})

describe('explain: a LoadBalancer address with source ranges', () => {
  const ranged = (changes: Partial<ServiceView> = {}): ServiceView => ({
    ...web,
    addresses: {
      IPv4: {
        clusterIP: '10.96.0.1',
        externalIPs: ['198.51.100.1'],
        loadBalancerIPs: ['203.0.113.1'],
        sourceRanges: ['10.0.0.0/8', '10.7.0.0/16'],
      },
    },
    ...changes,
  })
  const from = (source: string | undefined, to = '203.0.113.1:80', view = ranged()) =>
    explainedFrom(source, to, view)

  test('[KP-4.2.1] names the range that lets a source in', () => {
    const { outcome, rule, sources } = from('10.7.1.2')
    assert.deepEqual([outcome, sources?.decidedBy], ['forwarded', '10.7.0.0/16'])
    assert.match(rule, /open to 10\.7\.1\.2 by its loadBalancerSourceRanges \(10\.7\.0\.0\/16\)/)
  })

  test('[KP-4.2.1] is unreachable for a source in none of them, with endpoints or without', () => {
    const { outcome, rule, sources } = from('192.168.0.1')
    assert.deepEqual([outcome, sources?.decidedBy], ['unreachable', null])
    assert.match(rule, /192\.168\.0\.1 is in none of its loadBalancerSourceRanges \(10\.0\.0\.0\/8, /)
    const ports = web.ports.map(port => ({ ...port, endpoints: { IPv4: selected() } }))
    assert.equal(from('192.168.0.1', '203.0.113.1:80', ranged({ ports })).outcome, 'unreachable')
    assert.equal(from('10.7.1.2', '203.0.113.1:80', ranged({ ports })).outcome, 'refused')
  })

  test('says who may connect where nobody is named', () => {
    const { outcome, rule, sources } = from(undefined)
    assert.deepEqual([outcome, sources], ['forwarded', { ranges: ['10.0.0.0/8', '10.7.0.0/16'] }])
    assert.match(rule, /open to sources in 10\.0\.0\.0\/8, 10\.7\.0\.0\/16 only/)
  })

  test('[KP-4.2.1] leaves the Service’s other addresses open', () => {
    for (const to of ['10.96.0.1:80', '198.51.100.1:80', '192.0.2.1:30080']) {
      const { outcome, sources } = from('192.168.0.1', to)
      assert.deepEqual([outcome, sources], ['forwarded', undefined], to)
    }
  })
})
