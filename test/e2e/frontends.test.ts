import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { TestLab } from './lab.ts'
import { endpointSlice, node, service, serviceCIDR } from './manifests.ts'

/** Two dual-stack nodes, one dual-stack Service with every kind of address, and the odd ones beside it. */
const objects = [
  node('node-a', ['192.168.77.1', 'fd00:77::1']),
  node('node-b', ['192.168.77.2', 'fd00:77::2']),
  serviceCIDR('10.96.0.0/16', 'fd00:96::/112'),
  service({
    name: 'web',
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.1', 'fd00:96::1'],
    ports: [
      { name: 'http', port: 80, targetPort: 'http', nodePort: 30080 },
      { name: 'dns', protocol: 'UDP', port: 80, targetPort: 5353, nodePort: 30080 },
    ],
    spec: { externalIPs: ['192.0.2.10', '2001:db8::10'], externalTrafficPolicy: 'Local' },
    status: {
      loadBalancer: {
        ingress: [
          { ip: '192.0.2.20' },
          { ip: '192.0.2.21', ipMode: 'Proxy' },
          { ip: '2001:db8::20', ipMode: 'VIP' },
        ],
      },
    },
  }),
  // The port's number is the slice's own; targetPort is never read.
  ...[
    ['web-1', '10.180.0.1', 'node-a', 8080],
    ['web-2', '10.180.1.1', 'node-b', 8081],
  ].map(([name, address, nodeName, port]) =>
    endpointSlice({
      service: 'web',
      name: String(name),
      ports: [
        { name: 'http', port: Number(port) },
        { name: 'dns', protocol: 'UDP', port: 5353 },
      ],
      endpoints: [{ address: String(address), nodeName: String(nodeName) }],
    }),
  ),
  endpointSlice({
    service: 'web',
    name: 'web-6',
    ports: [
      { name: 'http', port: 8080 },
      { name: 'dns', protocol: 'UDP', port: 5353 },
    ],
    endpoints: [
      { address: 'fd00:180::1', nodeName: 'node-a' },
      { address: 'fd00:180:1::1', nodeName: 'node-b' },
    ],
  }),
  service({
    name: 'empty',
    clusterIPs: ['10.96.0.2', 'fd00:96::2'],
    ports: [{ port: 80 }, { name: 'u', port: 80, protocol: 'UDP' }],
  }),
  service({
    name: 'local-only',
    clusterIPs: ['10.96.0.3'],
    ports: [{ port: 80 }],
    spec: { internalTrafficPolicy: 'Local' },
  }),
  endpointSlice({
    service: 'local-only',
    ports: [{ port: 8080 }],
    endpoints: [{ address: '10.180.1.1', nodeName: 'node-b' }],
  }),
  service({ name: 'headless', clusterIPs: ['None'], ports: [{ port: 80 }] }),
  endpointSlice({
    service: 'headless',
    ports: [{ port: 8080 }],
    endpoints: [{ address: '10.180.0.1', nodeName: 'node-a' }],
  }),
  service({ name: 'elsewhere', type: 'ExternalName', ports: [], spec: { externalName: 'example.org' } }),
  service({
    name: 'foreign',
    clusterIPs: ['10.96.0.4'],
    ports: [{ port: 80 }],
    labels: { 'service.kubernetes.io/service-proxy-name': 'another' },
  }),
  endpointSlice({
    service: 'foreign',
    ports: [{ port: 8080 }],
    endpoints: [{ address: '10.180.0.1', nodeName: 'node-a' }],
  }),
]

const web = {
  tcp4: ['10.180.0.1:8080', '10.180.1.1:8081'],
  udp4: ['10.180.0.1:5353', '10.180.1.1:5353'],
  tcp6: ['[fd00:180:1::1]:8080', '[fd00:180::1]:8080'],
  udp6: ['[fd00:180:1::1]:5353', '[fd00:180::1]:5353'],
}

let lab: TestLab
beforeEach(async () => {
  lab ??= await TestLab.up(objects)
})
after(async () => {
  await lab?.[Symbol.asyncDispose]()
})

const clients = ['node/node-a', 'pod/10.180.0.1']

