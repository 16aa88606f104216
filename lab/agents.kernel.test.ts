import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findAgent, realAgents } from './agents.ts'
import { labDown } from './lab.ts'
import { instanceName, manifestsPath } from './names.ts'
import { enterArgv } from './place.ts'
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts'
import { resolveWho } from './resolve-who.ts'
import { requireState } from './state.ts'
import { nodeObject, ScratchLab, serviceObject, sliceObject } from './testing.ts'
import { parseWho } from './who.ts'

const kpng = join(import.meta.dirname, '../bin/kpng')
const agents = realAgents([kpng])
const vip = '10.96.0.1'

const objects = (...backends: string[]): unknown[] => [
  nodeObject('n1', ['172.30.0.11']),
  nodeObject('n2.example', ['172.30.0.12']),
  serviceObject('web', vip),
  sliceObject(
    'web',
    backends.map(address => [address, 'n2.example'] as const),
    undefined,
    true,
  ),
]

const agentOf = (lab: ScratchLab, node: string): ProcessIdentity => {
  const agent = requireState(lab.name).nodes[node]?.agent
  assert.ok(agent !== undefined)
  return agent
}

async function untilDead(agent: ProcessIdentity): Promise<void> {
  while (isAlive(agent)) await new Promise(resolve => setTimeout(resolve, 5))
}

test('a Service is served on every node, for its pods too, and follows an apply; clients outside are not', async () => {
  await using lab = await ScratchLab.up(objects('10.180.0.1', '10.180.0.2'), agents)
  for (const from of ['node/n1', 'node/n2.example', 'pod/10.180.0.1'])
    for (const to of [`${vip}:80`, `${vip}:80/udp`]) {
      const { answered } = await lab.probe(from, to, { count: 30 })
      assert.deepEqual(Object.keys(answered).sort(), ['10.180.0.1:80', '10.180.0.2:80'], `${from} ${to}`)
    }
  assert.equal(
    (await lab.probe('client/198.51.100.1', `${vip}:80`, { via: 'n1', timeoutMs: 200 })).timedOut,
    1,
  )
  await lab.apply(objects('10.180.0.3'))
  assert.deepEqual((await lab.probe('node/n1', `${vip}:80`, { count: 5 })).answered, { '10.180.0.3:80': 5 })
  await lab.apply(objects())
  assert.equal((await lab.probe('node/n1', `${vip}:80`, { count: 5 })).refused, 5)

  const instances = ['n1', 'n2.example'].map(node => instanceName(lab.name, node))
  const traces = instances.flatMap(it => [`/run/kpng/${it}`, `/sys/fs/bpf/kpng/${it.replaceAll('.', '_')}`])
  for (const path of traces) assert.ok(existsSync(path), path)
  await labDown(lab.name)
  for (const path of traces) assert.ok(!existsSync(path), path)
})

test('apply starts agents that died, and takes one that somebody else started for the node’s own', async () => {
  await using lab = await ScratchLab.up(objects('10.180.0.1'), agents)
  const first = agentOf(lab, 'n1')
  process.kill(first.pid, 'SIGKILL')
  await untilDead(first)
  assert.deepEqual(
    (await lab.probe('node/n1', `${vip}:80`)).answered,
    { '10.180.0.1:80': 1 },
    'with no agent',
  )
  await lab.apply(objects('10.180.0.2'))
  const second = agentOf(lab, 'n1')
  assert.notEqual(second.pid, first.pid)
  assert.deepEqual((await lab.probe('node/n1', `${vip}:80`)).answered, { '10.180.0.2:80': 1 })

  process.kill(second.pid, 'SIGKILL')
  await untilDead(second)
  const place = await resolveWho(lab.name, parseWho('node/n1'))
  const [command = '', ...args] = enterArgv(place, [
    kpng,
    ...['file', '-i', manifestsPath(lab.name), 'to-ebpf', '--node-name', 'n1'],
    ...['--instance', instanceName(lab.name, 'n1'), '--cgroup-root', place.cgroup],
  ])
  const byHand = spawn(command, args, { stdio: 'ignore' })
  const identity = byHand.pid === undefined ? undefined : identify(byHand.pid)
  assert.ok(identity !== undefined)
  const { n1 } = requireState(lab.name).nodes
  assert.ok(n1 !== undefined)
  while ((await findAgent(n1))?.pid !== identity.pid) assert.equal(byHand.exitCode, null)
  await lab.apply(objects('10.180.0.3'))
  assert.deepEqual(agentOf(lab, 'n1'), identity)
  assert.deepEqual((await lab.probe('node/n1', `${vip}:80`)).answered, { '10.180.0.3:80': 1 })
  await labDown(lab.name)
  assert.ok(!isAlive(identity))
})

test('bad objects are told once, by the user’s own path', async () => {
  await using lab = new ScratchLab(agents)
  const bad = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name: 'x' },
    spec: { clusterIP: 'nonsense' },
  }
  const { problems } = await lab.up([...objects('10.180.0.1'), bad])
  const told = problems.filter(problem => problem.message.includes('nonsense'))
  assert.equal(told.length, 1, JSON.stringify(problems))
  assert.ok(told[0]?.where.startsWith(`${lab.manifests}/objects.json:`), told[0]?.where)
})

test('an instance that is somebody else’s is left alone', async () => {
  await using lab = new ScratchLab(agents)
  const directory = `/run/kpng/${instanceName(lab.name, 'n1')}`
  mkdirSync(directory, { recursive: true })
  try {
    await assert.rejects(lab.up(objects('10.180.0.1')), { code: 'conflict' })
    assert.ok(existsSync(directory))
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('an agent that cannot start: up says why and leaves nothing', async () => {
  await using lab = new ScratchLab(realAgents(['sh', '-c', 'echo no luck today; exit 1']))
  await assert.rejects(lab.up(objects('10.180.0.1')), /no luck today/)
  assert.equal(await labDown(lab.name), false)
})
