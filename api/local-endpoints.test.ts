import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readyLocalAddresses } from './local-endpoints.ts'
import type { EndpointView, PortEndpointsView, ServiceView, TrafficDecision } from './view.ts'

const decision: TrafficDecision = { list: 'cluster', verdict: 'serve', masquerade: false }
const decisions = {
  clusterIPFromPod: decision,
  clusterIPFromElsewhere: decision,
  externalFromPod: decision,
  externalFromNode: decision,
  externalFromElsewhere: decision,
}

/** `10.0.0.1 8080` and words after it: here, unready, terminating. */
function endpoint(text: string): EndpointView {
  const [address = '', port = '', ...words] = text.split(' ')
  const ready = !words.includes('unready') && !words.includes('terminating')
  return {
    address,
    port: Number(port),
    local: words.includes('here'),
    ready,
    serving: !words.includes('unready'),
    terminating: words.includes('terminating'),
    inCluster: ready,
    inLocal: words.includes('here'),
  }
}

const selection = (...endpoints: string[]): PortEndpointsView => ({
  endpoints: endpoints.map(endpoint),
  hasAnyEndpoints: true,
  decisions,
  topologyMode: '',
})

const service = (...ports: ServiceView['ports'][number]['endpoints'][]): ServiceView => ({
  namespace: 'shop',
  name: 'web',
  type: 'LoadBalancer',
  addresses: {},
  ports: ports.map((endpoints, i) => ({ name: `p${i}`, protocol: 'TCP', port: 80, nodePort: 0, endpoints })),
  affinityTimeoutSeconds: 0,
  internalLocal: false,
  externalLocal: true,
  healthCheckNodePort: 32_000,
})

const cases: [string, ServiceView, number, number][] = [
  ['no ports', service(), 0, 0],
  [
    'only those on this node',
    service({ IPv4: selection('10.0.0.1 80 here', '10.0.0.2 80', '10.0.0.3 80 here') }),
    2,
    0,
  ],
  [
    'an address counts once, over its numbers and the ports of the Service',
    service(
      { IPv4: selection('10.0.0.1 80 here', '10.0.0.1 81 here') },
      { IPv4: selection('10.0.0.1 443 here', '10.0.0.2 443 here') },
    ),
    2,
    0,
  ],
  ['not what is not ready', service({ IPv4: selection('10.0.0.1 80 here unready') }), 0, 0],
  [
    'not what serves its last connections, though it is used',
    service({ IPv4: selection('10.0.0.1 80 here terminating') }),
    0,
    0,
  ],
  [
    'each family for itself',
    service({ IPv4: selection('10.0.0.1 80 here'), IPv6: selection('fd00::1 80 here', 'fd00::2 80 here') }),
    1,
    2,
  ],
]
for (const [title, view, ipv4, ipv6] of cases) {
  test(`[KP-8.2.3 KP-14.9] endpoints counted for the health check: ${title}`, () => {
    assert.deepEqual([readyLocalAddresses(view, 'IPv4'), readyLocalAddresses(view, 'IPv6')], [ipv4, ipv6])
  })
}
