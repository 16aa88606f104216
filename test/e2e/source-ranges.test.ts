import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { Clients } from './clients.ts'
import { kpngOk, TestLab } from './lab.ts'
import { endpointSlice, node, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** Pods on one node: the backends, one whose source the ranges hold, one whose source they don't. */
const backends = ['10.180.0.1', 'fd00:180::1']
const inside = ['10.180.0.9', 'fd00:180::9']
const outside = ['10.180.0.20', 'fd00:180::20']
const vips = ['192.0.2.1', '2001:db8::1']
const ports = [
  { name: 'http', port: 80 },
  { name: 'dns', port: 80, protocol: 'UDP' as const },
]

const slicesOf = (name: string, addresses: readonly string[]): unknown[] =>
  addresses.map((address, index) =>
    endpointSlice({
      service: name,
      name: `${name}-${index}`,
      ports: ports.map(port => ({ ...port, port: 8080 })),
      endpoints: [{ address, nodeName: 'node-a' }],
    }),
  )

const objects = (ranges: readonly string[], spec: Record<string, unknown> = {}): unknown[] => [
  node('node-a', ['192.168.77.1', 'fd00:77::1']),
  node('node-b', ['192.168.77.2', 'fd00:77::2']),
  service({
    name: 'web',
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.1', 'fd00:96::1'],
    ports: ports.map(port => ({ ...port, nodePort: 30080 })),
    spec: { loadBalancerSourceRanges: ranges, externalIPs: ['198.51.100.1'], ...spec },
    status: { loadBalancer: { ingress: vips.map(ip => ({ ip })) } },
  }),
  ...slicesOf('web', backends),
  service({ name: 'clients', clusterIPs: ['10.96.0.9', 'fd00:96::9'], ports }),
  ...slicesOf('clients', [...inside, ...outside]),
]
const ranges = ['10.180.0.8/29', '192.168.77.1/32', 'fd00:180::8/125']

let lab: TestLab
beforeEach(async () => {
  lab ??= await TestLab.up(objects(ranges))
})
after(async () => {
  await lab?.[Symbol.asyncDispose]()
})

const targets = ['192.0.2.1:80', '192.0.2.1:80/udp', '[2001:db8::1]:80', '[2001:db8::1]:80/udp']
const isIPv6 = (to: string): boolean => to.startsWith('[')
const podOf = (addresses: readonly string[], to: string): string =>
  `pod/${addresses.find(address => address.includes(':') === isIPv6(to))}`

for (const to of targets) {
  test(`[KP-4.10 KP-4.2.1] ${to}: a pod in the ranges is served, one that is not is turned away at once`, async () => {
    const served = await lab.probe(podOf(inside, to), to, 5)
    assert.equal(Object.values(served.answered)[0], 5, JSON.stringify(served))
    const blocked = await lab.probe(podOf(outside, to), to, 5)
    // Not timed out: told so.
    assert.equal(blocked.unreachable, 5, JSON.stringify(blocked))
  })
}

test('[KP-4.10 KP-4.2.1] nodes are subject to the ranges, too', async () => {
  const served = await lab.probe('node/node-a', '192.0.2.1:80', 5)
  assert.deepEqual(served.answered, { '10.180.0.1:8080': 5 }, JSON.stringify(served))
  assert.equal((await lab.probe('node/node-b', '192.0.2.1:80', 5)).unreachable, 5)
  assert.equal((await lab.probe('node/node-a', '[2001:db8::1]:80', 5)).unreachable, 5)
})

test('[KP-4.2.1] ClusterIPs, external IPs and NodePorts are open to everybody', async () => {
  for (const to of ['10.96.0.1:80', '198.51.100.1:80', '192.168.77.1:30080', '[fd00:96::1]:80/udp']) {
    const result = await lab.probe(podOf(outside, to), to, 3)
    assert.equal(Object.values(result.answered)[0], 3, `${to} ${JSON.stringify(result)}`)
  }
})

test('[KP-4.2.1] ranges that change are in force when the agent says so', async () => {
  try {
    await lab.apply(objects(['10.180.0.20/32']))
    assert.equal((await lab.probe('pod/10.180.0.9', '192.0.2.1:80', 5)).unreachable, 5)
    assert.equal((await lab.probe('pod/10.180.0.20', '192.0.2.1:80', 5)).answered['10.180.0.1:8080'], 5)
    // Of IPv6 there is no range any more.
    assert.equal(
      (await lab.probe('pod/fd00:180::20', '[2001:db8::1]:80', 5)).answered['[fd00:180::1]:8080'],
      5,
    )
    await lab.apply(objects([]))
    assert.equal((await lab.probe('pod/10.180.0.9', '192.0.2.1:80', 5)).answered['10.180.0.1:8080'], 5)
  } finally {
    await lab.apply(objects(ranges))
  }
  assert.equal((await lab.probe('pod/10.180.0.20', '192.0.2.1:80', 5)).unreachable, 5)
})

test('[KP-4.2.1] explain names the range that decides, and the kernel agrees', async () => {
  const explain = async (from: string) =>
    await kpngOk(['explain', '192.0.2.1:80', '--from', from, '--instance', lab.instance('node-a')])
  const allowed = await explain('10.180.0.9')
  assert.match(allowed, /forwarded/)
  assert.match(allowed, /open to 10\.180\.0\.9 by its loadBalancerSourceRanges \(10\.180\.0\.8\/29\)/)
  assert.match(allowed, /kernel {4}agrees/)
  assert.doesNotMatch(allowed, /differs/)
  const blocked = await explain('10.180.0.20')
  assert.match(blocked, /unreachable/)
  assert.match(blocked, /10\.180\.0\.20 is in none of its loadBalancerSourceRanges/)
  const maps = await kpngOk(['get', 'maps', '--instance', lab.instance('node-a')])
  assert.match(maps, /^source4 10\.180\.0\.8\/29 -> service default\/web:http$/m)
  assert.match(maps, /^netns \d+ -> source 10\.180\.0\.9( |$)/m)
})

/** One node without a way out: what the kernel would choose as source is said by a route. */
let stage: Stage
async function oneNode(): Promise<Stage> {
  stage ??= await Stage.up({ pods: ['10.180.0.1', '10.180.0.9', '10.180.0.20'] })
  return stage
}
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})
const ranged = (sourceRanges: readonly string[]): unknown[] => [
  service({
    name: 'web',
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.1'],
    ports,
    spec: { loadBalancerSourceRanges: sourceRanges },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
  }),
  endpointSlice({
    service: 'web',
    ports: ports.map(port => ({ ...port, port: 8080 })),
    endpoints: ['10.180.0.1'],
  }),
]

