import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type TestAgent, TestHost } from '../agent.ts'
import { kpngOk } from '../lab.ts'
import { endpointSlice, node, service } from '../manifests.ts'
import { type Address, Hammer } from '../never-failed/hammer.ts'
import { randomFrom, seedOfRun } from '../random.ts'
import { asVersion } from './as-version.ts'

/**
 * Agents of two other versions in turn, each of which has to make a new generation, and each killed at another point of
 * its start: between two pins, two map entries, two links. `make proof` goes through all points.
 */
const whole = process.env.KPNG_PROOF === '1'
const ratePerSecond = 2000

/** The calls of bpf(2) that an agent makes until its programs are in place: `command:n`, or somewhat fewer. */
const points = [
  ...calls(2, 3), // a map entry
  ...calls(6, 12), // a pin
  ...calls(15, 380).filter((_, call) => call % 20 === 0), // a look at an object, at any time
  ...calls(26, 3), // a batch of map entries
  ...calls(28, 3), // a link of an iterator
  ...calls(29, 9), // another program at a link
]

function calls(command: number, count: number): string[] {
  return Array.from({ length: count }, (_, call) => `${command}:${call + 1}`)
}

const pods = ['10.189.0.1', '10.189.0.2']
const listeners: readonly Address[] = pods.map(address => ({ address, port: 8080 }))
const targets: readonly Address[] = [{ address: '10.96.21.1', port: 80 }]
const objects = [
  node('node-a', ['192.168.78.1']),
  service({ name: 'web', clusterIPs: ['10.96.21.1'], ports: [{ port: 80 }] }),
  endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: pods }),
]

test('agents of two versions that die at any point of a switch fail no connection, and the last one has it all', async t => {
  const seed = seedOfRun()
  const random = randomFrom(seed)
  const chosen = whole ? points : Array.from({ length: 5 }, () => points[random(points.length)] ?? '')
  await using host = new TestHost()
  host.addAddresses(pods)
  const agent = host.agent()
  agent.write(objects)
  await agent.start()
  await using hammer = await Hammer.start(host, listeners, targets, ratePerSecond)
  const versions = [asVersion('newer'), asVersion('older')]
  const preload = `--import ${join(import.meta.dirname, 'die-at-main.ts')}`
  await agent.stop('SIGKILL')
  let survived = 0
  for (const [life, point] of chosen.entries()) {
    agent.around = ['env', `NODE_OPTIONS=${preload}`, `KPNG_DIE_AT=${point}`, ...(versions[life % 2] ?? [])]
    // Counts of another size, too.
    agent.spawn(['--max-service-ports', life % 2 === 0 ? '128' : '64'])
    // A point that this life does not come to: the next one is killed at its own.
    if (!(await died(agent))) {
      survived++
      await agent.stop('SIGKILL')
    }
  }
  agent.around = []
  await agent.start()
  const { problems, datapath } = await agent.sync()
  const result = await hammer.finish()
  t.diagnostic(
    `${chosen.length} deaths at ${chosen.join(' ')}, ${survived} of them later; ${result.connects} connects, ` +
      `the slowest took ${result.slowestMs} ms; KPNG_SEED=${seed}`,
  )
  assert.deepEqual(result.failed, {}, `KPNG_SEED=${seed}`)
  assert.deepEqual([result.arrived.reduce((sum, count) => sum + count, 0)], result.made)
  assert.deepEqual(problems, [])
  const pins = join('/sys/fs/bpf/kpng', agent.instance)
  assert.deepEqual(readdirSync(pins).sort(), ['count', `gen-${datapath.generation}`, 'link', 'living'])
  assert.equal(readdirSync(join(pins, 'link')).length, 9)
  assert.deepEqual(
    readdirSync(join(pins, 'count')).filter(name => name.includes('before')),
    [],
  )
  const services = ['get', 'services', '--instance', agent.instance, '-o', 'json']
  const [web] = JSON.parse(await kpngOk(services)) as { counts: { connections: number } }[]
  assert.equal(web?.counts.connections, result.connects, 'each was counted once')
})

/** False: it is up and running. */
async function died(agent: TestAgent): Promise<boolean> {
  try {
    await agent.sync()
    return false
  } catch (reason) {
    if (agent.isRunning) throw reason
    return true
  }
}
