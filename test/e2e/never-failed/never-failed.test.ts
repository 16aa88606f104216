import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestAgent, TestHost } from '../agent.ts'
import type { AgentAnswer } from '../agent-process.ts'
import { endpointSlice, node, service, serviceCIDR } from '../manifests.ts'
import { type Random, randomFrom, seedOfRun } from '../random.ts'
import { type Address, Hammer } from './hammer.ts'

/**
 * How much of it: `make proof` runs what is promised, 50 kills across 100,000 connects at 5,000 a second, each test for
 * some minutes. Here it is a part of it, and the rate is what the machine has left.
 */
const whole = process.env.KPNG_PROOF === '1'
const kills = whole ? 50 : 4
const connects = whole ? 100_000 : 10_000
const ratePerSecond = 7000
const promisedPerSecond = 5000

const podsPerService = 4
const services = Array.from({ length: 8 }, (_, index) => index)
const clusterIPs = (of: number): string[] => [`10.96.7.${of + 1}`, `fd00:96::7:${of + 1}`]
const pods4 = (of: number): string[] => pods(`10.187.${of}.`)
const pods6 = (of: number): string[] => pods(`fd00:187:${of}::`)
const pods = (prefix: string): string[] =>
  Array.from({ length: podsPerService }, (_, pod) => `${prefix}${pod + 1}`)

const listeners: readonly Address[] = services.flatMap(of =>
  [...pods4(of), ...pods6(of)].map(address => ({ address, port: 8080 })),
)
const targets: readonly Address[] = services.flatMap(of =>
  clusterIPs(of).map(address => ({ address, port: 80 })),
)

/** Each Service with some of its endpoints, in another order, never without any. */
function objects(random: Random): unknown[] {
  const some = (all: readonly string[]): string[] => {
    const first = random(all.length)
    const rotated = [...all.slice(first), ...all.slice(0, first)]
    return rotated.slice(0, 1 + random(all.length))
  }
  return [
    node('node-a', ['192.168.78.1', 'fd00:78::1']),
    serviceCIDR('10.96.0.0/16', 'fd00:96::/112'),
    ...services.flatMap(of => {
      const name = `s${of}`
      const ports = [{ port: 8080 }]
      return [
        service({ name, clusterIPs: clusterIPs(of), ports: [{ port: 80 }] }),
        endpointSlice({ service: name, ports, endpoints: some(pods4(of)) }),
        endpointSlice({ service: name, ports, endpoints: some(pods6(of)) }),
      ]
    }),
  ]
}

/** Some changes of endpoints that reach the kernel, then one that nobody waits for. */
async function changeEndpoints(agent: TestAgent, random: Random): Promise<number> {
  const changes = 1 + random(4)
  for (let change = 0; change < changes; change++) {
    const { problems } = await agent.apply(objects(random))
    assert.deepEqual(problems, [])
  }
  agent.write(objects(random))
  return changes
}

/**
 * Connects to all Services while the agent is killed and started again, with the options of each life. Half of the
 * agents die at some moment of their start, the others have changed endpoints before, or are about to.
 */
async function killWhileConnecting(
  t: TestContext,
  options: (life: number) => readonly string[],
): Promise<AgentAnswer> {
  const seed = seedOfRun()
  const random = randomFrom(seed)
  await using host = new TestHost()
  host.addAddresses(listeners.map(({ address }) => address))
  const agent = host.agent()
  agent.write(objects(random))
  await agent.start(options(0))
  await using hammer = await Hammer.start(host, listeners, targets, ratePerSecond)
  const started = performance.now()
  let early = 0
  let changes = 0
  for (let life = 1; life <= kills; life++) {
    await agent.stop('SIGKILL')
    agent.spawn(options(life))
    if (life % 2 === 1) {
      changes += await changeEndpoints(agent, random)
      await sleep(random(20))
    } else {
      early++
      agent.write(objects(random))
      await sleep(50 + random(700))
    }
  }
  const last = await agent.sync()
  // Where agents restart faster than that many connections are made, some are left to make.
  await sleep(Math.max(0, (connects / promisedPerSecond) * 1000 - (performance.now() - started)))
  const result = await hammer.finish()
  const failures = sum(Object.values(result.failed))
  t.diagnostic(
    `${kills} kills, ${early} of them while the agent started; ${changes} changes of endpoints in the kernel; ` +
      `${result.connects} connects, ${result.perSecond} a second, ${failures} failed, ` +
      `the slowest took ${result.slowestMs} ms; KPNG_SEED=${seed}`,
  )
  assert.deepEqual(result.failed, {}, `KPNG_SEED=${seed}`)
  assert.ok(result.connects >= connects, `only ${result.connects} connections were made`)
  if (whole) assert.ok(result.perSecond >= promisedPerSecond, `only ${result.perSecond} a second`)
  assert.deepEqual(
    ofListeners(result.arrived),
    ofTargets(result.made),
    'each reached a backend of its Service',
  )
  assert.deepEqual(last.problems, [])
  return last
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

/** Counts in the order of `targets` or `listeners`, by Service and family. */
const grouped =
  (each: number) =>
  (counts: readonly number[]): number[] =>
    Array.from({ length: counts.length / each }, (_, group) =>
      sum(counts.slice(group * each, (group + 1) * each)),
    )
const ofTargets = grouped(1)
const ofListeners = grouped(podsPerService)

test('[KPNG-C11] kill -9 of the agent, again and again, while endpoints change: no connection to any ClusterIP fails', async t => {
  await killWhileConnecting(t, () => [])
})

test('kill -9 with new generations of the maps in between: no connection to any ClusterIP fails', async t => {
  // Grows twice, then starts small again; a life that ends early leaves its switch to the next, of another size.
  const sizes = ['64', '128', '256']
  const { datapath } = await killWhileConnecting(t, life => {
    const size = sizes[life % sizes.length] ?? ''
    return ['--max-service-ports', size, '--max-frontends', size, '--max-endpoints', size]
  })
  assert.ok(Number(datapath.generation) > kills / 2, JSON.stringify(datapath))
})