for (const [name, to, backends] of [
  ['ClusterIP, TCP, IPv4', '10.96.0.1:80', web.tcp4],
  ['ClusterIP, UDP, IPv4', '10.96.0.1:80/udp', web.udp4],
  ['externalIP, TCP', '192.0.2.10:80', web.tcp4],
  [
    '[KP-4.7 KP-14.2] LoadBalancer VIP, TCP (policy Local: a client on the node gets all endpoints)',
    '192.0.2.20:80',
    web.tcp4,
  ],
  ['NodePort on the primary address, TCP', '192.168.77.1:30080', web.tcp4],
  ['NodePort on the primary address, UDP', '192.168.77.1:30080/udp', web.udp4],
] as const) {
  for (const client of clients) {
    test(`[KPNG-D12 KPNG-C3] ${name}, from ${client}: every backend answers`, async () => {
      const result = await lab.probe(client, to, 40)
      assert.deepEqual(Object.keys(result.answered).sort(), [...backends].sort(), JSON.stringify(result))
      assert.equal(
        Object.values(result.answered).reduce((a, b) => a + b, 0),
        40,
      )
    })
  }
}

for (const [name, to, backends] of [
  ['ClusterIP, TCP, IPv6', '[fd00:96::1]:80', web.tcp6],
  ['ClusterIP, UDP, IPv6', '[fd00:96::1]:80/udp', web.udp6],
  ['externalIP, IPv6', '[2001:db8::10]:80', web.tcp6],
  ['LoadBalancer VIP with ipMode VIP, IPv6', '[2001:db8::20]:80', web.tcp6],
  ['NodePort, IPv6', '[fd00:77::1]:30080', web.tcp6],
] as const) {
  test(`${name}: every backend answers`, async () => {
    const result = await lab.probe('node/node-a', to, 40)
    assert.deepEqual(Object.keys(result.answered).sort(), [...backends].sort(), JSON.stringify(result))
  })
}

for (const [name, to, outcome] of [
  ['[KP-4.4 KP-14.1] a Service without endpoints refuses TCP at once', '10.96.0.2:80', 'refused'],
  ['a Service without endpoints refuses UDP at once', '10.96.0.2:80/udp', 'refused'],
  ['a Service without endpoints refuses IPv6 at once', '[fd00:96::2]:80', 'refused'],
  ['[KP-4.3 KP-14.1] policy Local with nobody here is unreachable', '10.96.0.3:80', 'unreachable'],
  ['[KP-4.11] another port of a ClusterIP is refused', '10.96.0.1:81', 'refused'],
  ['[KP-4.11 KP-4.14] another protocol on a ClusterIP’s port is refused', '10.96.0.3:80/udp', 'refused'],
  ['[KP-4.12] an address of the ServiceCIDR that nobody has is unreachable', '10.96.7.7:80', 'unreachable'],
  [
    '[KP-4.12] an IPv6 address of the ServiceCIDR that nobody has is unreachable',
    '[fd00:96::77]:80',
    'unreachable',
  ],
  ['[KP-1.1] a Service of another proxy is none of ours', '10.96.0.4:80', 'unreachable'],
] as const) {
  test(name, async () => {
    const result = await lab.probe('node/node-a', to, 5, ['--timeout-ms', '3000'])
    assert.equal(result[outcome], 5, `none of them waited for the timeout: ${JSON.stringify(result)}`)
  })
}

test('[KP-4.2 KPNG-C2 KPNG-C9] policy Local with somebody here uses only the node’s own endpoints', async () => {
  const result = await lab.probe('node/node-b', '10.96.0.3:80', 10)
  assert.deepEqual(result.answered, { '10.180.1.1:8080': 10 })
})

test('[KP-1.9] a LoadBalancer address with ipMode Proxy is left alone', async () => {
  const probe = (address: string) => lab.probe('node/node-a', `${address}:80`, 2, ['--timeout-ms', '300'])
  assert.deepEqual(await probe('192.0.2.21'), await probe('192.0.2.199'), 'as an address that no Service has')
})

test('[KP-1.5 KPNG-C1] the agent lives beside headless and ExternalName Services', async () => {
  const result = await lab.probe('node/node-b', '10.96.0.1:80', 2)
  assert.equal(
    Object.values(result.answered).reduce((a, b) => a + b, 0),
    2,
  )
})
