import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { Clients } from './clients.ts'
import { type EndpointSpec, endpointSlice, node, service } from './manifests.ts'

/** A backend that leaves this node's list but still serves somewhere keeps the UDP sockets that are connected to it. */
const [pod1, pod2] = ['10.180.0.1', '10.180.0.2']
const onNode = (name: string): Partial<EndpointSpec> => ({ hints: { forNodes: [{ name }] } })
const state = (ready: boolean, serving: boolean, terminating: boolean): Partial<EndpointSpec> => ({
  ready,
  serving,
  terminating,
})

const dns = (
  first: Partial<EndpointSpec> | undefined,
  second: Partial<EndpointSpec>,
  spec: Record<string, unknown> = {},
): unknown[] => [
  node('node-a', ['192.168.78.1']),
  service({ name: 'dns', clusterIPs: ['10.96.10.1'], ports: [{ port: 53, protocol: 'UDP' }], spec }),
  endpointSlice({
    service: 'dns',
    ports: [{ port: 8080, protocol: 'UDP' }],
    endpoints: [...(first ? [{ address: pod1, ...first }] : []), { address: pod2, ...second }],
  }),
]

const local = { internalTrafficPolicy: 'Local' }
const cases = [
  ['by a hint', dns(onNode('node-a'), onNode('node-b')), dns(onNode('node-b'), onNode('node-a'))],
  [
    'by policy Local',
    dns({ nodeName: 'node-a' }, { nodeName: 'node-b' }, local),
    dns({ nodeName: 'node-b' }, { nodeName: 'node-a' }, local),
  ],
  ['by readiness', dns({}, state(false, false, false)), dns(state(false, true, false), {})],
  ['by termination', dns({}, state(false, false, false)), dns(state(false, true, true), {})],
] as const

test('[KP-7.2] a UDP socket stays connected to a backend that leaves the list and serves on, and moves when it serves no more', async () => {
  await using host = new TestHost()
  host.addAddresses([pod1, pod2])
  await host.listen([pod1, pod2].map(address => ({ address, port: 8080, protocol: 'udp' })))
  const agent = host.agent()
  agent.write(cases[0][1])
  await agent.start()
  await using clients = Clients.on(host)
  for (const [how, before, after] of cases) {
    await agent.apply(before)
    const first = await clients.run(
      's = new_socket("10.96.10.1", DATAGRAM); s.connect(("10.96.10.1", 53)); result = ask(s)',
    )
    assert.deepEqual(first, [`${pod1}:8080`, '10.96.10.1', 53], how)
    await agent.apply(after)
    assert.equal(await clients.run('udp("10.96.10.1", 53)'), `${pod2}:8080`, `${how}: new ones go elsewhere`)
    assert.deepEqual(await clients.run('ask(s)'), first, `${how}: it stays`)
    for (const gone of [undefined, state(false, false, true)]) {
      await agent.apply(before)
      await clients.run(
        's.close(); s = new_socket("10.96.10.1", DATAGRAM); s.connect(("10.96.10.1", 53)); ask(s)',
      )
      await agent.apply(dns(gone, {}))
      const told = await clients.run('ask(s)')
      assert.ok(typeof told === 'string' && told !== 'TimeoutError', `${how}, then gone: ${told}`)
    }
  }
})
