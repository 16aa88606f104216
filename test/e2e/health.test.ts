import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestHost } from './agent.ts'
import { endpointSlice, node, service } from './manifests.ts'
import { curl, Neighbours } from './neighbour.ts'

const health = '--healthz-bind-address=0.0.0.0:10256'
const nodeAddresses = ['192.168.78.1', 'fd00:78::1']
const plainNode = node('node-a', nodeAddresses)
const tainted = {
  ...plainNode,
  spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] },
}
const otherTaint = {
  ...plainNode,
  spec: { taints: [{ key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }] },
}
const leaving = node('node-a', nodeAddresses)
Object.assign(leaving.metadata as object, { deletionTimestamp: '2026-01-01T00:00:00Z' })

const time = String.raw`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"`
const status = `"status":\\{"IPv4":\\{"lastUpdated":${time},"healthy":true\\},"IPv6":\\{"lastUpdated":${time},"healthy":true\\}\\}`
const livez = new RegExp(`^\\{"lastUpdated":${time},"currentTime":${time},"healthy":true,${status}\\}$`)
const healthz = (eligible: boolean) =>
  new RegExp(
    `^\\{"lastUpdated":${time},"currentTime":${time},"nodeEligible":${eligible},"healthy":true,${status}\\}$`,
  )

/** Until `look` gives what is wanted, so many seconds at most. */
async function until<T>(look: () => Promise<T>, wanted: (got: T) => boolean, seconds = 10): Promise<T> {
  for (const deadline = performance.now() + seconds * 1_000; ; await sleep(50)) {
    const got = await look()
    if (wanted(got)) return got
    if (performance.now() > deadline) throw new Error(`not in ${seconds} s: ${JSON.stringify(got)}`)
  }
}

