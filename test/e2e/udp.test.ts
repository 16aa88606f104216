import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** UDP sockets that do not connect, and IPv4 on IPv6 sockets. */
const pods = Array.from({ length: 8 }, (_, index) => `10.180.0.${index + 1}`)
const backend = (pod: string): string => `${pod}:8080`

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods: [...pods, 'fd00:180::1'] })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

/** A Service with a TCP and a UDP port 80. */
const both = (name: string, vip: string, endpoints: readonly string[]): unknown[] => [
  service({
    name,
    clusterIPs: [vip],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
    ],
  }),
  endpointSlice({
    service: name,
    ports: [
      { name: 't', port: 8080 },
      { name: 'u', port: 8080, protocol: 'UDP' },
    ],
    endpoints,
  }),
]

for (const [name, kind, vip] of [
  ['an IPv4 socket', 'AF_INET', '10.96.2.1'],
  ['an IPv6 socket with a mapped address', 'AF_INET6', '::ffff:10.96.2.1'],
] as const)
  test(`${name} that does not connect stays with its backend while others come and go, and moves when it goes`, async () => {
    await stage.apply(...both('stick', '10.96.2.1', pods.slice(0, 4)))
    const [first, source] = await stage.clients.run<[string, string]>(`
s = socket.socket(socket.${kind}, DATAGRAM)
s.settimeout(2)
vip = ("${vip}", 80)
result = ask(s, vip)[:2]
seen = set()
stop = False
def loop():
    while not stop:
        answer = ask(s, vip)
        seen.add(tuple(answer) if isinstance(answer, list) else answer)
thread = threading.Thread(target=loop)
thread.start()`)
    assert.equal(source, vip, 'the reply is from the Service')
    const own = pods.find(pod => backend(pod) === first)
    assert.ok(own !== undefined)
    for (let round = 0; round < 12; round++) {
      // Others of every kind: more, fewer, none, before and behind its own in the list.
      const others = pods.filter(
        (pod, index) => pod !== own && ((index + round) % 3 === 0 || round % 4 === 0),
      )
      await stage.apply(...both('stick', '10.96.2.1', [...others, own]))
    }
    const seen = await stage.clients.run<unknown[]>(
      'stop = True; thread.join(); result = sorted(map(list, seen))',
    )
    assert.deepEqual(seen, [[first, vip, 80]])

    const rest = pods.filter(pod => pod !== own)
    await stage.apply(...both('stick', '10.96.2.1', rest))
    const [second, from] = await stage.clients.run<[string, string]>('ask(s, vip)')
    assert.ok(rest.map(backend).includes(second))
    assert.equal(from, vip)
    assert.deepEqual(
      await stage.clients.run('sorted({ask(s, vip)[0] for _ in range(100)})'),
      [second],
      'and stays there',
    )
    await stage.clients.run('s.close()')
  })

test('[DP-9.16] two Services with two common backends: a socket has one for each, and replies are never mixed up', async () => {
  await stage.apply(...both('a', '10.96.2.2', pods.slice(0, 2)), ...both('b', '10.96.2.3', pods.slice(0, 2)))
  const wrong = await stage.clients.run<unknown[]>(`
result = []
for _ in range(40):
    with new_socket("10.96.2.2", DATAGRAM) as s:
        a, b = ("10.96.2.2", 80), ("10.96.2.3", 80)
        first = [ask(s, a), ask(s, b)]
        if first[0][0] == first[1][0]: result.append(first)
        # Both at once, then the replies: each names its own Service.
        for _ in range(3):
            s.sendto(b"q", a); s.sendto(b"q", b)
            replies = {(lambda r: (r[0].decode().strip(), *r[1]))(s.recvfrom(200)) for _ in range(2)}
            if replies != {tuple(first[0]), tuple(first[1])} or first[0][1:] != list(a) or first[1][1:] != list(b):
                result.append([first, sorted(replies)])
`)
  assert.deepEqual(wrong, [])
})

test('[DP-9.16] two Services with one common backend: replies belong to the one that the socket used last', async () => {
  await stage.apply(...both('a', '10.96.2.2', pods.slice(0, 1)), ...both('b', '10.96.2.3', pods.slice(0, 1)))
  const sources = await stage.clients.run<string[]>(`
with new_socket("10.96.2.2", DATAGRAM) as s:
    result = [ask(s, (vip, 80))[1] for vip in ["10.96.2.2", "10.96.2.3", "10.96.2.3", "10.96.2.2"]]`)
  assert.deepEqual(sources, ['10.96.2.2', '10.96.2.3', '10.96.2.3', '10.96.2.2'])
})

