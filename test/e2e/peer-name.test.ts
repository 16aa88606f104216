import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** What a socket is told of its peer: the address that it asked for, of whatever kind. */
const ports = [
  { name: 't', port: 80, nodePort: 30080 },
  { name: 'u', port: 80, nodePort: 30080, protocol: 'UDP' as const },
]

let stage: Stage
beforeEach(async () => {
  if (stage !== undefined) return
  stage = await Stage.up({ pods: ['10.180.0.1', 'fd00:180::1'] })
  await stage.apply(
    service({
      name: 'web',
      type: 'LoadBalancer',
      clusterIPs: ['10.96.11.1', 'fd00:96::111'],
      ports,
      spec: { externalIPs: ['192.0.2.11', '2001:db8::11'] },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.12' }, { ip: '2001:db8::12' }] } },
    }),
    ...['10.180.0.1', 'fd00:180::1'].map(pod =>
      endpointSlice({
        service: 'web',
        ports: [
          { name: 't', port: 8080 },
          { name: 'u', port: 8080, protocol: 'UDP' },
        ],
        endpoints: [pod],
      }),
    ),
  )
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

for (const [name, address, port] of [
  ['ClusterIP', '10.96.11.1', 80],
  ['ClusterIP, mapped', '::ffff:10.96.11.1', 80],
  ['ClusterIP, IPv6', 'fd00:96::111', 80],
  ['external IP', '192.0.2.11', 80],
  ['external IP, IPv6', '2001:db8::11', 80],
  ['LoadBalancer address', '192.0.2.12', 80],
  ['LoadBalancer address, IPv6', '2001:db8::12', 80],
  ['NodePort', '192.168.78.1', 30080],
  ['NodePort, mapped', '::ffff:192.168.78.1', 30080],
  ['NodePort, IPv6', 'fd00:78::1', 30080],
] as const)
  test(`[KPNG-D4] ${name}: getpeername and the source of replies are the address that was asked, TCP and UDP`, async () => {
    const names = await stage.clients.run<unknown[]>(`
vip = ("${address}", ${port})
stream = new_socket(vip[0], STREAM); stream.connect(vip)
connected = new_socket(vip[0], DATAGRAM); connected.connect(vip)
loose = new_socket(vip[0], DATAGRAM)
result = [stream.getpeername()[:2], connected.getpeername()[:2], ask(connected)[1:], ask(loose, vip)[1:]]
[s.close() for s in (stream, connected, loose)]`)
    assert.deepEqual(
      names,
      [0, 1, 2, 3].map(() => [address, port]),
    )
  })

test('two threads on one socket with two Services: each keeps its backend, and each reply its Service', async () => {
  const two = ['a', 'b'].flatMap((name, index) => [
    service({ name, clusterIPs: [`10.96.11.${20 + index}`], ports: [{ port: 53, protocol: 'UDP' }] }),
    endpointSlice({
      service: name,
      ports: [{ port: 9001 + index, protocol: 'UDP' }],
      endpoints: ['10.180.0.1'],
    }),
  ])
  await stage.apply(...two)
  await stage.host.listen([9001, 9002].map(port => ({ address: '10.180.0.1', port, protocol: 'udp' })))
  const seen = await stage.clients.run<unknown[]>(`
s = new_socket("10.96.11.20", DATAGRAM)
def send(vip):
    for _ in range(200): s.sendto(b"q", (vip, 53)); time.sleep(0.0005)
threads = [threading.Thread(target=send, args=(vip,)) for vip in ("10.96.11.20", "10.96.11.21")]
[t.start() for t in threads]
seen = {}
for _ in range(400):
    data, source = s.recvfrom(100)
    key = (source[0], data.decode().strip()); seen[key] = seen.get(key, 0) + 1
[t.join() for t in threads]
result = sorted([*key, n] for key, n in seen.items())`)
  assert.deepEqual(seen, [
    ['10.96.11.20', '10.180.0.1:9001', 200],
    ['10.96.11.21', '10.180.0.1:9002', 200],
  ])
})
