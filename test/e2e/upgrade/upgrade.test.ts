import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { VersionName } from '../../../backends/ebpf/bpf/testing/versions.ts'
import { endpointSlice, service } from '../manifests.ts'
import { type Address, Hammer } from '../never-failed/hammer.ts'
import { Stage } from '../stage.ts'
import { asVersion } from './as-version.ts'

const ratePerSecond = 2000
const affinePorts = Array.from({ length: 16 }, (_, index) => index)
const numbers = [0, 1, 2, 3, 4, 5]
const vips = (of: number): string[] => [`10.96.20.${of + 1}`, `fd00:96::20:${of + 1}`]
const pods = (of: number): string[] => [
  ...[1, 2].map(pod => `10.188.${of}.${pod}`),
  ...[1, 2].map(pod => `fd00:188:${of}::${pod}`),
]
const isIPv6 = (address: string): boolean => address.includes(':')

const objects = [
  ...numbers.flatMap(of => [
    service({
      name: `s${of}`,
      clusterIPs: vips(of),
      ports: [
        { name: 't', port: 80 },
        { name: 'u', port: 80, protocol: 'UDP' },
        { name: 'load', port: 81 },
      ],
    }),
    ...[false, true].map(wanted =>
      endpointSlice({
        service: `s${of}`,
        ports: [
          { name: 't', port: 8080 },
          { name: 'u', port: 8080, protocol: 'UDP' },
          { name: 'load', port: 8081 },
        ],
        endpoints: pods(of).filter(pod => isIPv6(pod) === wanted),
      }),
    ),
  ]),
  service({
    name: 'sticky',
    clusterIPs: ['10.96.20.100'],
    ports: affinePorts.map(port => ({ name: `p${port}`, port: 100 + port })),
    spec: {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 3600 } },
    },
  }),
  endpointSlice({
    service: 'sticky',
    ports: affinePorts.map(port => ({ name: `p${port}`, port: 8080 })),
    endpoints: numbers.map(of => `10.188.${of}.1`),
  }),
]