test('[DP-9.15] a reply that comes after the Service’s address became another’s does not show that address', async () => {
  // The pod answers when it is told to: its server is ours.
  const own = ['10.180.0.1', '10.180.0.2']
  const at = (name: string, pod: string): unknown[] => [
    service({ name, clusterIPs: ['10.96.2.4'], ports: [{ port: 80, protocol: 'UDP' }] }),
    endpointSlice({ service: name, ports: [{ port: 9090, protocol: 'UDP' }], endpoints: [pod] }),
  ]
  await stage.apply(...at('old', '10.180.0.1'))
  await stage.clients.run(`
pods = []
for address in ${JSON.stringify(own)}:
    pod = new_socket(address, DATAGRAM); pod.bind((address, 9090)); pods.append(pod)
s = new_socket("10.96.2.4", DATAGRAM)
s.sendto(b"q", ("10.96.2.4", 80))
_, client = pods[0].recvfrom(10)`)
  await stage.apply(...at('new', '10.180.0.2'))
  const late = await stage.clients.run<[string, number]>(
    'pods[0].sendto(b"late", client); result = s.recvfrom(10)[1]',
  )
  assert.deepEqual(late, ['10.180.0.1', 9090])
  const fresh = await stage.clients.run<[string, number]>(`
s.sendto(b"q", ("10.96.2.4", 80)); _, client = pods[1].recvfrom(10)
pods[1].sendto(b"a", client); result = s.recvfrom(10)[1]`)
  assert.deepEqual(fresh, ['10.96.2.4', 80])
  const stale = await stage.clients.run<[string, number]>(
    'pods[0].sendto(b"late", client); result = s.recvfrom(10)[1]',
  )
  assert.deepEqual(stale, ['10.180.0.1', 9090])
  await stage.clients.run('s.close(); [pod.close() for pod in pods]')
})

test('ids that were used before show no Service that a socket has not used', async () => {
  for (let round = 0; round < 5; round++) {
    await stage.apply(...both(`gone-${round}`, '10.96.2.5', pods.slice(0, 1)))
    await stage.clients.run(
      `s${round} = new_socket("10.96.2.5", DATAGRAM); ask(s${round}, ("10.96.2.5", 80))`,
    )
    // The pod goes on in a Service with another address, and its ids are free for it.
    await stage.apply(...both(`next-${round}`, '10.96.2.6', pods.slice(0, 1)))
  }
  const answers = await stage.clients.run<[string, string, number][]>(
    `[ask(s, ("10.180.0.1", 8080)) for s in [s0, s1, s2, s3, s4]]`,
  )
  for (const answer of answers) assert.deepEqual(answer, ['10.180.0.1:8080', '10.180.0.1', 8080])
})

test('[KPNG-D5 DP-9.11] an IPv4 Service on IPv6 sockets: connect, send, receive and getpeername show the mapped address', async () => {
  await stage.apply(...both('mapped', '10.96.2.7', pods.slice(0, 1)))
  const result = await stage.clients.run(`
vip = ("::ffff:10.96.2.7", 80)
def names(s): return [s.getpeername()[0], s.getpeername()[1]]
stream = new_socket("::", STREAM); stream.connect(vip)
connected = new_socket("::", DATAGRAM); connected.connect(vip)
loose = new_socket("::", DATAGRAM)
bound = new_socket("::", DATAGRAM); bound.bind(("::ffff:10.180.0.1", 0))
only = new_socket("::", DATAGRAM); only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
result = {"stream": [names(stream), stream.recv(100).decode().strip()], "connected": [names(connected), ask(connected)],
  "loose": ask(loose, vip), "bound": ask(bound, vip), "again": ask(loose, vip), "only": ask(only, vip)}
`)
  const shown = ['::ffff:10.96.2.7', 80]
  const answer = ['10.180.0.1:8080', ...shown]
  assert.deepEqual(result, {
    stream: [shown, '10.180.0.1:8080'],
    connected: [shown, answer],
    loose: answer,
    bound: answer,
    again: answer,
    only: 'ENETUNREACH',
  })
})

test('Node’s own sockets show the Service: TCP, UDP and mapped UDP', async () => {
  await stage.apply(...both('node', '10.96.2.8', pods.slice(0, 1)))
  const program = `
const dgram = require('node:dgram'), net = require('node:net')
const ask = (type, address) => new Promise((resolve, reject) => {
  const s = dgram.createSocket(type).on('error', reject)
  s.on('message', (text, from) => { s.close(); resolve([String(text).trim(), from.address, from.port]) }).send('q', 80, address)
})
const tcp = () => new Promise((resolve, reject) => {
  const s = net.connect(80, '10.96.2.8').on('error', reject)
  s.on('connect', () => s.once('data', text => resolve([String(text).trim(), s.remoteAddress, s.remotePort])))
})
Promise.all([tcp(), ask('udp4', '10.96.2.8'), ask('udp6', '::ffff:10.96.2.8')]).then(all => console.log(JSON.stringify(all)))`
  const result = await stage.host.run([process.execPath, '-e', program])
  assert.equal(result.stderr, '')
  assert.deepEqual(JSON.parse(result.stdout), [
    ['10.180.0.1:8080', '10.96.2.8', 80],
    ['10.180.0.1:8080', '10.96.2.8', 80],
    ['10.180.0.1:8080', '::ffff:10.96.2.8', 80],
  ])
})