const functions = `
def attempt(bound=None):
    with new_socket("192.0.2.1", STREAM) as s:
        try:
            if bound: s.bind((bound, 0))
            s.connect(("192.0.2.1", 80))
            return "connected"
        except OSError as error: return error_name(error)
def retry(wanted, seconds):
    started = time.monotonic()
    while (last := attempt()) != wanted and time.monotonic() - started < seconds: time.sleep(0.05)
    return [last, time.monotonic() - started]
result = None`

test('a pod of a new namespace that tries again is served within a second', async () => {
  const stage = await oneNode()
  await stage.apply(...ranged(['10.180.0.9/32']))
  for (let pods = 0; pods < 3; pods++) {
    await using pod = Clients.inNewNamespace(stage.host, ['10.180.0.9', '10.180.0.1'])
    await pod.run('serve("tcp 10.180.0.1 8080")')
    await pod.run(functions)
    await pod.run('import os; result = os.system("ip route add default dev lo src 10.180.0.9")')
    const [last, seconds] = await pod.run<[string, number]>('retry("connected", 5)')
    assert.equal(last, 'connected')
    // A second on a quiet machine.
    assert.ok(seconds < 5, `${seconds} s`)
    assert.equal(await pod.run('attempt("10.180.0.1")'), 'EHOSTUNREACH')
  }
})

test('with the agent dead the ranges stay in force for the namespaces that are known', async () => {
  const stage = await oneNode()
  stage.host.ip('route replace default dev lo src 10.180.0.9')
  await stage.apply(...ranged(['10.180.0.9/32']))
  await stage.clients.run(functions)
  assert.equal((await stage.clients.run<[string]>('retry("connected", 10)'))[0], 'connected')
  await stage.agent.stop('SIGKILL')
  assert.equal(await stage.clients.run('attempt()'), 'connected')
  assert.equal(await stage.clients.run('attempt("10.180.0.20")'), 'EHOSTUNREACH')
  await stage.agent.start()
  assert.equal(await stage.clients.run('attempt()'), 'connected')
  stage.host.ip('route replace default dev lo src 10.180.0.20')
  const [moved] = await stage.clients.run<[string]>('retry("EHOSTUNREACH", 15)')
  assert.equal(moved, 'EHOSTUNREACH', 'an address that changes is noticed')
})

test('ranges that do not fit stay closed, are reported, and open when there is room', async () => {
  const stage = await Stage.up({ pods: ['10.180.0.1'], options: ['--max-service-ports', '16'] })
  try {
    stage.host.ip('route add default dev lo src 10.180.0.1')
    const many = Array.from({ length: 20 }, (_, index) => `10.181.${index}.0/24`)
    const { problems } = await stage.tryApply(...ranged([...many, '10.180.0.0/24']))
    assert.ok(problems.length > 0 && problems.every(problem => problem.where === 'default/web'))
    assert.match(problems.map(problem => problem.message).join(), /source range .* does not fit/)
    await stage.apply(...ranged(['10.180.0.0/24']))
    await stage.clients.run(functions)
    assert.equal((await stage.clients.run<[string]>('retry("connected", 12)'))[0], 'connected')
  } finally {
    await stage[Symbol.asyncDispose]()
  }
})
