import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { labCgroup } from './cgroup.ts'
import { labDown } from './lab.ts'
import { listLabs } from './list.ts'
import { labDir } from './names.ts'
import { namespacesOf } from './network-namespaces.ts'
import { enterArgv } from './place.ts'
import type { ProbeResult } from './probe-result.ts'
import { resolveWho } from './resolve-who.ts'
import { runCommand } from './run-command.ts'
import { requireState } from './state.ts'
import { nodeObject, ScratchLab, sliceObject } from './testing.ts'
import { parseWho } from './who.ts'

/** Two dual-stack nodes with more addresses than one, one of IPv6 only. */
const nodes = [
  nodeObject('n1', ['172.30.0.11', 'fd00:30::11'], '192.168.1.2/24,2001:db8::2/64'),
  nodeObject('n2', ['10.9.8.7', 'fd00:98::7']),
  nodeObject('n-3', ['fd00:99::3']),
]

const answeredBy = (pod: string, source: string, sent = 1): ProbeResult => ({
  sent,
  answered: { [pod]: sent },
  refused: 0,
  unreachable: 0,
  timedOut: 0,
  errors: {},
  sources: { [source]: sent },
})
const nobody = { sent: 1, answered: {}, refused: 0, unreachable: 0, timedOut: 0, errors: {}, sources: {} }

test('every endpoint answers who it is and whom it saw, from everywhere', async () => {
  await using lab = await ScratchLab.up([
    ...nodes,
    sliceObject('v4', [['10.180.0.1', 'n1'], ['10.180.0.2', 'n2'], ['10.180.0.3', 'n-3'], ['10.180.0.4']]),
    sliceObject('v6', [['fd00:180::1', 'n1'], ['fd00:180::2', 'n-3'], ['fd00:180::3']]),
    sliceObject(
      'host',
      [
        ['172.30.0.11', 'n1'],
        ['192.168.1.2', 'n2'],
      ],
      ['443/TCP', '53/UDP'],
    ),
  ])
  const cases: ReadonlyArray<readonly [from: string, to: string, pod: string, source: string]> = [
    ['node/n1', '10.180.0.1:80', '10.180.0.1:80', '172.30.0.11'],
    ['node/n1', '10.180.0.2:80/udp', '10.180.0.2:80', '172.30.0.11'],
    ['node/n1/192.168.1.2', '10.180.0.3:80', '10.180.0.3:80', '192.168.1.2'],
    ['node/n1', '[fd00:180::2]:80', '[fd00:180::2]:80', 'fd00:30::11'],
    ['node/n-3', '[fd00:180::1]:80/udp', '[fd00:180::1]:80', 'fd00:99::3'],
    ['pod/10.180.0.1', '10.180.0.1:80', '10.180.0.1:80', '10.180.0.1'],
    ['pod/10.180.0.1', '10.180.0.4:80', '10.180.0.4:80', '10.180.0.1'],
    ['pod/10.180.0.4', '10.180.0.3:80/udp', '10.180.0.3:80', '10.180.0.4'],
    ['pod/fd00:180::3', '[fd00:180::2]:80', '[fd00:180::2]:80', 'fd00:180::3'],
    ['pod/10.180.0.2', '172.30.0.11:443', '172.30.0.11:443', '10.180.0.2'],
    ['pod/10.180.0.2', '192.168.1.2:53/udp', '192.168.1.2:53', '10.180.0.2'],
    ['node/n1/127.0.0.1', '172.30.0.11:443', '172.30.0.11:443', '127.0.0.1'],
    ['client/198.51.100.7', '10.180.0.1:80', '10.180.0.1:80', '198.51.100.7'],
    ['client/2001:db8:1::7', '[fd00:180::1]:80/udp', '[fd00:180::1]:80', '2001:db8:1::7'],
  ]
  for (const [from, to, pod, source] of cases)
    assert.deepEqual(await lab.probe(from, to, { count: 2 }), answeredBy(pod, source, 2), `${from} to ${to}`)
  for (const to of ['10.180.0.1:81', '10.180.0.1:81/udp', '[fd00:180::1]:81/udp', '172.30.0.11:80'])
    assert.deepEqual(await lab.probe('node/n2', to, { count: 20 }), { ...nobody, sent: 20, refused: 20 }, to)
})

