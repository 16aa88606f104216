import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestAgent, TestHost } from './agent.ts'
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

/** Which of 10.96.0.x:80 a client reaches, from an address of its own where that is said. */
const reachable = async (host: TestHost, numbers: readonly number[], source = ''): Promise<number[]> =>
  await host.python<number[]>(
    `
import json, socket, sys
served = []
for number in json.loads(sys.argv[1]):
    try:
        socket.create_connection((f"10.96.0.{number}", 80), 1, (sys.argv[2], 0)).close()
        served.append(number)
    except OSError:
        pass
print(json.dumps(served))
`,
    JSON.stringify(numbers),
    source,
  )

/** kpng_services_unfit, as Prometheus sees it. */
const unfit = async (agent: TestAgent): Promise<number> =>
  Number(/^kpng_services_unfit (\d+)$/m.exec(await agent.metrics())?.[1])

/** Waits for what is logged at most ten times a second. */
async function logged(agent: TestAgent, pattern: RegExp): Promise<void> {
  for (const deadline = performance.now() + 10_000; !pattern.test(agent.log); await sleep(50))
    assert.ok(performance.now() < deadline, `not in the log: ${pattern}\n${agent.log}`)
}

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
    assert.equal(await unfit(agent), reported.size)
    const [first = ''] = reported
    await logged(agent, new RegExp(`"where":"${first}".*(does not fit|are taken)`))

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
    assert.equal(await unfit(agent), 0)
    await logged(agent, /"msg":"solved: .*(does not fit|are taken)/)
  })
}

test('[KPNG-C16 DP-9.22] too many source ranges: those that do not fit stay closed, and are open when there is room', async () => {
  await using host = new TestHost()
  const client = '192.0.2.9'
  host.addAddresses([backend, client])
  await host.listen([{ address: backend, port: 8080 }])
  const agent = host.agent()
  const ranged = (loadBalancerSourceRanges: readonly string[]): unknown[] => [
    node('node-a', ['192.168.78.1']),
    service({
      ...{ name: 's1', type: 'LoadBalancer', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] },
      ...{
        spec: { loadBalancerSourceRanges },
        status: { loadBalancer: { ingress: [{ ip: '10.96.0.101' }] } },
      },
    }),
    endpointSlice({ service: 's1', ports: [{ port: 8080 }], endpoints: [backend] }),
  ]
  // In the order of their text: that of the client is the last, and there is no room for it.
  agent.write(ranged([...range(1, 30).map(n => `172.16.${n}.0/24`), `${client}/32`]))
  await agent.start(['--max-service-ports', '16'])
  const { problems } = await agent.sync()
  assert.deepEqual([...new Set(problems.map(problem => problem.where))], ['default/s1'])
  const messages = problems.map(({ message }) => message).join()
  assert.match(messages, /source range 192\.0\.2\.9\/32 .* does not fit: map source4 /)
  assert.equal(await unfit(agent), 1)
  assert.deepEqual(await reachable(host, [1], client), [1], 'nobody checks who calls the ClusterIP')
  assert.deepEqual(await reachable(host, [101], client), [])
  await logged(agent, /source range .* does not fit/)

  assert.deepEqual((await agent.apply(ranged([`${client}/32`]))).problems, [])
  assert.equal(await unfit(agent), 0)
  assert.deepEqual(await reachable(host, [101], client), [101])
})

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
