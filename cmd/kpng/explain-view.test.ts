import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointView, PortEndpointsView, ServiceView } from '@kpng/api'
import { decide } from '@kpng/server'
import { parseDestination } from './destination.ts'
import { type Explanation, explain } from './explain-view.ts'

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
    contains: (cidr, address) => cidr === '10.96.0.0/16' && address.startsWith('10.96.'),
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
  const { outcome, endpoints } = explained('10.96.0.1:80', { ...web, internalLocal: true })
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

test('explain: LoadBalancer addresses with source ranges say why they are not served', () => {
  const addresses = {
    IPv4: {
      clusterIP: '10.96.0.1',
      externalIPs: [],
      loadBalancerIPs: ['203.0.113.1'],
      sourceRanges: ['10.0.0.0/8'],
    },
  }
  const explanation = explained('203.0.113.1:80', { ...web, addresses })
  assert.equal(explanation.outcome, 'untouched')
  assert.match(explanation.rule, /loadBalancerSourceRanges/)
})
