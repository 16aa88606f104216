import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** Services that cannot be served, and those that can again. */
const pods = ['10.180.0.1', '10.180.0.2', 'fd00:180::1']

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

type Endpoints = NonNullable<Parameters<typeof endpointSlice>[0]['endpoints']>
const ports = [
  { name: 't', port: 80 },
  { name: 'u', port: 80, protocol: 'UDP' as const },
]
const web = (
  endpoints: Endpoints,
  spec: Record<string, unknown> = {},
  endpoints6: Endpoints = [],
): unknown[] => [
  service({ name: 'web', clusterIPs: ['10.96.4.1', 'fd00:96::41'], ports, spec }),
  ...[endpoints, endpoints6]
    .filter(list => list.length > 0)
    .map(list =>
      endpointSlice({
        service: 'web',
        ports: [
          { name: 't', port: 8080 },
          { name: 'u', port: 8080, protocol: 'UDP' },
        ],
        endpoints: list,
      }),
    ),
]

/** What every kind of socket is told, and how long the slowest took. */
async function told(): Promise<{ answers: string[]; slowest: number }> {
  const results = await stage.clients.run<[string, number][]>(
    `[timed(how, vip, 80) for vip in ["10.96.4.1", "fd00:96::41", "::ffff:10.96.4.1"]
       for how in [tcp, nonblocking, udp, udp_connected]]`,
  )
  return {
    answers: [...new Set(results.map(([answer]) => answer))],
    slowest: Math.max(...results.map(([, seconds]) => seconds)),
  }
}

const notReady = { ready: false, serving: false, terminating: false }
const elsewhere = { nodeName: 'node-b' }
for (const [name, error, objects] of [
  ['no endpoints', 'ECONNREFUSED', web([])],
  [
    'endpoints that are not ready',
    'ECONNREFUSED',
    web([{ address: '10.180.0.1', ...notReady }], {}, [{ address: 'fd00:180::1', ...notReady }]),
  ],
  [
    'endpoints that are not ready, policy Local',
    'ECONNREFUSED',
    web([{ address: '10.180.0.1', ...notReady }], { internalTrafficPolicy: 'Local' }),
  ],
  [
    'policy Local with endpoints on other nodes only',
    'EHOSTUNREACH',
    web([{ address: '10.180.0.1', ...elsewhere }], { internalTrafficPolicy: 'Local' }, [
      { address: 'fd00:180::1', ...elsewhere },
    ]),
  ],
] as const)
  test(`[KP-4.3 KP-4.4 KP-14.1 KPNG-D7 DP-9.8] ${name}: every kind of socket is told ${error} at once`, async () => {
    await stage.apply(...objects)
    const { answers, slowest } = await told()
    assert.deepEqual(answers, [error])
    // A packet that is sent and not answered costs a second or more.
    assert.ok(slowest < 0.9, `the slowest took ${slowest} s`)
  })

test('a Service that was refused is served as soon as it has an endpoint, also to sockets that were refused', async () => {
  await stage.apply(...web([]))
  const refused = await stage.clients.run(`
s = new_socket("10.96.4.1", DATAGRAM); t = new_socket("10.96.4.1", STREAM)
result = [ask(s, ("10.96.4.1", 80)), errno.errorcode[t.connect_ex(("10.96.4.1", 80))]]`)
  assert.deepEqual(refused, ['ECONNREFUSED', 'ECONNREFUSED'])
  await stage.apply(...web(['10.180.0.1']))
  assert.deepEqual(
    await stage.clients.run('[ask(s, ("10.96.4.1", 80)), t.connect_ex(("10.96.4.1", 80)), t.getpeername()]'),
    [['10.180.0.1:8080', '10.96.4.1', 80], 0, ['10.96.4.1', 80]],
  )
  await stage.clients.run('s.close(); t.close()')
})

test('[KPNG-D8] a client that loops while a Service goes to zero and back is served or refused, and nothing else', async () => {
  await stage.apply(...web(['10.180.0.1', '10.180.0.2']))
  await stage.clients.run(`
stop = False
seen = {how: [] for how in (tcp, udp, udp_connected)}
def loop():
    while not stop:
        for how, answers in seen.items():
            answer = how("10.96.4.1", 80)
            answer = answer if answer == "ECONNREFUSED" else "served" if answer.startswith("10.180.") else answer
            if answers[-1:] != [answer]: answers.append(answer)
thread = threading.Thread(target=loop, daemon=True); thread.start()`)
  for (let round = 0; round < 3; round++) {
    await sleep(100)
    await stage.apply(...web([]))
    await sleep(100)
    await stage.apply(...web(['10.180.0.2']))
  }
  await sleep(100)
  const seen = await stage.clients.run<string[][]>('stop = True; thread.join(); result = list(seen.values())')
  const expected = ['served', ...Array.from({ length: 3 }, () => ['ECONNREFUSED', 'served']).flat()]
  assert.deepEqual(seen, [expected, expected, expected])
})

test('[KP-4.0 KP-7.4] TCP connections of a backend that goes stay established, also when the Service goes', async () => {
  const echo = (endpoints: Endpoints): unknown[] => [
    service({ name: 'echo', clusterIPs: ['10.96.4.2'], ports: [{ port: 80 }] }),
    ...(endpoints.length > 0 ? [endpointSlice({ service: 'echo', ports: [{ port: 9090 }], endpoints })] : []),
  ]
  await stage.apply(...echo(['10.180.0.1']))
  await stage.clients.run(`
server = socket.create_server(("10.180.0.1", 9090))
client = socket.create_connection(("10.96.4.2", 80), 2)
accepted, _ = server.accept()
def both_ways():
    client.sendall(b"ping"); there = accepted.recv(10).decode(); accepted.sendall(b"pong")
    return [there, client.recv(10).decode(), client.getpeername()[0]]`)
  for (const objects of [echo(['10.180.0.2']), echo([]), []]) {
    await stage.apply(...objects)
    assert.deepEqual(await stage.clients.run('both_ways()'), ['ping', 'pong', '10.96.4.2'])
  }
  await stage.clients.run('[s.close() for s in (server, client, accepted)]')
})
