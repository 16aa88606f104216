import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { openPinnedLink } from '@kpng/ebpf'
import { endpointSlice, type PortSpec, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** What other proxies at the socket got wrong (docs/defects.md) and no other test is about. */
const pods = ['10.180.0.5', '10.180.0.6', '10.180.0.7'] as const
const [pod5, pod6, pod7] = pods
const ports = [8080, 8081, 5353]

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods, ports })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

/** A Service whose ports go to ports of all these pods, by name. */
const web = (
  name: string,
  vip: string,
  wanted: readonly (PortSpec & { readonly to: number })[],
  endpoints: readonly string[],
): unknown[] => [
  service({ name, clusterIPs: [vip], ports: wanted.map(({ to: _, ...port }) => port) }),
  endpointSlice({
    service: name,
    ports: wanted.map(({ name: portName = '', protocol = 'TCP', to }) => ({
      name: portName,
      protocol,
      port: to,
    })),
    endpoints,
  }),
]

const dns = (vip: string, endpoints: readonly string[]): unknown[] =>
  web(
    'dns',
    vip,
    [
      { name: 'udp', port: 53, protocol: 'UDP', to: 5353 },
      { name: 'tcp', port: 53, protocol: 'TCP', to: 5353 },
    ],
    endpoints,
  )

test('[KPNG-C5] ports and addresses that add up to the same are different backends', async () => {
  // Addresses and ports of the Service one apart: .5 with 81 and .6 with 80.
  const neighbours = web(
    'neighbours',
    '10.96.6.1',
    [
      { name: 'a', port: 80, to: 8080 },
      { name: 'b', port: 81, to: 8081 },
    ],
    [pod5, pod6],
  )
  // One pod, one port of the Service, another port of the pod.
  const other = web('other', '10.96.6.2', [{ port: 80, to: 8081 }], [pod5])
  await stage.apply(...neighbours, ...other)
  assert.deepEqual(await stage.reached('10.96.6.1', 80), [`${pod5}:8080`, `${pod6}:8080`])
  assert.deepEqual(await stage.reached('10.96.6.1', 81), [`${pod5}:8081`, `${pod6}:8081`])
  assert.deepEqual(await stage.reached('10.96.6.2', 80), [`${pod5}:8081`])
})

test('[KPNG-C6] a Service that goes, with TCP and UDP on one port, takes nothing from those who share its backends', async () => {
  const sharing = web('sharing', '10.96.6.4', [{ port: 53, protocol: 'UDP', to: 5353 }], [pod5, pod6])
  await stage.apply(...dns('10.96.6.3', [pod5, pod6]), ...sharing)
  const { pid } = stage.agent
  for (const objects of [sharing, [...dns('10.96.6.3', [pod6]), ...sharing], sharing]) {
    await stage.apply(...objects)
    assert.deepEqual(await stage.reached('10.96.6.4', 53, 'udp'), [`${pod5}:5353`, `${pod6}:5353`])
  }
  assert.deepEqual(await stage.reached('10.96.6.3', 53), ['ENETUNREACH'])
  assert.equal(stage.agent.pid, pid, 'the agent is the same process')
  await stage.apply()
  assert.deepEqual(await stage.reached('10.96.6.4', 53, 'udp'), ['ENETUNREACH'])
})

test('[KPNG-C7] whatever comes, changes and goes: nothing of it stays in the maps', async () => {
  await stage.apply()
  // Ids keep their names until no socket can have them any more: one a service port at most.
  const isName = (line: string): boolean => line.startsWith('service ')
  const all = async (): Promise<readonly string[]> => await stage.kpng<string[]>('get', 'maps')
  const programmed = async (): Promise<readonly string[]> => (await all()).filter(line => !isName(line))
  const before = await programmed()
  for (let round = 0; round < 12; round++) {
    const endpoints = pods.slice(round % 3)
    await stage.apply(
      ...dns(`10.96.6.${10 + round}`, endpoints),
      ...web('web', '10.96.6.9', [{ port: 80 + round, to: 8080 + (round % 2) }], [...endpoints].reverse()),
    )
  }
  assert.deepEqual(
    await stage.reached('10.96.6.21', 53),
    [...pods.slice(2)].map(pod => `${pod}:5353`),
  )
  await stage.apply()
  assert.deepEqual(await programmed(), before)
  const names = (await all()).filter(isName).map(line => line.replace(/^service \d+/, ''))
  assert.equal(new Set(names).size, names.length, names.join())
})

test('[KPNG-C8] a Service whose address or whose slice’s port changes, with the same endpoints, is served as it is now', async () => {
  await stage.apply(...web('web', '10.96.6.30', [{ port: 80, to: 8080 }], [pod7]))
  assert.deepEqual(await stage.reached('10.96.6.30'), [`${pod7}:8080`])
  await stage.apply(...web('web', '10.96.6.31', [{ port: 80, to: 8080 }], [pod7]))
  assert.deepEqual(await stage.reached('10.96.6.30'), ['ENETUNREACH'])
  assert.deepEqual(await stage.reached('10.96.6.31'), [`${pod7}:8080`])
  await stage.apply(...web('web', '10.96.6.31', [{ port: 80, to: 8081 }], [pod7]))
  assert.deepEqual(await stage.reached('10.96.6.31'), [`${pod7}:8081`])
})

