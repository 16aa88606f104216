import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from './agent.ts'
import { endpointSlice, node, service } from './manifests.ts'

const backend = '10.180.0.1'
const numbered = (number: number): unknown[] => [
  service({ name: `s${number}`, clusterIPs: [`10.96.0.${number}`], ports: [{ port: 80 }] }),
  endpointSlice({ service: `s${number}`, ports: [{ port: 8080 }], endpoints: [backend] }),
]
const cluster = (numbers: readonly number[]): unknown[] => [
  node('node-a', ['192.168.78.1']),
  ...numbers.flatMap(numbered),
]
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i)

const reachable = async (host: TestHost, numbers: readonly number[]): Promise<number[]> =>
  await host.python<number[]>(
    `
import json, socket, sys
served = []
for number in json.loads(sys.argv[1]):
    try:
        socket.create_connection((f"10.96.0.{number}", 80), 1).close()
        served.append(number)
    except OSError:
        pass
print(json.dumps(served))
`,
    JSON.stringify(numbers),
  )

for (const [what, option, room] of [
  ['service ports', '--max-service-ports', 16],
  ['frontends', '--max-frontends', 16],
] as const) {
  test(`[KPNG-C16 DP-9.22] too many ${what}: what fits is served, the rest is reported and heals when room appears`, async () => {
    await using host = new TestHost()
    host.ip(`addr add ${backend}/32 dev lo`)
    await host.listen([{ address: backend, port: 8080 }])
    const agent = host.agent()
    const many = range(1, room + 4)
    agent.write(cluster(many))
    await agent.start([option, `${room}`])
    const answer = await agent.sync()
    const served = await reachable(host, many)
    // An id or an index may be set aside, so up to one less than the room is right; none is not.
    assert.ok(
      served.length <= room && served.length >= room - 1,
      `${served.length} of ${many.length} are served`,
    )
    const reported = new Set(answer.problems.map(problem => problem.where))
    for (const number of many)
      assert.equal(served.includes(number), !reported.has(`default/s${number}`), `s${number}`)

    const fewer = many.slice(-6)
    await agent.apply(cluster(fewer))
    const deadline = performance.now() + 10_000
    let healed: number[] = []
    while (healed.length < fewer.length && performance.now() < deadline) {
      healed = await reachable(host, fewer)
      await sleep(100)
    }
    assert.deepEqual(healed, fewer)
    assert.deepEqual((await agent.sync()).problems, [])
  })
}

test('[KPNG-C16 DP-9.22] too many endpoints: the Service that is too big is reported, the others go on, and it heals when it fits', async () => {
  await using host = new TestHost()
  host.ip('route add local 10.180.0.0/16 dev lo')
  await host.listen([{ address: backend, port: 8080 }])
  const agent = host.agent()
  const big = (count: number): unknown[] => [
    service({ name: 's9', clusterIPs: ['10.96.0.9'], ports: [{ port: 80 }] }),
    endpointSlice({
      service: 's9',
      ports: [{ port: 8080 }],
      endpoints: [backend, ...range(2, count).map(n => `10.180.1.${n}`)],
    }),
  ]
  const healed = async (numbers: readonly number[]): Promise<number[]> => {
    const deadline = performance.now() + 12_000
    let served: number[] = []
    while (served.length < numbers.length && performance.now() < deadline) {
      served = await reachable(host, numbers)
      await sleep(100)
    }
    return served
  }
  agent.write([...cluster([1, 2, 3]), ...big(200)])
  await agent.start(['--max-endpoints', '64'])
  assert.deepEqual(await reachable(host, [1, 2, 3]), [1, 2, 3])
  const { problems } = await agent.sync()
  assert.deepEqual([...new Set(problems.map(problem => problem.where))], ['default/s9'])
  // One that comes afterwards finds room or is reported.
  const answer = await agent.apply([...cluster([1, 2, 3, 4]), ...big(200)])
  assert.deepEqual(await reachable(host, [1, 2, 3]), [1, 2, 3])
  const [fourth] = await reachable(host, [4])
  assert.equal(
    fourth === undefined,
    answer.problems.some(problem => problem.where === 'default/s4'),
  )
  await agent.apply([...cluster([1, 2, 3, 4]), ...big(1)])
  assert.deepEqual(await healed([4, 9]), [4, 9])
  assert.deepEqual((await agent.sync()).problems, [])
})
