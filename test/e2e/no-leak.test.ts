import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TestLab } from './lab.ts'
import { endpointSlice, node, service, serviceCIDR } from './manifests.ts'

const objects = [
  node('node-a', ['192.168.76.1']),
  node('node-b', ['192.168.76.2']),
  serviceCIDR('10.96.0.0/16'),
  service({
    name: 'empty',
    clusterIPs: ['10.96.0.2'],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
    ],
  }),
  service({
    name: 'local-only',
    clusterIPs: ['10.96.0.3'],
    ports: [{ port: 80 }],
    spec: { internalTrafficPolicy: 'Local' },
  }),
  endpointSlice({
    service: 'local-only',
    ports: [{ port: 80 }],
    endpoints: [{ address: '10.180.1.1', nodeName: 'node-b' }],
  }),
  service({ name: 'web', clusterIPs: ['10.96.0.4'], ports: [{ port: 80 }] }),
  endpointSlice({
    service: 'web',
    ports: [{ port: 80 }],
    endpoints: [{ address: '10.180.1.1', nodeName: 'node-b' }],
  }),
]

const rawDatagram = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
s.sendto(b"\\x10\\x00\\x00\\x50\\x00\\x08\\x00\\x00", ("10.96.0.4", 0))
`

let lab: TestLab
before(async () => {
  lab = await TestLab.up(objects)
})
after(async () => {
  await lab?.[Symbol.asyncDispose]()
})

/** Packets that leave node-a for addresses of Services, as its own netfilter counts them. */
async function packetsToServices(): Promise<number> {
  const result = await lab.exec('node/node-a', ['nft', '-j', 'list', 'counters'])
  const { nftables } = JSON.parse(result.stdout) as { nftables: { counter?: { packets: number } }[] }
  return nftables.reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0)
}

test('refused, unreachable and served connections send not one packet to a Service address (pitfall 9)', async () => {
  const rules = `
table ip leak {
  counter services { }
  chain out { type filter hook output priority 0; ip daddr 10.96.0.0/16 counter name services; }
  chain forward { type filter hook forward priority 0; ip daddr 10.96.0.0/16 counter name services; }
}`
  const loaded = await lab.exec('node/node-a', ['nft', rules])
  assert.equal(loaded.exitCode, 0, loaded.stderr)
  for (const to of [
    '10.96.0.2:80',
    '10.96.0.2:80/udp',
    '10.96.0.3:80',
    '10.96.0.4:80',
    '10.96.0.4:81',
    '10.96.1.1:80',
  ])
    await lab.probe('node/node-a', to, 20)
  assert.equal(await packetsToServices(), 0)
  // The counter does count: a raw packet has no socket hook.
  await lab.exec('node/node-a', ['python3', '-c', rawDatagram])
  assert.equal(await packetsToServices(), 1)
})
