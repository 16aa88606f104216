import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { TestLab } from './lab.ts'
import { endpointSlice, node, service, serviceCIDR } from './manifests.ts'

const objects = [
  node('node-a', ['192.168.76.1', 'fd00:76::1']),
  node('node-b', ['192.168.76.2', 'fd00:76::2']),
  serviceCIDR('10.96.0.0/16', 'fd00:96::/112'),
  service({
    name: 'empty',
    clusterIPs: ['10.96.0.2', 'fd00:96::2'],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
    ],
  }),
  service({
    name: 'local-only',
    clusterIPs: ['10.96.0.3', 'fd00:96::3'],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
    ],
    spec: { internalTrafficPolicy: 'Local' },
  }),
  ...['10.180.1.1', 'fd00:180:1::1'].flatMap(address =>
    ['local-only', 'web'].map(name =>
      endpointSlice({
        service: name,
        ports: [
          { name: 't', port: 80 },
          { name: 'u', port: 80, protocol: 'UDP' },
        ],
        endpoints: [{ address, nodeName: 'node-b' }],
      }),
    ),
  ),
  service({
    name: 'web',
    clusterIPs: ['10.96.0.4', 'fd00:96::4'],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
    ],
    spec: { externalIPs: ['192.0.2.76', '2001:db8::76'] },
  }),
]

const rawDatagram = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
s.sendto(b"\\x10\\x00\\x00\\x50\\x00\\x08\\x00\\x00", ("10.96.0.4", 0))
`

let lab: TestLab
beforeEach(async () => {
  lab ??= await TestLab.up(objects)
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

const rules = `
table inet leak {
  counter services { }
  chain to_services {
    ip daddr { 10.96.0.0/16, 192.0.2.76 } counter name services
    ip6 daddr { fd00:96::/112, 2001:db8::76 } counter name services
  }
  chain out { type filter hook output priority 0; jump to_services; }
  chain forward { type filter hook forward priority 0; jump to_services; }
}`

test('[KPNG-D7 DP-9.9] refused, unreachable and served sockets of every kind send not one packet to a Service address (pitfall 9)', async () => {
  const loaded = await lab.exec('node/node-a', ['nft', rules])
  assert.equal(loaded.exitCode, 0, loaded.stderr)
  await using clients = lab.clients('node/node-a')
  const v4 = ['10.96.0.2', '10.96.0.3', '10.96.0.4', '10.96.1.1', '192.0.2.76']
  const v6 = ['fd00:96::2', 'fd00:96::3', 'fd00:96::4', 'fd00:96::11', '2001:db8::76']
  const destinations = [...v4, ...v4.map(address => `::ffff:${address}`), ...v6].flatMap(address =>
    // Of the external IP only the Service's own port is ours.
    (address.endsWith('76') ? [80] : [80, 81]).map(port => [address, port]),
  )
  const told = await clients.run<string[]>(
    `sorted({"served" if answer.startswith("{") else answer for to in ${JSON.stringify(destinations)}
       for how in (tcp, nonblocking, udp, udp_connected) for answer in tally(how, 3, *to)})`,
  )
  assert.deepEqual(told, ['ECONNREFUSED', 'EHOSTUNREACH', 'EINPROGRESS', 'served'])
  assert.equal(await packetsToServices(), 0)
  // The counter does count: a raw packet has no socket hook.
  await lab.exec('node/node-a', ['python3', '-c', rawDatagram])
  assert.equal(await packetsToServices(), 1)
})
