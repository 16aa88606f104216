import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { Clients } from './clients.ts'
import { TestLab } from './lab.ts'
import { endpointSlice, node, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** Connected UDP sockets of other network namespaces than the agent's. */
const pods = ['10.180.0.1', '10.180.0.2', 'fd00:180::1', 'fd00:180::2']
const ports = [{ port: 8080, protocol: 'UDP' }]
const dns = (name: string, vips: readonly string[], endpoints: readonly string[]): unknown[] => [
  service({ name, clusterIPs: vips, ports: [{ port: 53, protocol: 'UDP' }] }),
  ...[endpoints.filter(pod => !pod.includes(':')), endpoints.filter(pod => pod.includes(':'))]
    .filter(list => list.length > 0)
    .map(list => endpointSlice({ service: name, ports, endpoints: list })),
]

/** In both namespaces a socket of each kind; `told` is what each of them gets for its next datagram. */
const open = `
def connected(kind, address, port):
    s = socket.socket(kind, DATAGRAM); s.settimeout(1); s.connect((address, port)); return s
sockets = {
    "plain": connected(socket.AF_INET, "10.96.6.1", 53),
    "mapped": connected(socket.AF_INET6, "::ffff:10.96.6.1", 53),
    "six": connected(socket.AF_INET6, "fd00:96::61", 53),
    "other Service": connected(socket.AF_INET, "10.96.6.2", 53),
    "the pod itself": connected(socket.AF_INET, "10.180.0.1", 8080),
}
def told(): return {name: (a if isinstance(a := ask(s), str) else a[0]) for name, s in sockets.items()}
result = told()`

/** Who goes on connects again when it is told that its flow has gone, as resolvers do. */
const moveOn = `
started = time.monotonic()
took = {}
while time.monotonic() - started < 3 and len(took) < 3:
    for name, vip in (("plain", "10.96.6.1"), ("mapped", "::ffff:10.96.6.1"), ("six", "fd00:96::61")):
        answer = ask(sockets[name])
        if isinstance(answer, str): sockets[name].connect((vip, 53))
        elif "2" in answer[0].split(":8080")[0][-2:]: took.setdefault(name, time.monotonic() - started)
    time.sleep(0.01)
result = took`

const before1 = {
  plain: '10.180.0.1:8080',
  mapped: '10.180.0.1:8080',
  six: '[fd00:180::1]:8080',
  'other Service': '10.180.0.1:8080',
  'the pod itself': '10.180.0.1:8080',
}
const after1 = {
  ...before1,
  plain: '10.180.0.2:8080',
  mapped: '10.180.0.2:8080',
  six: '[fd00:180::2]:8080',
}

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

const first = [
  ...dns('dns', ['10.96.6.1', 'fd00:96::61'], ['10.180.0.1', 'fd00:180::1']),
  ...dns('other', ['10.96.6.2'], ['10.180.0.1']),
]
const second = [
  ...dns('dns', ['10.96.6.1', 'fd00:96::61'], ['10.180.0.2', 'fd00:180::2']),
  ...dns('other', ['10.96.6.2'], ['10.180.0.1']),
]

async function podNamespace(): Promise<Clients> {
  const pod = Clients.inNewNamespace(stage.host, pods)
  await pod.run(`serve(${pods.map(address => `"udp ${address} 8080"`).join(', ')})`)
  return pod
}

async function assertMovedOn(pod: Clients): Promise<void> {
  const took = await pod.run<Record<string, number>>(moveOn)
  assert.deepEqual(Object.keys(took).sort(), ['mapped', 'plain', 'six'], JSON.stringify(took))
  for (const seconds of Object.values(took)) assert.ok(seconds < 2.5, JSON.stringify(took))
  assert.deepEqual(await pod.run('told()'), after1, 'the others are the same sockets as before')
}

test('in a namespace that only its process holds: sockets of the gone backend move on, those of others stay', async () => {
  await stage.apply(...first)
  await using pod = await podNamespace()
  assert.deepEqual(await pod.run(open), before1)
  await stage.apply(...second)
  await assertMovedOn(pod)
})

test('[KP-7.1] a backend that goes while the agent is dead: sockets move on when it is back', async () => {
  await stage.apply(...first)
  await using pod = await podNamespace()
  assert.deepEqual(await pod.run(open), before1)
  await stage.agent.stop('SIGKILL')
  stage.write(...second)
  assert.deepEqual(await pod.run('told()'), before1)
  await stage.agent.start()
  await assertMovedOn(pod)
})

test('a Service that is deleted: its sockets are told', async () => {
  await stage.apply(...first)
  await using pod = await podNamespace()
  assert.deepEqual(await pod.run(open), before1)
  await stage.apply(...dns('other', ['10.96.6.2'], ['10.180.0.1']))
  const told = await pod.run<Record<string, string>>('told()')
  for (const name of ['plain', 'mapped', 'six']) assert.doesNotMatch(told[name] ?? '', /8080/, name)
  assert.deepEqual([told['other Service'], told['the pod itself']], ['10.180.0.1:8080', '10.180.0.1:8080'])
})

test('in the pods of a lab: each node’s agent ends the sockets of its own pods, within a second', async () => {
  const nodes = [node('node-a', ['192.168.75.1']), node('node-b', ['192.168.75.2'])]
  const slice = (...endpoints: string[]): unknown[] => [
    service({ name: 'dns', clusterIPs: ['10.96.6.1'], ports: [{ port: 53, protocol: 'UDP' }] }),
    endpointSlice({ service: 'dns', ports, endpoints: endpoints.map(at) }),
    // The clients' own pods.
    service({ name: 'app', clusterIPs: ['10.96.6.3'], ports: [{ port: 80 }] }),
    endpointSlice({ service: 'app', ports: [{ port: 80 }], endpoints: ['10.180.0.9', '10.180.1.9'].map(at) }),
  ]
  const at = (address: string) => ({
    address,
    nodeName: address.startsWith('10.180.0.') ? 'node-a' : 'node-b',
  })
  await using lab = await TestLab.up([...nodes, ...slice('10.180.0.1')])
  await using clients = new AsyncDisposableStack()
  const all = ['pod/10.180.0.9', 'pod/10.180.1.9', 'node/node-b'].map(who => clients.use(lab.clients(who)))
  for (const one of all)
    assert.match(
      await one.run(
        's = new_socket("10.96.6.1", DATAGRAM, 1); s.connect(("10.96.6.1", 53)); result = ask(s)[0]',
      ),
      /10\.180\.0\.1:8080/,
    )
  await lab.apply([...nodes, ...slice('10.180.1.1')])
  const moved = await Promise.all(
    all.map(one =>
      one.run<[string, number]>(`
started = time.monotonic()
while time.monotonic() - started < 3:
    answer = ask(s)
    if isinstance(answer, str): s.connect(("10.96.6.1", 53))
    elif "10.180.1.1:8080" in answer[0]: break
result = [answer[0], time.monotonic() - started]`),
    ),
  )
  for (const [answer, seconds] of moved) {
    assert.match(answer, /10\.180\.1\.1:8080/)
    assert.ok(seconds < 2.5, `${seconds} s`)
  }
})
