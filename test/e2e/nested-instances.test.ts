import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { AttachType, queryCgroup } from '@kpng/ebpf'
import { type TestAgent, TestHost } from './agent.ts'
import { kpngOk } from './lab.ts'
import { endpointSlice, node, service } from './manifests.ts'

/** Served by both, by the outer alone, by the inner alone, and refused by the inner while the outer serves it. */
const [both, outerOnly, innerOnly, refused] = ['10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4']
const outerBackend = '10.180.0.1'
const innerBackend = '10.180.0.2'

const objects = (backend: string, vips: readonly string[], empty: readonly string[] = []): unknown[] => [
  node('node-a', ['192.168.78.1']),
  ...[...vips, ...empty].flatMap(vip => {
    const name = `s${vip.replaceAll('.', '-')}`
    const ports = [
      { name: 'tcp', port: 80 },
      { name: 'udp', port: 53, protocol: 'UDP' as const },
    ]
    return [
      service({ name, clusterIPs: [vip], ports }),
      endpointSlice({
        service: name,
        ports: ports.map(port => ({ ...port, port: 8080 })),
        endpoints: empty.includes(vip) ? [] : [backend],
      }),
    ]
  }),
]

/** Who answers over TCP and UDP, whom the client thinks it speaks with, or the errors. */
const client = (vip: string): string => `
import errno, json, socket
def attempt(kind, port, send):
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(2)
        try:
            s.connect(("${vip}", port))
            if send: s.send(b"q")
            return [s.recv(100).decode().strip(), s.getpeername()[0]]
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        try:
            s.sendto(b"q", ("${vip}", 53))
            answer, source = s.recvfrom(100)
            return [answer.decode().strip(), source[0]]
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
print(json.dumps([attempt(socket.SOCK_STREAM, 80, False), attempt(socket.SOCK_DGRAM, 53, True), datagram()]))
`

/** A host with an agent, and another agent for a cgroup below. */
class Nested implements AsyncDisposable {
  readonly host = new TestHost()
  readonly inner = join(this.host.cgroup, 'inner')
  readonly outerAgent = this.host.agent('-outer')
  readonly innerAgent = this.host.agent('-inner', this.inner)

  static async up(): Promise<Nested> {
    await using resources = new AsyncDisposableStack()
    const nested = resources.use(new Nested())
    mkdirSync(nested.inner)
    nested.host.addAddresses([`${outerBackend}/32`, `${innerBackend}/32`])
    await nested.host.listen(
      [outerBackend, innerBackend].flatMap(address => [
        { address, port: 8080 },
        { address, port: 8080, protocol: 'udp' as const },
      ]),
    )
    nested.outerAgent.write(objects(outerBackend, [both, outerOnly, refused]))
    nested.innerAgent.write(objects(innerBackend, [both, innerOnly], [refused]))
    // Whichever comes first.
    await nested.innerAgent.start()
    await nested.outerAgent.start()
    resources.move()
    return nested
  }

  async ask(vip: string, cgroup = this.host.cgroup): Promise<unknown> {
    const { stdout, stderr } = await this.host.run(['python3', '-c', client(vip)], cgroup)
    assert.equal(stderr, '')
    return JSON.parse(stdout)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]()
  }
}

/** Connections and datagrams that an agent counts for one of its Services. */
async function counted(agent: TestAgent, vip: string): Promise<readonly number[]> {
  const name = `s${vip.replaceAll('.', '-')}`
  const text = await kpngOk(['get', 'services', '--instance', agent.instance, '-o', 'json'])
  const rows = (
    JSON.parse(text) as { name: string; counts: { connections: number; datagrams: number } }[]
  ).filter(row => row.name === name)
  return [
    rows.reduce((sum, { counts }) => sum + counts.connections, 0),
    rows.reduce((sum, { counts }) => sum + counts.datagrams, 0),
  ]
}

const answered = (backend: string, vip: string): unknown =>
  Array.from({ length: 3 }, () => [`${backend}:8080`, vip])

let shared: Nested | undefined
const nested = async (): Promise<Nested> => {
  shared ??= await Nested.up()
  return shared
}
after(async () => await shared?.[Symbol.asyncDispose]())

test('a Service of both is translated once, by the instance that is nearer to the client', async () => {
  const it = await nested()
  assert.deepEqual(await it.ask(both, it.inner), answered(innerBackend, both))
  assert.deepEqual(await counted(it.innerAgent, both), [2, 1])
  assert.deepEqual(await counted(it.outerAgent, both), [0, 0], 'it meets an address that is no Service')
  assert.deepEqual(await it.ask(both), answered(outerBackend, both))
  assert.deepEqual(await counted(it.innerAgent, both), [2, 1])
  assert.deepEqual(await counted(it.outerAgent, both), [2, 1])
})

test('a Service of the outer instance alone is served to clients of the inner one', async () => {
  const it = await nested()
  assert.deepEqual(await it.ask(outerOnly, it.inner), answered(outerBackend, outerOnly))
  assert.deepEqual(await counted(it.outerAgent, outerOnly), [2, 1])
})

test('a Service of the inner instance alone is nothing to a client outside of it', async () => {
  const it = await nested()
  assert.deepEqual(await it.ask(innerOnly, it.inner), answered(innerBackend, innerOnly))
  assert.deepEqual(await it.ask(innerOnly), ['ENETUNREACH', 'ENETUNREACH', 'ENETUNREACH'])
})

test('what the inner instance refuses is refused, though the outer one would serve it', async () => {
  const it = await nested()
  assert.deepEqual(await it.ask(refused, it.inner), ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED'])
  assert.deepEqual(await it.ask(refused), answered(outerBackend, refused))
})

test('both are well, and the kernel runs the programs of the inner one first', async () => {
  const it = await nested()
  for (const agent of [it.innerAgent, it.outerAgent]) {
    const { synced, problems } = await agent.status()
    assert.deepEqual([synced, problems], [true, []])
  }
  const hook = AttachType.CGROUP_INET4_CONNECT
  const own = [it.inner, it.host.cgroup].map(cgroup => queryCgroup(cgroup, hook).programIds)
  assert.deepEqual(queryCgroup(it.inner, hook, { effective: true }).programIds, own.flat())
})

test('a cgroup that another instance was left on is refused until that is cleaned up', async () => {
  const it = await nested()
  await it.innerAgent.stop('SIGKILL')
  const other = it.host.agent('-other', it.inner)
  other.write(objects(outerBackend, [both]))
  other.spawn()
  assert.equal(await other.ended(), 1)
  const advice = `is served by instance ${it.innerAgent.instance}: stop its agent and run kpng cleanup --instance ${it.innerAgent.instance}`
  assert.ok(other.log.includes(advice), other.log)
  assert.deepEqual(await it.ask(both, it.inner), answered(innerBackend, both), 'what was left goes on')
  await kpngOk(['cleanup', '--instance', it.innerAgent.instance])
  await other.start()
  assert.deepEqual(await it.ask(both, it.inner), answered(outerBackend, both))
  await other.stop()
  await kpngOk(['cleanup', '--instance', other.instance])
  await it.innerAgent.start()
})
