/** A real API server writes every field that we read in protobuf and in JSON: they say the same. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { node, service } from '../manifests.ts'
import { ApiHost } from './api-host.ts'

interface Read {
  readonly types: readonly string[]
  readonly services: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly slices: ReadonlyArray<ReadonlyArray<Readonly<Record<string, unknown>>>>
  readonly node: Readonly<Record<string, unknown>>
  readonly serviceCIDRs: readonly unknown[]
  readonly problems: readonly unknown[]
}

const objects = [
  {
    ...node('node-a', ['172.31.255.1']),
    metadata: {
      name: 'node-a',
      labels: { 'topology.kubernetes.io/zone': 'zone-1' },
      annotations: { 'lab.kpng.io/note': 'ünïcode' },
    },
    spec: {
      podCIDR: '10.244.1.0/24',
      podCIDRs: ['10.244.1.0/24'],
      taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }],
    },
  },
  service({ name: 'plain', ports: [{ port: 80 }] }),
  service({
    name: 'all-of-it',
    type: 'LoadBalancer',
    ports: [
      { name: 'http', port: 80, targetPort: 8080, nodePort: 30_080 },
      { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
    ],
    spec: {
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Local',
      healthCheckNodePort: 30_999,
      externalIPs: ['192.0.2.7'],
      loadBalancerSourceRanges: ['198.51.100.0/24', '203.0.113.0/24'],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 77 } },
      publishNotReadyAddresses: true,
    },
  }),
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'all-of-it-1',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'all-of-it' },
    },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: '', port: 53, protocol: 'UDP' },
    ],
    endpoints: [
      {
        addresses: ['10.244.1.5'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node-a',
        zone: 'zone-1',
        targetRef: { kind: 'Pod', namespace: 'default', name: 'all-of-it-6d4cf56db6-abcde' },
        hints: { forZones: [{ name: 'zone-1' }, { name: 'zone-2' }], forNodes: [{ name: 'node-a' }] },
      },
      { addresses: ['10.244.2.5'], conditions: { ready: false, serving: true, terminating: true } },
      { addresses: ['10.244.3.5'] },
    ],
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'more' },
    spec: { cidrs: ['10.97.0.0/24'] },
  },
]

test('every field that is read is the same in protobuf and in JSON', async () => {
  await using api = await ApiHost.up()
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await api.plane.kubectl(['apply', '-f', '-'], { input })
  const status = {
    loadBalancer: {
      ingress: [
        { ip: '192.0.2.1', ipMode: 'VIP' },
        { ip: '192.0.2.2', ipMode: 'Proxy' },
      ],
    },
  }
  await api.plane.kubectl([
    ...['patch', 'service', 'all-of-it', '--subresource=status', '--type=merge', '-p'],
    JSON.stringify({ status }),
  ])
  const kubeconfig = await api.plane.kubeconfigFor({ user: 'system:kube-proxy' })
  const main = join(import.meta.dirname, 'encodings-main.ts')
  const child = api.host.startWithInput([process.execPath, main, kubeconfig, 'node-a'])
  child.stderr.on('data', (piece: Buffer) => process.stderr.write(piece))
  const { protobuf, json } = JSON.parse(await text(child.stdout)) as { protobuf: Read; json: Read }
  assert.deepEqual(protobuf.types, ['application/vnd.kubernetes.protobuf'])
  assert.deepEqual(json.types, ['application/json'])
  assert.deepEqual({ ...protobuf, types: [] }, { ...json, types: [] })
  // And it is all there: what neither has would be the same, too.
  const all = protobuf.services.find(({ name }) => name === 'all-of-it')
  const { uid, clusterIPs, ports, ...rest } = all ?? {}
  assert.match(String(uid), /^[0-9a-f-]{36}$/)
  assert.equal(Object.keys(clusterIPs as object).length, 1)
  assert.equal((ports as unknown[]).length, 2)
  assert.deepEqual(rest, {
    kind: 'Service',
    namespace: 'default',
    name: 'all-of-it',
    type: 'LoadBalancer',
    headless: false,
    foreignProxy: false,
    externalIPs: ['192.0.2.7'],
    loadBalancerIPs: ['192.0.2.1'],
    sourceRanges: ['198.51.100.0/24', '203.0.113.0/24'],
    affinityTimeoutSeconds: 77,
    internalLocal: true,
    externalLocal: true,
    healthCheckNodePort: 30_999,
  })
  const slice = protobuf.slices.flat().find(({ name }) => name === 'all-of-it-1') ?? {}
  assert.equal((slice.ports as unknown[]).length, 2)
  assert.deepEqual((slice.endpoints as unknown[])[0], {
    address: '10.244.1.5',
    ready: true,
    serving: true,
    terminating: false,
    nodeName: 'node-a',
    zone: 'zone-1',
    pod: 'all-of-it-6d4cf56db6-abcde',
    zoneHints: ['zone-1', 'zone-2'],
    nodeHints: ['node-a'],
  })
  assert.deepEqual(protobuf.node.annotations, { 'lab.kpng.io/note': 'ünïcode' })
  assert.equal(protobuf.node.goingAway, true)
  assert.equal(protobuf.node.zone, 'zone-1')
  assert.deepEqual(protobuf.node.podCIDRs, ['10.244.1.0/24'])
  assert.ok(protobuf.serviceCIDRs.length >= 2)
})
