import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { endpointSlice, service } from './manifests.ts'
import { type Attempt, Stage } from './stage.ts'

/** NodePorts and external addresses, from a node with two addresses of each family. */
const primary = ['192.168.78.1', 'fd00:78::1']
const secondary = ['192.168.79.1', 'fd00:79::1']
const pods = ['10.180.0.1', '10.180.0.2', 'fd00:180::1', 'fd00:180::2']
const backends = {
  IPv4: ['10.180.0.1:8080', '10.180.0.2:8080'],
  IPv6: ['[fd00:180::1]:8080', '[fd00:180::2]:8080'],
}

const objects = [
  service({
    name: 'web',
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.1', 'fd00:96::1'],
    ports: [
      { name: 't', port: 80, nodePort: 30080 },
      { name: 'u', port: 80, nodePort: 30080, protocol: 'UDP' },
    ],
    spec: { externalIPs: ['192.0.2.10', '2001:db8::10'] },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.20' }, { ip: '2001:db8::20', ipMode: 'VIP' }] } },
  }),
  ...[pods.slice(0, 2), pods.slice(2)].map(endpoints =>
    endpointSlice({
      service: 'web',
      ports: [
        { name: 't', port: 8080 },
        { name: 'u', port: 8080, protocol: 'UDP' },
      ],
      endpoints,
    }),
  ),
]

let stage: Stage
beforeEach(async () => {
  if (stage !== undefined) return
  stage = await Stage.up({
    pods,
    nodeAddresses: [...primary, ...secondary].map(address => `${address}/${address.includes(':') ? 64 : 24}`),
  })
  // Somebody else's servers on the same number: where the NodePort is not, they answer.
  const own = ['127.0.0.1', '::1', ...primary, ...secondary]
  await stage.host.listen(
    own.flatMap(address => [
      { address, port: 30080 },
      { address, port: 30080, protocol: 'udp' as const },
    ]),
  )
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

const ways: readonly Attempt[] = ['tcp', 'udp', 'udp_connected']
const family = (address: string): 'IPv4' | 'IPv6' => (address.includes(':') ? 'IPv6' : 'IPv4')
const self = (address: string): string[] => [
  address.includes(':') ? `[${address}]:30080` : `${address}:30080`,
]

async function assertNodePortsAt(served: readonly string[], notServed: readonly string[]): Promise<void> {
  for (const how of ways) {
    for (const address of served)
      assert.deepEqual(
        await stage.reached(address, 30080, how),
        backends[family(address)],
        `${address} ${how}`,
      )
    for (const address of notServed)
      assert.deepEqual(await stage.reached(address, 30080, how), self(address), `${address} ${how}`)
  }
}

for (const [name, address, port] of [
  ['an externalIP, IPv4', '192.0.2.10', 80],
  ['an externalIP, IPv6', '2001:db8::10', 80],
  ['a LoadBalancer address, IPv4', '192.0.2.20', 80],
  ['a LoadBalancer address, IPv6', '2001:db8::20', 80],
] as const)
  test(`${name}: TCP and UDP reach every backend`, async () => {
    await stage.apply(...objects)
    for (const how of ways)
      assert.deepEqual(await stage.reached(address, port, how), backends[family(address)], how)
  })

test('[KP-5.1 KP-5.2 KP-5.6 KP-13.3 KP-13.4] NodePorts are on the primary address of each family, TCP and UDP; not on others, not on loopback', async () => {
  await stage.apply(...objects)
  await assertNodePortsAt(primary, [...secondary, '127.0.0.1', '::1'])
})

test('[KP-5.8] a NodePort can be bound, and a client that connects to it reaches the Service all the same', async () => {
  await stage.apply(...objects)
  const other = objects.slice(1)
  // The servers above have bound it before there was a Service; and afterwards:
  await stage.apply(
    service({
      name: 'web',
      type: 'NodePort',
      clusterIPs: ['10.96.0.1'],
      ports: [{ name: 't', port: 80, nodePort: 30081 }],
    }),
    ...other,
  )
  const bound = await stage.clients.run<string>(
    's = socket.socket(); s.bind(("192.168.78.1", 30081)); s.listen(); result = "bound"',
  )
  assert.equal(bound, 'bound')
  assert.deepEqual(await stage.reached('192.168.78.1', 30081), backends.IPv4)
  await stage.clients.run('s.close()')
})

test('[KP-1.6 KP-14.14] a NodePort of a Service without a ClusterIP of a family is not there in that family', async () => {
  await stage.apply(
    service({
      name: 'web',
      type: 'NodePort',
      clusterIPs: ['fd00:96::1'],
      ports: [{ name: 't', port: 80, nodePort: 30080 }],
    }),
    ...objects.slice(1),
  )
  assert.deepEqual(await stage.reached('fd00:78::1', 30080), backends.IPv6)
  assert.deepEqual(await stage.reached('192.168.78.1', 30080), self('192.168.78.1'))
})

test('[KP-5.1 KP-5.4 KP-5.5 KP-5.6] --nodeport-addresses: CIDRs name the addresses, also those that come and go; loopback stays out', async () => {
  await stage.apply(...objects)
  await stage.agent.stop()
  await stage.agent.start(['--nodeport-addresses', '192.168.79.0/24,fd00:79::/64,127.0.0.0/8,::1/128'])
  await assertNodePortsAt(secondary, [...primary, '127.0.0.1', '::1'])
  stage.host.addAddresses(['192.168.79.7/24'])
  await stage.agent.sync()
  assert.deepEqual(await stage.reached('192.168.79.7', 30080), backends.IPv4)
  stage.host.ip('addr del 192.168.79.7/24 dev lo')
  await stage.agent.sync()
  assert.doesNotMatch((await stage.kpng<string[]>('get', 'maps')).join('\n'), /192\.168\.79\.7/)

  await stage.agent.stop()
  await stage.agent.start(['--nodeport-addresses', '0.0.0.0/0,::/0'])
  await assertNodePortsAt([...primary, ...secondary], ['127.0.0.1', '::1'])

  await stage.agent.stop()
  await stage.agent.start(['--nodeport-addresses', 'primary'])
  await assertNodePortsAt(primary, [...secondary, '127.0.0.1', '::1'])
})
