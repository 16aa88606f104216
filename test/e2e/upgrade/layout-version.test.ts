import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { endpointSlice, service } from '../manifests.ts'
import { Hammer } from '../never-failed/hammer.ts'
import { Stage } from '../stage.ts'
import { asVersion } from './as-version.ts'

/**
 * Versions of two values of LAYOUT_VERSION take over from each other: the fields of the maps keep their names and places
 * but mean something else, so nobody's ids are known any more.
 */
const vip = '10.96.22.1'
const sticky = '10.96.22.2'
const pods = ['10.187.0.1', '10.187.0.2', '10.187.0.3', '10.187.0.4']
const affinePorts = Array.from({ length: 16 }, (_, n) => ({ name: `p${n}`, port: 100 + n }))
const objects = [
  service({
    name: 'web',
    clusterIPs: [vip],
    ports: [
      { name: 't', port: 80 },
      { name: 'u', port: 80, protocol: 'UDP' },
      { name: 'load', port: 81 },
    ],
  }),
  endpointSlice({
    service: 'web',
    ports: [
      { name: 't', port: 8080 },
      { name: 'u', port: 8080, protocol: 'UDP' },
      { name: 'load', port: 8081 },
    ],
    endpoints: pods,
  }),
  service({
    name: 'sticky',
    clusterIPs: [sticky],
    ports: affinePorts,
    spec: { sessionAffinity: 'ClientIP' },
  }),
  endpointSlice({
    service: 'sticky',
    ports: affinePorts.map(port => ({ ...port, port: 8080 })),
    endpoints: pods,
  }),
]
const none = { connections: 0, datagrams: 0, refused: 0, unreachable: 0 }

const hammerOn = (stage: Stage): Promise<Hammer> =>
  Hammer.start(
    stage.host,
    pods.map(address => ({ address, port: 8081 })),
    [{ address: vip, port: 81 }],
    2000,
  )

/** The backends of a client with affinity, by port. */
const affine = (stage: Stage): Promise<readonly string[]> =>
  stage.clients.run(`[tcp("${sticky}", 100 + n) for n in range(${affinePorts.length})]`)

/** A stream, a connected and an unconnected datagram socket; a connection that is refused. */
const openSockets = `
def opened():
    s, u, l = [new_socket("${vip}", kind) for kind in (STREAM, DATAGRAM, DATAGRAM)]
    s.connect(("${vip}", 80))
    u.connect(("${vip}", 80))
    return s, u, l, ask(u), ask(l, ("${vip}", 80))
s, u, l, by_u, by_l = opened()
result = tcp("${vip}", 82)`

/** Open connections to each port of the first Service. */
async function open(stage: Stage): Promise<Record<string, number>> {
  const sums: Record<string, number> = { t: 0, u: 0 }
  for (const [name, counts] of Object.entries(await stage.backendCounts())) {
    const port = /^default\/web:([tu]) /.exec(name)?.[1]
    if (port !== undefined) sums[port] = (sums[port] ?? 0) + counts.open
  }
  return sums
}

async function reasons(stage: Stage): Promise<unknown> {
  return ((await stage.agent.status()).datapath as { reasons: unknown }).reasons
}

for (const [from, to] of [
  ['reinterpreted', 'current'],
  ['current', 'reinterpreted'],
] as const)
  test(`a ${to} agent takes over from a ${from} one: no connection fails, and what goes by ids begins anew`, async t => {
    const around = (version: typeof from | typeof to): string[] =>
      version === 'current' ? [] : asVersion(version)
    await using stage = await Stage.up({ pods, around: around(from) })
    const { agent, clients } = stage
    await stage.apply(...objects)
    await using hammer = await hammerOn(stage)
    assert.equal(await clients.run(openSockets), 'ECONNREFUSED')
    const before = await affine(stage)
    await agent.stop('SIGKILL')
    agent.around = around(to)
    await agent.start()
    assert.match(agent.log, /no ids are taken over/)

    // Sockets: names stay, a connected datagram socket is ended as if its backend had gone, the others pick anew.
    assert.deepEqual(await clients.run('s.getpeername()'), [vip, 80])
    const error = 'errno.errorcode[u.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]'
    assert.equal(await clients.run(error), 'ECONNABORTED')
    const again = `[u.connect(("${vip}", 80)), ask(u)][1][1:]`
    assert.deepEqual(await clients.run(again), [vip, 80])
    assert.deepEqual(await clients.run(`ask(l, ("${vip}", 80))[1:]`), [vip, 80])
    const after = await affine(stage)
    assert.notDeepEqual(after, before, 'affinity is forgotten')
    assert.deepEqual(await affine(stage), after, 'and kept from now on')
    // What does not go by ids.
    assert.deepEqual(await reasons(stage), { UNKNOWN_PORT: 1 })
    if (to === 'current') {
      assert.deepEqual((await stage.counts())['web:t'], none)
      assert.deepEqual((await stage.counts())['web:u'], { ...none, connections: 1, datagrams: 1 })
      assert.deepEqual(await open(stage), { t: 0, u: 1 }, 'those of before are nobody’s')
      await clients.run('[other := new_socket("10.96.22.1", STREAM), other.connect(("10.96.22.1", 80))][1]')
      await clients.run('[one.close() for one in (s, u, l)]')
      assert.deepEqual(await open(stage), { t: 1, u: 0 }, 'and their end is, too')
    }
    const result = await hammer.finish()
    t.diagnostic(`${result.connects} connects, the slowest took ${result.slowestMs} ms`)
    assert.deepEqual(result.failed, {})
    assert.deepEqual([result.arrived.reduce((sum, count) => sum + count, 0)], result.made)
    assert.deepEqual((await agent.status()).problems, [])
  })

test('an agent of another layout that ends before its programs are in place costs the one that comes back nothing', async t => {
  await using stage = await Stage.up({ pods })
  const { agent, clients } = stage
  await stage.apply(...objects)
  await using hammer = await hammerOn(stage)
  await clients.run(openSockets)
  const before = await affine(stage)
  await agent.stop('SIGKILL')
  const preload = `--import ${join(import.meta.dirname, 'die-at-main.ts')}`
  for (const point of ['6:12', '26:2', '29:1']) {
    agent.around = ['env', `NODE_OPTIONS=${preload}`, `KPNG_DIE_AT=${point}`, ...asVersion('reinterpreted')]
    agent.spawn()
    await agent.ended()
  }
  assert.deepEqual(await affine(stage), before, 'the old programs serve')
  agent.around = []
  await agent.start()
  assert.deepEqual(await affine(stage), before)
  assert.deepEqual(
    await clients.run('[s.getpeername()[:2], ask(u) == by_u, ask(l, ("10.96.22.1", 80)) == by_l]'),
    [[vip, 80], true, true],
  )
  assert.deepEqual(await open(stage), { t: 1, u: 1 })
  assert.deepEqual(await reasons(stage), { UNKNOWN_PORT: 1 })
  const result = await hammer.finish()
  t.diagnostic(`${result.connects} connects, the slowest took ${result.slowestMs} ms`)
  assert.deepEqual(result.failed, {})
  assert.equal((await stage.counts())['web:load']?.connections, result.connects, 'each was counted once')
  await clients.run('[one.close() for one in (s, u, l)]')
  assert.deepEqual(await open(stage), { t: 0, u: 0 })
})