test('[KP-8.1.1 KP-8.1.2 KP-8.1.3 KP-8.1.4 KP-8.1.6 KPNG-C19] /healthz follows the Node, /livez does not', async () => {
  await using pair = new Neighbours()
  const agent = pair.node.agent()
  agent.write([plainNode])
  await agent.start([health])
  const ask = (path: string, ...args: string[]) => pair.curl(`http://192.168.78.1:10256${path}`, args)
  for (const [name, manifests, eligible] of [
    ['as it is', [plainNode], true],
    ['about to be taken away by the autoscaler', [tainted], false],
    ['with another taint', [otherTaint], true],
    ['being deleted', [leaving], false],
    ['of another name', [node('node-b', ['192.168.78.9'])], false],
    ['back', [plainNode], true],
  ] as const) {
    await agent.apply(manifests)
    const answer = await ask('/healthz')
    assert.equal(answer.status, eligible ? 200 : 503, name)
    assert.match(answer.body, healthz(eligible), name)
    const alive = await ask('/livez')
    assert.equal(alive.status, 200, name)
    assert.match(alive.body, livez, name)
    assert.equal(alive.headers['content-type'], 'application/json')
    assert.equal(alive.headers['x-content-type-options'], 'nosniff')
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    assert.equal((await ask('/healthz', '-X', method)).status, 200, method)
  assert.equal((await ask('/healthz?verbose')).status, 200)
  for (const path of ['/', '/healthz/', '/healthz/ping', '/metrics'])
    assert.equal((await ask(path)).status, 404, path)
  const { status: overIPv6 } = await pair.curl('http://[fd00:78::1]:10256/healthz')
  assert.equal(overIPv6, 200, '0.0.0.0 is every address of both families')
})

test('[KP-8.1.5 KP-6.2 KP-8.2.1] a datapath that cannot follow is told after two syncPeriods, by every health answer', async () => {
  await using host = new TestHost()
  host.addAddresses(['192.168.78.1/32'])
  const agent = host.agent()
  const balanced = {
    type: 'LoadBalancer',
    clusterIPs: ['10.96.0.1'],
    ports: [{ port: 80, nodePort: 30080 }],
    spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 },
  }
  const slice = endpointSlice({
    service: 'web',
    ports: [{ port: 80 }],
    endpoints: ['10.1.0.1'],
    nodeName: 'node-a',
  })
  const objects = [plainNode, service({ name: 'web', ...balanced }), slice]
  agent.write(objects)
  await agent.start([health, '--iptables-sync-period=1s', '--iptables-min-sync-period=0s'])
  const ask = (path: string) => curl(host, `http://127.0.0.1:10256${path}`)
  const serviceHealth = () => curl(host, 'http://192.168.78.1:31000/')
  assert.equal((await ask('/livez')).status, 200)
  await until(serviceHealth, ({ status }) => status === 200)
  // From now on the kernel takes no new frontend.
  execFileSync('bpftool', ['map', 'freeze', 'pinned', `/sys/fs/bpf/kpng/${agent.instance}/gen-1/svc4`])
  const startMs = performance.now()
  agent.write([...objects, service({ name: 'new', clusterIPs: ['10.96.0.2'], ports: [{ port: 80 }] })])
  const late = await until(
    () => ask('/livez'),
    ({ status }) => status === 503,
  )
  assert.ok(performance.now() - startMs >= 2_000, 'not before its time')
  assert.match(late.body, /^\{"lastUpdated":"2[^"]*","currentTime":"2[^"]*","healthy":false,"status":/)
  const { body, status } = await ask('/healthz')
  assert.equal(status, 503)
  assert.match(body, /"nodeEligible":true,"healthy":false/)
  const balancer = await serviceHealth()
  assert.deepEqual(
    [balancer.status, balancer.headers['x-load-balancing-endpoint-weight'], JSON.parse(balancer.body)],
    [
      503,
      '1',
      { service: { namespace: 'default', name: 'web' }, localEndpoints: 1, serviceProxyHealthy: false },
    ],
  )
})

test('[KP-8.2.1 KP-8.2.2 KP-8.2.3 KP-14.9] load balancers are told how many local endpoints a Service has', async () => {
  await using pair = new Neighbours()
  const agent = pair.node.agent()
  const balanced = (port: number, type = 'LoadBalancer') =>
    service({
      ...{
        name: 'web',
        type,
        clusterIPs: ['10.96.0.1', 'fd00:96::1'],
        ports: [{ port: 80, nodePort: 30080 }],
      },
      spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: port },
    })
  const slice = (...endpoints: Parameters<typeof endpointSlice>[0]['endpoints']) =>
    endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints, nodeName: 'node-a' })
  const v4 = (path = '/') => pair.curl(`http://192.168.78.1:31000${path}`)
  const v6 = () => pair.curl('http://[fd00:78::1]:31000/')
  const weight = ({ status, headers }: Awaited<ReturnType<typeof v4>>) => [
    status,
    headers['x-load-balancing-endpoint-weight'],
  ]
  const elsewhere = { address: '10.1.0.9', nodeName: 'node-b' }
  const ending = { address: '10.1.0.3', ready: false, serving: true, terminating: true }
  const two = [slice('10.1.0.1', '10.1.0.2', elsewhere, ending), slice('fd01::1')]
  agent.write([plainNode, balanced(31000), ...two])
  await agent.start([health])

  const answer = await until(
    () => v4(),
    ({ status }) => status !== 0,
  )
  assert.equal(
    answer.body,
    '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
  )
  assert.equal(answer.headers['content-type'], 'application/json')
  assert.equal(answer.headers['x-content-type-options'], 'nosniff')
  assert.deepEqual(weight(answer), [200, '2'])
  assert.deepEqual(weight(await v4('/any/path?x=y')), [200, '2'])
  assert.deepEqual(weight(await v6()), [200, '1'], 'each family has its own')

  await agent.apply([tainted, balanced(31000), ...two])
  assert.deepEqual(weight(await v4()), [200, '2'], 'a Node that is about to go is healthy here')

  await agent.apply([plainNode, balanced(31000), slice(elsewhere, ending), slice('fd01::1')])
  assert.deepEqual(weight(await v4()), [503, '0'], 'ending endpoints do not count, though they serve')
  assert.deepEqual(weight(await v6()), [200, '1'])

  await agent.apply([plainNode, balanced(31001), ...two])
  const moved = () => pair.curl('http://192.168.78.1:31001/')
  assert.deepEqual(weight(await until(moved, ({ status }) => status !== 0)), [200, '2'])
  assert.equal((await v4()).status, 0, 'the old port is closed')

  await agent.apply([plainNode, balanced(31001, 'NodePort'), ...two])
  await until(moved, ({ status }) => status === 0)
})

