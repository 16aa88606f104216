import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointView, ServicePortView, ServiceView } from '@kpng/api'
import { decide } from '@kpng/server'
import { frontendsOf, stateOf } from './service-rows.ts'

const endpoint = (address: string): EndpointView => ({
  address,
  port: 8080,
  local: false,
  ready: true,
  serving: true,
  terminating: false,
  inCluster: true,
  inLocal: false,
})

const selection = (internalLocal: boolean, ...addresses: string[]) => ({
  endpoints: addresses.map(endpoint),
  hasAnyEndpoints: addresses.length > 0,
  decisions: decide({
    internalLocal,
    externalLocal: false,
    cluster: addresses.length > 0 ? 'serve' : 'refuse',
    local: addresses.length > 0 ? 'drop' : 'refuse',
    masqueradeAll: false,
    localDetector: false,
  }),
  topologyMode: '' as const,
})

function state(changes: Partial<ServiceView>, v4: readonly string[], v6: readonly string[]): string {
  const port: ServicePortView = {
    name: '',
    protocol: 'TCP',
    port: 80,
    nodePort: 30080,
    endpoints: {
      IPv4: selection(changes.internalLocal === true, ...v4),
      IPv6: selection(changes.internalLocal === true, ...v6),
    },
  }
  const none = { externalIPs: [], loadBalancerIPs: [], sourceRanges: [] }
  const service: ServiceView = {
    namespace: 'default',
    name: 'web',
    type: 'NodePort',
    addresses: { IPv4: { clusterIP: '10.96.0.1', ...none }, IPv6: { clusterIP: 'fd00::1', ...none } },
    ports: [port],
    affinityTimeoutSeconds: 0,
    internalLocal: false,
    externalLocal: false,
    healthCheckNodePort: 0,
    ...changes,
  }
  return stateOf(port, frontendsOf(service, port, ['192.0.2.1', 'fd00:77::1']))
}

test('state of a service port: one word where all its frontends meet the same', () => {
  assert.equal(state({}, ['10.0.0.1'], ['fd00::2']), '1 backend')
})

test('state of a service port: by family where these differ', () => {
  assert.equal(state({}, ['10.0.0.1', '10.0.0.2'], []), 'IPv4: 2 backends, IPv6: refused: no endpoints')
})

test('state of a service port: by kind of frontend where a policy makes the difference', () => {
  assert.equal(
    state({ internalLocal: true }, ['10.0.0.1'], ['fd00::2']),
    'ClusterIP: unreachable: no local endpoint, NodePort: 1 backend',
  )
})