test('nothing leads out of the machine, nor to it', async () => {
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])])
  const own = Object.values(networkInterfaces())
    .flat()
    .find(address => address?.internal === false && address.family === 'IPv4')?.address
  for (const from of ['node/n1', 'pod/10.180.0.1', 'client/198.51.100.7'])
    for (const to of ['192.0.2.1:80', ...(own === undefined ? [] : [`${own}:22`])])
      assert.deepEqual(
        await lab.probe(from, to, { timeoutMs: 200 }),
        { ...nobody, timedOut: 1 },
        `${from} to ${to}`,
      )
  // Every link of every namespace has its other end in a namespace of the same lab.
  const known = namespacesOf(lab.name)
  for (const netns of known) {
    const links = await runCommand(['ip', '-json', '-netns', netns, 'link'])
    for (const link of JSON.parse(links.stdout) as Array<{ ifname: string; link_netnsid?: number }>)
      assert.ok(link.ifname === 'lo' || link.link_netnsid !== undefined, `${netns} ${link.ifname}`)
    const peers = await runCommand(['ip', '-netns', netns, 'netns', 'list-id'])
    for (const line of peers.stdout.trim().split('\n').filter(Boolean))
      assert.ok(known.includes(/\(iproute2 netns name: ([^)]+)\)/.exec(line)?.[1] ?? ''), `${netns}: ${line}`)
  }
})

test('a client sends everything through its node, may have a Service’s address, and may change nodes', async () => {
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.2', 'n2']])])
  const packetsOf = async (node: string): Promise<number> => {
    const place = await resolveWho(lab.name, parseWho(`node/${node}`))
    const { stdout } = await runCommand(enterArgv(place, ['cat', '/proc/net/dev']))
    return Number(/eth0:\s*\d+\s+(\d+)/.exec(stdout)?.[1])
  }
  const client = 'client/10.96.0.1'
  for (const [via, other] of [
    ['n1', 'n-3'],
    ['n-3', 'n1'],
  ] as const) {
    const before = { via: await packetsOf(via), other: await packetsOf(other) }
    const result = await lab.probe(client, '10.180.0.2:80', { via, count: 3 })
    assert.deepEqual(result, answeredBy('10.180.0.2:80', '10.96.0.1', 3))
    assert.ok((await packetsOf(via)) >= before.via + 9, via)
    // Not none: the kernel's own multicast reports come and go.
    assert.ok((await packetsOf(other)) < before.other + 6, other)
  }
  await assert.rejects(lab.probe('client/10.96.0.2', '10.180.0.2:80', { via: 'nowhere' }), { code: 'usage' })
})

test('a pod that no slice names is made on the node asked for; WHO that is nobody is bad usage', async () => {
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.2', 'n2']])])
  assert.deepEqual(
    await lab.probe('pod/10.181.0.9', '10.180.0.2:80', { on: 'n1' }),
    answeredBy('10.180.0.2:80', '10.181.0.9'),
  )
  const { cgroup } = await resolveWho(lab.name, parseWho('pod/10.181.0.9'))
  assert.equal(cgroup, `${labCgroup(lab.name)}/n1`)
  const bad = [
    ['pod/10.181.0.10', {}],
    ['pod/10.181.0.10', { on: 'x' }],
    ['node/x', {}],
    ['pod/172.30.0.11', { on: 'n1' }],
  ] as const
  for (const [from, options] of bad)
    await assert.rejects(lab.probe(from, '10.180.0.2:80', options), { code: 'usage' }, from)
  await assert.rejects(lab.probe('node/n1/::1', '10.180.0.2:80'), { code: 'usage' })
})

test('apply: pods that left go on answering, new ones answer, moved ones answer where they are', async () => {
  await using lab = await ScratchLab.up([
    ...nodes,
    sliceObject('v4', [
      ['10.180.0.1', 'n1'],
      ['10.180.0.2', 'n2'],
    ]),
  ])
  const report = await lab.apply([
    ...nodes,
    nodeObject('n4', ['10.4.4.4']),
    sliceObject(
      'v4',
      [
        ['10.180.0.2', 'n1'],
        ['10.180.0.3', 'n4'],
        ['10.180.0.4', 'ghost'],
      ],
      ['80/TCP', '90/UDP'],
    ),
  ])
  assert.deepEqual(report.problems, [])
  for (const pod of ['10.180.0.1', '10.180.0.2', '10.180.0.3', '10.180.0.4'])
    for (const from of ['node/n2', 'node/n4'])
      assert.deepEqual((await lab.probe(from, `${pod}:80`)).answered, { [`${pod}:80`]: 1 }, `${from} ${pod}`)
  assert.deepEqual((await lab.probe('node/n2', '10.180.0.2:80/udp')).answered, { '10.180.0.2:80': 1 })
  assert.deepEqual((await lab.probe('node/n2', '10.180.0.2:90/udp')).answered, { '10.180.0.2:90': 1 })
  assert.equal((await resolveWho(lab.name, parseWho('pod/10.180.0.2'))).cgroup, `${labCgroup(lab.name)}/n1`)
  // The Node that nobody wrote: its addresses are of both families and stay.
  const addresses = listLabs(lab.name)[0]?.nodes.find(node => node.name === 'ghost')?.addresses
  assert.equal(addresses?.length, 2)
  await lab.apply([...nodes, sliceObject('v4', [['10.180.0.4', 'ghost']])])
  assert.deepEqual(listLabs(lab.name)[0]?.nodes.find(node => node.name === 'ghost')?.addresses, addresses)
  assert.deepEqual((await lab.probe('node/ghost', '10.180.0.1:80')).sources, {
    [addresses?.[0]?.split('/')[0] ?? '']: 1,
  })
})