test('[KPNG-C1 KPNG-C15] what is odd or has parts missing is left out or reported; the others go on', async () => {
  const good = web('good', '10.96.6.40', [{ port: 80, to: 8080 }], [pod5, pod5, pod6])
  const odd = [
    service({ name: 'headless', clusterIPs: ['None'], ports: [{ port: 80 }] }),
    service({ name: 'six-only', clusterIPs: ['fd00:96::40'], ports: [{ port: 80 }] }),
    web('sctp', '10.96.6.41', [{ port: 80, protocol: 'SCTP', to: 8080 }], [pod5]),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'bare' } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'empty' }, spec: {} },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'null' }, spec: null },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'bare', labels: { 'kubernetes.io/service-name': 'six-only' } },
      addressType: 'IPv6',
      endpoints: [{}, { addresses: [] }, { addresses: null }, null],
      ports: [{}, null],
    },
  ].flat()
  await stage.apply(...good)
  const { pid } = stage.agent
  const { synced, problems } = await stage.tryApply(...good, ...odd)
  assert.equal(synced, true)
  assert.ok(
    problems.some(({ message }) => /SCTP/.test(message)),
    JSON.stringify(problems),
  )
  assert.equal(stage.agent.pid, pid)
  const tally = await stage.tally('10.96.6.40', 80, 200)
  assert.deepEqual(Object.keys(tally).sort(), [`${pod5}:8080`, `${pod6}:8080`])
  // 5 standard deviations from one half: the one that is listed twice has no second share.
  assert.ok(Math.abs((tally[`${pod5}:8080`] ?? 0) - 100) < 36, JSON.stringify(tally))
  assert.deepEqual(await stage.reached('fd00:96::40'), ['ECONNREFUSED'])
})

test('[KPNG-D11] no program that is attached writes to the kernel’s trace', () => {
  const links = join('/sys/fs/bpf/kpng', stage.agent.instance, 'link')
  const hooks = readdirSync(links)
  assert.ok(hooks.includes('connect4'), hooks.join())
  for (const hook of hooks) {
    using link = openPinnedLink(join(links, hook))
    const id = `${link.info().programId}`
    const calls = execFileSync('bpftool', ['prog', 'dump', 'xlated', 'id', id], { encoding: 'utf8' }).match(
      /call .*/g,
    )
    assert.deepEqual(calls?.filter(call => /printk|seq_/.test(call)) ?? [], [], hook)
    if (hook === 'connect4') assert.match(calls?.join() ?? '', /map_lookup/, 'the calls have names')
  }
})

test('[DP-9.20] a client’s affinity outlives a hundred syncs and changes of others', async () => {
  const affinity = { sessionAffinity: 'ClientIP' }
  const sticky = Array.from({ length: 8 }, (_, number) => [
    service({
      name: `s${number}`,
      clusterIPs: [`10.96.6.${50 + number}`],
      ports: [{ port: 80 }],
      spec: affinity,
    }),
    endpointSlice({ service: `s${number}`, ports: [{ port: 8080 }], endpoints: pods }),
  ]).flat()
  const around = async (): Promise<readonly string[]> =>
    await stage.clients.run('[tcp(f"10.96.6.{50 + n}", 80) for n in range(8)]')
  await stage.apply(...sticky)
  const first = await around()
  for (let round = 0; round < 100; round++) {
    if (round % 10 === 0)
      await stage.apply(
        ...sticky,
        ...web('other', '10.96.6.60', [{ port: 80, to: 8080 }], pods.slice(round % 3)),
      )
    else await stage.agent.sync()
    assert.deepEqual(await around(), first, `after ${round + 1} syncs`)
  }
})

test('[DP-9.26] with node ports protected, sockets that take any port get one, and none of a Service', async () => {
  const nodePorts = Array.from({ length: 50 }, (_, index) => 30_000 + index * 50)
  await stage.agent.stop()
  await stage.agent.start(['--protect-node-ports'])
  try {
    await stage.apply(
      service({
        name: 'guarded',
        type: 'NodePort',
        clusterIPs: ['10.96.6.70'],
        ports: nodePorts.map((nodePort, index) => ({ name: `p${index}`, port: 1000 + index, nodePort })),
      }),
    )
    const [failed, taken, guarded] = await stage.clients.run<[number, number[], string]>(`
failed, taken = 0, set()
for round in range(10000):
    s = socket.socket(socket.AF_INET6 if round % 2 else socket.AF_INET, STREAM)
    try:
        s.bind(("::" if round % 2 else "0.0.0.0", 0))
        taken.add(s.getsockname()[1])
    except OSError:
        failed += 1
    s.close()
s = socket.socket(socket.AF_INET, STREAM)
try:
    s.bind(("0.0.0.0", ${nodePorts[0]})); guarded = "bound"
except OSError as error:
    guarded = error_name(error)
s.close()
result = [failed, sorted(taken), guarded]`)
    assert.equal(failed, 0)
    assert.ok(taken.length > 1000, `${taken.length} different ports`)
    assert.deepEqual(
      nodePorts.filter(port => taken.includes(port)),
      [],
    )
    assert.equal(guarded, 'EADDRINUSE', 'and the guard is there')
  } finally {
    await stage.agent.stop()
    await stage.agent.start()
  }
})