test('[KP-8.2.1 KP-8.1.7] health of Services is served where nodePortAddresses say', async () => {
  await using pair = new Neighbours()
  pair.node.ip('addr add 192.168.79.1/24 dev lo')
  const agent = pair.node.agent()
  const objects = [
    plainNode,
    service({
      ...{
        name: 'web',
        type: 'LoadBalancer',
        clusterIPs: ['10.96.0.1', 'fd00:96::1'],
        ports: [{ port: 80 }],
      },
      spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 },
    }),
    endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: ['10.1.0.1'], nodeName: 'node-a' }),
  ]
  const from = async (address: string) =>
    (await pair.curl(`http://${address}:31000/`, [], pair.node)).status !== 0
  const all = ['192.168.78.1', '192.168.79.1', '127.0.0.1', '[fd00:78::1]']
  const served = async () => {
    await until(
      () => from('192.168.78.1'),
      up => up,
    )
    return await Promise.all(all.map(from))
  }
  agent.write(objects)
  await agent.start()
  assert.deepEqual(await served(), [true, false, false, true], 'primary addresses')
  for (const port of [10_249, 10_256])
    assert.equal(
      (await curl(pair.node, `http://127.0.0.1:${port}/healthz`)).status,
      0,
      'an empty address is off',
    )
  await agent.stop()
  await agent.start(['--nodeport-addresses=192.168.78.0/24'])
  assert.deepEqual(await served(), [true, false, false, true], 'CIDRs of one family say nothing of the other')
  await agent.stop()
  await agent.start(['--nodeport-addresses=0.0.0.0/0'])
  assert.deepEqual(await served(), [true, true, true, true])
})

test('[KP-8.2.3] a health check port that somebody has is a problem, and taken when it becomes free', async () => {
  await using host = new TestHost()
  host.addAddresses(['192.168.78.1/32'])
  const squatter = host.start(['python3', '-m', 'http.server', '--bind', '192.168.78.1', '31000'])
  const ask = () => curl(host, 'http://192.168.78.1:31000/')
  await until(ask, ({ status }) => status === 200)
  const agent = host.agent()
  const web = (version: number) =>
    service({
      ...{ name: 'web', type: 'LoadBalancer', clusterIPs: ['10.96.0.1'], ports: [{ port: version }] },
      spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: 31000 },
    })
  agent.write([node('node-a', ['192.168.78.1']), web(1)])
  await agent.start()
  const problems = async () => (await agent.sync()).problems
  const [problem] = await until(problems, ({ length }) => length > 0)
  assert.deepEqual([problem?.where, problem?.field], ['default/web', 'spec.healthCheckNodePort'])
  assert.match(
    problem?.message ?? '',
    /^node node-a failed to start healthcheck "default\/web" on port 31000: listen EADDRINUSE/,
  )
  squatter.kill('SIGKILL')
  await sleep(1_000)
  agent.write([node('node-a', ['192.168.78.1']), web(2)])
  await until(problems, ({ length }) => length === 0)
  assert.equal((await ask()).headers['x-load-balancing-endpoint-weight'], '0')
})

test('[KP-8.1.7] a health port that is taken is tried again; with --bind-address-hard-fail the agent ends', async () => {
  await using host = new TestHost()
  const taken = host.start(['python3', '-m', 'http.server', '--bind', '127.0.0.1', '10256'])
  const ask = (path: string) => curl(host, `http://127.0.0.1:10256${path}`)
  await until(
    () => ask('/'),
    ({ status }) => status === 200,
  )
  const agent = host.agent()
  agent.write([plainNode])
  const at = '--healthz-bind-address=127.0.0.1:10256'
  const child = agent.spawn([at, '--bind-address-hard-fail=true'])
  const code = await new Promise(resolve => child.once('exit', resolve))
  assert.equal(code, 1)
  assert.match(agent.log, /failed to start healthz server on 127\.0\.0\.1 port 10256: listen EADDRINUSE/)

  await agent.start([at])
  taken.kill('SIGKILL')
  const answer = await until(
    () => ask('/livez'),
    ({ status }) => status === 200,
    15,
  )
  assert.match(answer.body, livez)
})