test('what cannot be served is told, and everything else is served', async () => {
  await using lab = new ScratchLab()
  const report = await lab.up([
    ...nodes,
    sliceObject(
      'v4',
      [
        ['10.180.0.1', 'n1'],
        ['127.0.0.9', 'n1'],
        ['172.30.0.11', 'n1'],
      ],
      ['80/TCP', '90/SCTP'],
    ),
  ])
  const said = report.problems.map(problem => problem.message).join('\n')
  assert.match(said, /127\.0\.0\.9/)
  assert.match(report.notes[0]?.message ?? '', /SCTP/)
  assert.deepEqual((await lab.probe('node/n2', '10.180.0.1:80')).answered, { '10.180.0.1:80': 1 })
  // The endpoint server holds 172.30.0.11:80 already, so a second one there cannot listen; 8080 is taken by us.
  const place = await resolveWho(lab.name, parseWho('node/n1'))
  const squatter = runCommand(enterArgv(place, [process.execPath, '-e', squat('172.30.0.11', 8080)]))
  await untilAnswers(lab, '172.30.0.11:8080')
  const taken = await lab.apply([
    ...nodes,
    sliceObject('v4', [['172.30.0.11', 'n1']], ['8080/TCP', '8081/TCP']),
  ])
  assert.deepEqual(
    taken.problems.map(problem => problem.message),
    ['172.30.0.11:8080/TCP cannot be served: EADDRINUSE'],
  )
  assert.deepEqual((await lab.probe('node/n2', '172.30.0.11:8081')).answered, { '172.30.0.11:8081': 1 })
  await labDown(lab.name)
  assert.equal((await squatter).exitCode, null, 'down ends what exec started')
})

const squat = (address: string, port: number): string =>
  `require('net').createServer(s => s.end('no line of a lab\\n')).listen(${port}, '${address}')`

/** Something that is no endpoint answers: a lab counts that as EPROTO. */
async function untilAnswers(lab: ScratchLab, to: string): Promise<void> {
  for (let i = 0; i < 100; i++) if ((await lab.probe('node/n2', to)).errors.EPROTO === 1) return
  assert.fail(`nobody answers at ${to}`)
}

test('TCP clients that are silent, talkative, or hold hundreds of connections are all answered', async () => {
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])])
  const place = await resolveWho(lab.name, parseWho('node/n2'))
  const script = `
    const net = require('net')
    const talk = say => new Promise((resolve, reject) => {
      let heard = ''
      const socket = net.connect({ port: 80, host: '10.180.0.1', allowHalfOpen: true })
      socket.on('error', reject)
      if (say > 0) socket.write(Buffer.alloc(say, 'x'))
      socket.on('data', piece => { heard += piece })
      socket.on('end', () => resolve({ heard, socket }))
    })
    const run = async () => {
      const talks = [await talk(0), await talk(200_000), ...await Promise.all(Array.from({ length: 600 }, () => talk(0)))]
      console.log(new Set(talks.map(one => one.heard)).size, talks[0].heard.trim())
      process.exit()
    }
    run()`
  const { stdout, stderr } = await runCommand(enterArgv(place, [process.execPath, '-e', script]))
  assert.equal(stdout, '1 {"pod":"10.180.0.1:80","source":"10.9.8.7"}\n', stderr)
})

test('a pod with two thousand ports', async () => {
  const ports = Array.from({ length: 1_000 }, (_, i) => [`${1_000 + i}/TCP`, `${1_000 + i}/UDP`]).flat()
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.1', 'n1']], ports)])
  for (const to of ['10.180.0.1:1000', '10.180.0.1:1999/udp'])
    assert.equal(Object.keys((await lab.probe('node/n2', to)).answered).length, 1, to)
})

