import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kpngOk } from './lab.ts'
import { startLoad } from './load.ts'
import { endpointSlice, service, serviceCIDR } from './manifests.ts'
import { type Random, randomFrom, seedOfRun } from './random.ts'
import { Stage } from './stage.ts'

const stablePods = ['10.180.0.1', '10.180.0.2']
const stable = [
  service({ name: 'stable', clusterIPs: ['10.96.9.1'], ports: [{ port: 80 }] }),
  endpointSlice({ service: 'stable', ports: [{ port: 8080 }], endpoints: stablePods }),
]

const pick = <T>(random: Random, list: readonly T[]): T[] => list.filter(() => random(2) === 0)

/** Some of twelve Services, each with whatever a Service can have, at addresses that they take from one another. */
function randomObjects(random: Random): unknown[] {
  const numbers = Array.from({ length: 12 }, (_, index) => index)
  const vips = numbers.map(n => n + 10).sort(() => random(3) - 1)
  const nodePorts = numbers.map(n => 30900 + n).sort(() => random(3) - 1)
  return pick(random, numbers).flatMap(n => {
    const families = random(3)
    const clusterIPs = [
      ...(families !== 1 ? [`10.96.9.${vips[n]}`] : []),
      ...(families !== 0 ? [`fd00:96::9:${vips[n]}`] : []),
    ]
    const protocol = random(2) === 0 ? 'TCP' : 'UDP'
    const ports = [
      { name: 'a', port: 80, protocol, ...(random(3) === 0 ? { nodePort: nodePorts[n] ?? 0 } : {}) },
      ...(random(2) === 0 ? [{ name: 'b', port: 81 }] : []),
    ] as const
    const pods = Array.from({ length: 10 }, (_, index) => index + 1)
    const slice = (name: string, prefix: string): unknown =>
      endpointSlice({
        service: `s${n}`,
        name: `s${n}-${name}`,
        ports: [
          { name: 'a', protocol, port: 8000 + random(2) },
          { name: 'b', port: 8100 },
        ],
        endpoints: pick(random, pods).map(pod => ({
          address: `${prefix}${pod}`,
          nodeName: random(2) === 0 ? 'node-a' : 'node-b',
          ready: random(4) !== 0,
          serving: true,
          terminating: random(2) === 0,
        })),
      })
    return [
      service({
        name: `s${n}`,
        type: random(2) === 0 ? 'NodePort' : 'ClusterIP',
        clusterIPs,
        ports: [...ports],
        spec: {
          sessionAffinity: random(3) === 0 ? 'ClientIP' : 'None',
          internalTrafficPolicy: random(3) === 0 ? 'Local' : 'Cluster',
          externalIPs: random(4) === 0 ? [`192.0.2.${vips[n]}`] : [],
        },
      }),
      slice('1', '10.181.0.'),
      slice('2', '10.181.1.'),
      { ...(slice('6', 'fd00:181::') as object), addressType: 'IPv6' },
    ]
  })
}

/** What the maps mean: frontends with the backends of their lists, without the numbers that an agent chooses. */
async function meaning(instance: string): Promise<readonly string[]> {
  const lines = (await kpngOk(['get', 'maps', '--instance', instance])).trim().split('\n')
  const lists = new Map<string, string>()
  const described: string[] = []
  for (const line of lines) {
    const list = /^list (\d+) -> (?:base \d+ )?(.*)$/.exec(line)
    if (list !== null) {
      const [, number = '', content = ''] = list
      const members = content.replaceAll(/#\d+ /g, '').replace(/^count \d+: /, '')
      const text = members.split(', ').sort().join(', ')
      lists.set(number, text)
      described.push(`list of ${text}`)
    } else described.push(line.replace(/^service \d+/, 'service'))
  }
  return described
    .map(line => line.replace(/-> list (\d+)/, (_, number: string) => `-> ${lists.get(number)}`))
    .sort()
}

test('[KP-6.5 KPNG-C7 DP-9.23] kill -9 at random moments of a storm of changes: a stable Service fails nobody, and the maps end as of a fresh agent', async t => {
  const seed = seedOfRun()
  t.diagnostic(`KPNG_SEED=${seed}`)
  const random = randomFrom(seed)
  await using stage = await Stage.up({ pods: stablePods })
  const common = [serviceCIDR('10.96.0.0/16', 'fd00:96::/112'), ...stable]
  await stage.apply(...common)
  await using load = await startLoad(stage.host, '10.96.9.1', 80, 1500)
  for (let round = 0; round < 6; round++) {
    const writes = 1 + random(12)
    for (let write = 0; write < writes; write++) {
      stage.write(...common, ...randomObjects(random))
      await sleep(random(60))
    }
    await stage.agent.stop('SIGKILL')
    stage.write(...common, ...randomObjects(random))
    stage.agent.spawn()
    // Some die before they have read anything, some in the middle of it.
    if (random(2) === 0) await stage.agent.sync()
    else await sleep(300 + random(1200))
  }
  await stage.agent.stop('SIGKILL')
  await stage.agent.start()
  const last = [...common, ...randomObjects(random)]
  const { problems } = await stage.tryApply(...last)
  const { ok, failed } = await load.finish()
  assert.deepEqual(failed, {}, `KPNG_SEED=${seed}`)
  assert.ok(ok > 1000, `only ${ok} connections were made`)

  const inner = join(stage.host.cgroup, 'inner')
  mkdirSync(inner)
  const fresh = stage.host.agent('-fresh', inner)
  fresh.write([stage.node, ...last])
  await fresh.start()
  assert.deepEqual((await fresh.sync()).problems, problems, `KPNG_SEED=${seed}`)
  const isName = (line: string): boolean => line.startsWith('service ')
  const [expected, actual] = [await meaning(fresh.instance), await meaning(stage.agent.instance)]
  assert.deepEqual(
    actual.filter(line => !isName(line)),
    expected.filter(line => !isName(line)),
    `KPNG_SEED=${seed}`,
  )
  // Ids of what has gone keep their names until nothing refers to them any more; nobody has two.
  const names = actual.filter(isName)
  assert.equal(new Set(names).size, names.length, names.join('\n'))
  assert.deepEqual(
    expected.filter(line => isName(line) && !names.includes(line)),
    [],
    `KPNG_SEED=${seed}`,
  )
})