/** Ids of service ports and of memberships: what sockets and clients remember. */
const ids = (maps: string): string[] =>
  [...new Set(maps.match(/#\d+ \S+:\d+|^service \d+ -> \S+/gm))].map(id => id.replace(/,$/, '')).sort()

const size = (value: number): string[] =>
  ['--max-service-ports', '--max-frontends', '--max-endpoints'].flatMap(option => [option, `${value}`])

const agents: ReadonlyArray<readonly [VersionName | 'current', readonly string[]]> = [
  ['current', size(128)],
  ['newer', size(128)],
  ['current', size(128)],
  ['current', size(512)],
  ['newer', size(1024)],
  ['older', size(256)],
]

test('agents of other versions and sizes take over from each other: no connection fails, and every socket stays with its Service', async t => {
  const loadListeners = numbers.flatMap(of => pods(of).map(address => ({ address, port: 8081 })))
  const loadTargets: Address[] = numbers.flatMap(of => vips(of).map(address => ({ address, port: 81 })))
  const around = asVersion('older')
  await using stage = await Stage.up({ pods: numbers.flatMap(pods), options: size(128), around })
  const { agent, clients } = stage
  await stage.apply(...objects)
  const before = ids(await agent.maps())
  assert.ok(before.length > 40, before.join('\n'))
  await using hammer = await Hammer.start(stage.host, loadListeners, loadTargets, ratePerSecond)

  await clients.run(readFileSync(join(import.meta.dirname, 'living.py'), 'utf8'))
  await clients.run('result = watcher.start()')
  const all = JSON.stringify(numbers.map(of => vips(of)[0]))
  const ask = (): Promise<readonly string[]> =>
    clients.run(`[tcp("10.96.20.100", 100 + n) for n in range(${affinePorts.length})]`)
  const open = (): Promise<void> =>
    clients.run(`living.append(Living(${JSON.stringify(vips(0))}, ${all})); result = None`)
  await open()
  const affine = await ask()
  assert.ok(new Set(affine).size > 1)

  for (const [life, [version, options]] of agents.entries()) {
    const what = `${version} ${options.at(-1)}`
    await agent.stop(life % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    agent.around = version === 'current' ? [] : asVersion(version)
    await agent.start(options)
    assert.deepEqual(await clients.run('looked()'), [], what)
    assert.deepEqual(await ask(), affine, `${what}: affinity`)
    assert.deepEqual(ids(await agent.maps()), before, `${what}: ids`)
    await open()
    assert.deepEqual(await openCounts(stage), { t: 3 * (life + 2), u: 3 * (life + 2) }, what)
  }
  const { problems, datapath } = await agent.status()
  assert.deepEqual(problems, [])
  assert.deepEqual((datapath as { reasons: object }).reasons, {}, 'no record was of an unknown version')
  const rounds = await clients.run<number>('end()')
  assert.deepEqual(await openCounts(stage), { t: 0, u: 0 })
  const result = await hammer.finish()
  t.diagnostic(
    `${agents.length} switches; ${result.connects} connects, ${result.perSecond} a second, the slowest took ` +
      `${result.slowestMs} ms; living sockets were asked ${rounds} times`,
  )
  assert.deepEqual(result.failed, {})
  const each = pods(0).length / 2
  const sums = Array.from({ length: result.arrived.length / each }, (_, group) =>
    result.arrived.slice(group * each, (group + 1) * each).reduce((sum, count) => sum + count, 0),
  )
  assert.deepEqual(sums, result.made, 'each reached a backend of its Service')
  assert.deepEqual(
    await loadCounts(stage),
    numbers.map(of => (result.made[2 * of] ?? 0) + (result.made[2 * of + 1] ?? 0)),
    'each was counted once for its service port, over all switches',
  )
})

/** Connections to the port `load`, by Service. */
async function loadCounts(stage: Stage): Promise<number[]> {
  const counts = await stage.counts()
  return numbers.map(of => counts[`s${of}:load`]?.connections ?? 0)
}

/** Open connections of the first Service, by port name. */
async function openCounts(stage: Stage): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const [name, { open }] of Object.entries(await stage.backendCounts())) {
    const port = /^default\/s0:([tu]) /.exec(name)?.[1]
    if (port !== undefined) sums[port] = (sums[port] ?? 0) + open
  }
  return sums
}

for (const version of ['foreign', 'next'] as const)
  test(`an agent that finds the records of version ${version} says so and ends; what runs goes on`, async () => {
    await using stage = await Stage.up({ pods: pods(0), around: asVersion(version) })
    const { agent } = stage
    await stage.apply(...objects.slice(0, 3))
    await stage.clients.run('s = new_socket("10.96.20.1", STREAM); s.connect(("10.96.20.1", 80)); result = 1')
    await agent.stop('SIGKILL')
    agent.around = []
    agent.spawn()
    assert.equal(await agent.ended(), 1)
    assert.match(agent.log, /are recorded in .*kpng cleanup --instance/)
    assert.deepEqual(await stage.clients.run('s.getpeername()'), ['10.96.20.1', 80])
    assert.match(await stage.clients.run('tcp("10.96.20.1", 80)'), /^10\.188\.0\.\d:8080$/)
  })

test('connections whose records cannot be read any more are open until they end', async () => {
  // The maps are of this version: those of a later one are refused.
  await using stage = await Stage.up({ pods: pods(0) })
  const { agent, clients } = stage
  await stage.apply(...objects.slice(0, 3))
  const connect = (name: string): Promise<unknown> =>
    clients.run(`
${name} = [new_socket("10.96.20.1", kind) for kind in (STREAM, DATAGRAM)]
result = [one.connect(("10.96.20.1", 80)) for one in ${name}]`)
  const become = async (...around: string[]): Promise<void> => {
    await agent.stop('SIGKILL')
    agent.around = around
    await agent.start()
  }
  await become(...asVersion('next'))
  await connect('old')
  await become(...asVersion('prepared'))
  await become()
  await connect('young')
  assert.deepEqual(await openCounts(stage), { t: 2, u: 2 })
  await clients.run('[one.close() for one in old]')
  assert.deepEqual(await openCounts(stage), { t: 1, u: 1 })
  await clients.run('[one.close() for one in young]')
  assert.deepEqual(await openCounts(stage), { t: 0, u: 0 })
  const { reasons } = (await agent.status()).datapath as { reasons: Record<string, number> }
  assert.deepEqual(reasons, { RECORD_UNKNOWN: 2 })
})