test('two labs with the same addresses live side by side; down leaves nothing of one and all of the other', async () => {
  const objects = [...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])]
  await using one = await ScratchLab.up(objects)
  await using other = await ScratchLab.up(objects)
  const { server, cgroup } = requireState(one.name)
  assert.equal(await labDown(one.name), true)
  assert.deepEqual(namespacesOf(one.name), [])
  assert.equal(existsSync(cgroup), false)
  assert.equal(existsSync(labDir(one.name)), false)
  assert.equal(existsSync(`/proc/${server?.pid}`), false)
  assert.equal(await labDown(one.name), false, 'nothing to take down')
  assert.deepEqual((await other.probe('node/n2', '10.180.0.1:80')).answered, { '10.180.0.1:80': 1 })
})

test('no lab sets anything outside of its namespaces', async () => {
  const sysctls = (): string[] =>
    [
      'ipv4/ip_forward',
      'ipv4/conf/all/rp_filter',
      'ipv6/conf/all/forwarding',
      'ipv6/conf/default/accept_dad',
    ].map(name => readFileSync(`/proc/sys/net/${name}`, 'utf8'))
  const links = (): string[] => readdirSync('/sys/class/net')
  const before = { sysctls: sysctls(), links: links() }
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])])
  assert.deepEqual({ sysctls: sysctls(), links: links() }, before)
  assert.equal(listLabs(lab.name)[0]?.name, lab.name)
})

test('up after an up that was killed cleans up and works; so does down', async () => {
  await using lab = new ScratchLab()
  const objects = [...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])]
  lab.write(objects)
  const script = `
    const { labUp, noAgents } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))})
    await labUp({ name: '${lab.name}', state: '${lab.manifests}', agents: noAgents })`
  for (const stage of ['fabric', 'node_n_3', 'pod_10.180.0.1']) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
    const closed = new Promise(resolve => child.once('close', resolve))
    while (!namespacesOf(lab.name).includes(`kpng-${lab.name}-${stage}`) && child.exitCode === null)
      await sleep(1)
    child.kill('SIGKILL')
    await closed
    await assert.rejects(lab.probe('node/n1', '10.180.0.1:80'), { code: 'not-found' }, stage)
    if (stage !== 'fabric') continue
    assert.equal(await labDown(lab.name), true)
    assert.deepEqual(namespacesOf(lab.name), [])
  }
  assert.equal((await lab.up(objects)).replaced, true)
  assert.deepEqual((await lab.probe('node/n2', '10.180.0.1:80')).answered, { '10.180.0.1:80': 1 })
})

test('apply after an apply that was killed', async () => {
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])])
  const pods = Array.from({ length: 12 }, (_, i) => [`10.181.0.${i}`, i % 2 === 0 ? 'n2' : 'n4'] as const)
  const objects = [...nodes, sliceObject('v4', pods)]
  lab.write(objects)
  const script = `
    const { labApply, noAgents } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))})
    await labApply({ name: '${lab.name}', state: '${lab.manifests}', agents: noAgents })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  const closed = new Promise(resolve => child.once('close', resolve))
  while (!namespacesOf(lab.name).includes(`kpng-${lab.name}-pod_10.181.0.9`) && child.exitCode === null)
    await sleep(1)
  child.kill('SIGKILL')
  await closed
  assert.equal(child.signalCode, 'SIGKILL', 'it was too fast')
  // Whoever needs one of them does not wait for the next apply.
  assert.deepEqual((await lab.probe('pod/10.181.0.11', '10.180.0.1:80')).answered, { '10.180.0.1:80': 1 })
  await lab.apply(objects)
  for (const [pod] of pods.slice(-3))
    assert.deepEqual((await lab.probe('node/n1', `${pod}:80`)).answered, { [`${pod}:80`]: 1 }, pod)
})

test('exec and probe go on while an apply is under way; a second apply waits', async () => {
  await using lab = await ScratchLab.up([...nodes, sliceObject('v4', [['10.180.0.1', 'n1']])])
  const more = (count: number): unknown =>
    sliceObject(
      'more',
      Array.from({ length: count }, (_, i) => [`10.181.0.${i}`, 'n2'] as const),
    )
  const applies = [20, 30].map(count => lab.apply([...nodes, more(count)]))
  const probes = ['node/n2', 'client/198.51.100.9', 'client/198.51.100.10'].map(from =>
    lab.probe(from, '10.180.0.1:80'),
  )
  for (const result of await Promise.all(probes)) assert.deepEqual(result.answered, { '10.180.0.1:80': 1 })
  await Promise.all(applies)
  const listed = listLabs(lab.name)[0]
  assert.deepEqual([listed?.pods.length, listed?.clients.length], [31, 2])
})
