import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestAgent, TestHost } from './agent.ts'
import type { AgentAnswer } from './agent-process.ts'
import { kpng, kpngOk } from './lab.ts'
import { startLoad } from './load.ts'
import { endpointSlice, node, service } from './manifests.ts'

const web = (backends: readonly string[]): unknown[] => [
  node('node-a', ['192.168.78.1']),
  service({ name: 'web', clusterIPs: ['10.96.0.1'], ports: [{ port: 80 }] }),
  endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: backends }),
]

const backends = ['10.180.0.1', '10.180.0.2', '10.180.0.3']

/** A host on which the three backends listen. */
async function hostWithBackends(): Promise<TestHost> {
  const host = new TestHost()
  for (const address of backends) host.ip(`addr add ${address}/32 dev lo`)
  await host.listen(backends.map(address => ({ address, port: 8080 })))
  return host
}

const programmed = async (agent: TestAgent): Promise<string> =>
  await kpngOk(['get', 'maps', '--instance', agent.instance])

/** The agent's status once it is as wanted, 20 seconds at most. */
async function statusWhen(agent: TestAgent, wanted: (status: AgentAnswer) => boolean): Promise<AgentAnswer> {
  for (const deadline = performance.now() + 20_000; ; await sleep(50)) {
    const status = await agent.status()
    if (wanted(status)) return status
    if (performance.now() > deadline) throw new Error(JSON.stringify(status))
  }
}

test('[KP-6.5] kill -9 of the agent and its restart fail no connection', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  await agent.start()
  await using load = await startLoad(host, '10.96.0.1', 80, 3000)
  for (let round = 0; round < 3; round++) {
    await agent.stop('SIGKILL')
    await sleep(100)
    await agent.start()
  }
  const result = await load.finish()
  assert.deepEqual(result.failed, {})
  assert.ok(result.ok > 500, `only ${result.ok} connections were made`)
})

test('[KP-6.5] a restarted agent adopts ids, maps and links: what the kernel has stays to the letter', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  await agent.start()
  // Ids in an order that a fresh start would not give.
  await agent.apply(web(['10.180.0.3']))
  await agent.apply(web(['10.180.0.1', '10.180.0.3']))
  const before = await programmed(agent)
  assert.equal(await agent.stop('SIGTERM'), 0)
  assert.equal(await programmed(agent), before, 'SIGTERM leaves the datapath')
  await agent.start()
  assert.equal(await programmed(agent), before)
})

test('[KP-6.5] endpoints that changed while the agent was dead are served as soon as it is back', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(['10.180.0.1']))
  await agent.start()
  await agent.stop('SIGKILL')
  agent.write(web(['10.180.0.2']))
  await agent.start()
  const lines = await programmed(agent)
  assert.match(lines, /10\.180\.0\.2:8080/)
  assert.doesNotMatch(lines, /10\.180\.0\.1:8080/)
})

test('[KP-1.17 KP-6.5 DP-9.24] nothing is pruned before the source has been read completely', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  await agent.start()
  const before = await programmed(agent)
  await agent.stop('SIGKILL')
  // Half a file: it cannot be parsed, and there is no last good state in this process.
  agent.writeRaw('{"apiVersion": "v1", "kind": "List", "items": [')
  agent.spawn()
  await sleep(1500)
  assert.equal(await programmed(agent), before)
  agent.write(web(backends))
  await agent.sync()
  assert.equal(await programmed(agent), before)
})

test('[KP-6.4] the maps grow by a new generation, under load, without a failed connection', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  await agent.start(['--max-endpoints', '64', '--max-service-ports', '64', '--max-frontends', '64'])
  await using load = await startLoad(host, '10.96.0.1', 80, 3000)
  const before = await programmed(agent)
  for (const size of ['128', '256', '100']) {
    await agent.stop('SIGKILL')
    await agent.start(['--max-endpoints', size, '--max-service-ports', size, '--max-frontends', size])
  }
  const result = await load.finish()
  assert.deepEqual(result.failed, {})
  const ids = (lines: string): string[] => lines.match(/#\d+ [\d.]+:\d+/g) ?? []
  assert.ok(ids(before).length >= 3)
  assert.deepEqual(ids(await programmed(agent)), ids(before), 'ids go along')
})

test('[KP-6.5 KPNG-C11 KPNG-C12] cleanup removes every trace, and refuses while the agent runs', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  await agent.start()
  const refused = await kpng(['cleanup', '--instance', agent.instance])
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /is running \(pid \d+\)/)
  await agent.stop('SIGKILL')
  await kpngOk(['cleanup', '--instance', agent.instance])
  assert.equal(existsSync(join('/sys/fs/bpf/kpng', agent.instance)), false)
  assert.equal(existsSync(join('/run/kpng', agent.instance)), false)
  const probe = await host.run([
    'python3',
    '-c',
    'import socket; socket.create_connection(("10.96.0.1", 80), 1)',
  ])
  assert.match(probe.stderr, /Network is unreachable/, 'no program is attached any more')
})

/** Whether somebody holds a flock of a file: /proc/locks names its inode. */
const isLocked = (path: string): boolean =>
  existsSync(path) && readFileSync('/proc/locks', 'utf8').includes(`:${statSync(path).ino} `)

test('cleanup takes nothing away from an agent that is only starting', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  const lock = join('/run/kpng', agent.instance, 'lock')
  agent.spawn()
  for (let tries = 0; !isLocked(lock) && tries < 2000; tries++) await sleep(5)
  process.kill(agent.pid, 'SIGSTOP')
  const refused = await kpng(['cleanup', '--instance', agent.instance])
  process.kill(agent.pid, 'SIGCONT')
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /is running/)
  assert.ok(existsSync(lock))
  assert.equal((await agent.sync()).synced, true)
})

test('[KP-6.3 DP-9.2] a cgroup that is removed and made again gets its programs back, and the agent says what is wrong meanwhile', async () => {
  await using host = await hostWithBackends()
  const cgroup = join(host.cgroup, 'served')
  mkdirSync(cgroup)
  const agent = host.agent('', cgroup)
  agent.write(web(backends))
  await agent.start()
  rmdirSync(cgroup)
  const missing = await statusWhen(agent, ({ synced }) => !synced)
  assert.match(missing.problems.map(({ message }) => message).join(), /not in place: .*served/)
  mkdirSync(cgroup)
  const again = await statusWhen(agent, ({ synced }) => synced)
  assert.deepEqual(again.problems, [])
  const connect = 'import socket; print(socket.create_connection(("10.96.0.1", 80), 2).getpeername())'
  assert.equal((await host.run(['python3', '-c', connect], cgroup)).stdout.trim(), "('10.96.0.1', 80)")
})

test('[KPNG-C12] SIGTERM while the agent starts ends it in order', async () => {
  await using host = await hostWithBackends()
  const agent = host.agent()
  agent.write(web(backends))
  agent.spawn()
  const run = join('/run/kpng', agent.instance)
  for (let tries = 0; !existsSync(join(run, 'lock')) && tries < 2000; tries++) await sleep(5)
  assert.equal(await agent.stop('SIGTERM'), 0, agent.log)
  assert.match(agent.log, /"signal":"SIGTERM"/)
  assert.equal(existsSync(join(run, 'status.sock')), false)
  await agent.start()
})
