import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Clients } from './clients.ts'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** Counters per service port and per backend, as `kpng get` shows them. Each test has a Service of its own. */
const pods = ['10.180.0.1', '10.180.0.2'] as const

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

const web = (name: string, vip: string, endpoints: readonly string[], spec = {}): unknown[] => [
  service({
    name,
    clusterIPs: [vip],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
    ],
    spec,
  }),
  ...(endpoints.length === 0
    ? []
    : [
        endpointSlice({
          service: name,
          ports: [
            { name: 't', port: 8080 },
            { name: 'u', port: 8080, protocol: 'UDP' },
          ],
          endpoints: endpoints.map(address => ({ address, nodeName: 'node-b' })),
        }),
      ]),
]

const none = { connections: 0, datagrams: 0, refused: 0, unreachable: 0 }

test('connections, datagrams and refusals are counted exactly, each for its service port and its backend', async () => {
  await stage.apply(...web('busy', '10.96.7.1', pods), ...web('idle', '10.96.7.2', pods))
  await using other = Clients.on(stage.host)
  // Two processes at once, so on two CPUs.
  const work = `
connections = tally(tcp, 300, "10.96.7.1", 80)
loose = {}
for _ in range(40):
    with new_socket("10.96.7.1", DATAGRAM) as s:
        for _ in range(5):
            answer = ask(s, ("10.96.7.1", 80))[0]; loose[answer] = loose.get(answer, 0) + 1
connected = tally(udp_connected, 50, "10.96.7.1", 80)
result = [connections, loose, connected]`
  type Tally = Record<string, number>
  const results = await Promise.all([
    stage.clients.run<[Tally, Tally, Tally]>(work),
    other.run<[Tally, Tally, Tally]>(work),
  ])
  const sum = (index: 0 | 1 | 2, pod: string): number =>
    results.reduce((total, result) => total + (result[index][`${pod}:8080`] ?? 0), 0)
  const counts = await stage.counts()
  assert.deepEqual(counts['busy:t'], { ...none, connections: 600 })
  // A UDP socket that connects is a connection; what it sends then needs no decision.
  assert.deepEqual(counts['busy:u'], { ...none, connections: 100, datagrams: 400 })
  assert.deepEqual([counts['idle:t'], counts['idle:u']], [none, none])
  const backends = await stage.backendCounts()
  for (const pod of pods) {
    const { connections, open } = backends[`default/busy:t ${pod}:8080`] ?? {}
    assert.deepEqual([connections, open], [sum(0, pod), 0], pod)
    const udp = backends[`default/busy:u ${pod}:8080`]
    assert.deepEqual(
      [udp?.connections, udp?.datagrams, udp?.open],
      [sum(2, pod), sum(1, pod), 0],
      `UDP of ${pod}`,
    )
    assert.equal(backends[`default/idle:t ${pod}:8080`]?.connections, 0)
  }
})

test('refused and unreachable are counted for the service port', async () => {
  await stage.apply(
    ...web('empty', '10.96.7.3', []),
    ...web('remote', '10.96.7.4', pods, { internalTrafficPolicy: 'Local' }),
  )
  await stage.clients.run(`
for vip in ("10.96.7.3", "10.96.7.4"):
    tally(tcp, 7, vip, 80); tally(nonblocking, 2, vip, 80); tally(udp, 3, vip, 80); tally(udp_connected, 4, vip, 80)`)
  const counts = await stage.counts()
  assert.deepEqual(counts['empty:t'], { ...none, refused: 9 })
  assert.deepEqual(counts['empty:u'], { ...none, refused: 7 })
  assert.deepEqual(counts['remote:t'], { ...none, unreachable: 9 })
  assert.deepEqual(counts['remote:u'], { ...none, unreachable: 7 })
})

test('open is the number of sockets that are connected now: after close(), after kill -9, over a restart of the agent', async () => {
  await stage.apply(...web('open', '10.96.7.5', [pods[0]]))
  const open = async (): Promise<number[]> => {
    const backends = await stage.backendCounts()
    return ['t', 'u'].map(port => backends[`default/open:${port} ${pods[0]}:8080`]?.open ?? -1)
  }
  await using other = Clients.on(stage.host)
  const hold = `
def connect(kind):
    s = new_socket("10.96.7.5", kind); s.connect(("10.96.7.5", 80)); return s
held = [connect(STREAM) for _ in range(8)]
datagrams = [connect(DATAGRAM) for _ in range(5)]`
  await stage.clients.run(hold)
  await other.run(hold)
  assert.deepEqual(await open(), [16, 10])
  await stage.clients.run('[s.close() for s in held[:3]]; datagrams.pop().close()')
  assert.deepEqual(await open(), [13, 9])
  await other.kill()
  const deadline = performance.now() + 2000
  while ((await open())[0] !== 5 && performance.now() < deadline) await sleep(20)
  assert.deepEqual(await open(), [5, 4])
  await stage.agent.stop('SIGKILL')
  await stage.clients.run('held.pop().close()')
  await stage.agent.start()
  assert.deepEqual(await open(), [4, 4])
  await stage.clients.run('[s.close() for s in held + datagrams]')
  assert.deepEqual(await open(), [0, 0])
})

test('counters of a service port go on through changes of its endpoints, and begin at 0 for a new one', async () => {
  await stage.apply(...web('same', '10.96.7.6', [pods[0]]))
  await stage.tally('10.96.7.6', 80, 5)
  await stage.apply(...web('same', '10.96.7.6', pods))
  await stage.tally('10.96.7.6', 80, 5)
  assert.deepEqual((await stage.counts())['same:t'], { ...none, connections: 10 })
  await stage.apply()
  await stage.apply(...web('another', '10.96.7.6', pods))
  assert.deepEqual((await stage.counts())['another:t'], none)
  for (const [name, counts] of Object.entries(await stage.backendCounts()))
    assert.deepEqual([counts.connections, counts.datagrams, counts.open], [0, 0, 0], name)
})

test('an id that was of another service port before begins with its counters at 0', async () => {
  // All ids there are: each life has those of the one before, as soon as nobody remembers them.
  const all = Array.from({ length: 15 }, (_, n) => ({ name: `p${n}`, port: 80 + n }))
  await stage.agent.stop()
  stage.write()
  await stage.agent.start(['--max-service-ports', '16'])
  for (const name of ['first', 'second']) {
    const ports = all.map(port => ({ ...port, port: 8080 }))
    const objects = [
      service({ name, clusterIPs: ['10.96.7.7'], ports: all }),
      endpointSlice({ service: name, ports, endpoints: [pods[0]] }),
    ]
    const deadline = performance.now() + 10_000
    while ((await stage.tryApply(...objects)).problems.length > 0 && performance.now() < deadline)
      await sleep(100)
    assert.deepEqual((await stage.counts())[`${name}:p0`], none, name)
    for (const { port } of all) await stage.tally('10.96.7.7', port, 5)
    assert.deepEqual((await stage.counts())[`${name}:p0`], { ...none, connections: 5 }, name)
  }
})
