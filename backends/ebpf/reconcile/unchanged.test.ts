import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Harness } from './testing/harness.ts'
import { node, type ServiceSpec, service } from './testing/views.ts'

const COUNT = 200
const CIDRS = ['10.96.0.0/16', 'fd00::/112']

/** One of many, with something of everything. */
const one = (n: number, more: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: `s${n}`,
  clusterIPs: [`10.96.0.${n}`, `fd00::${n}`],
  externalIPs: [`192.0.2.${n}`],
  loadBalancerIPs: [`198.51.100.${n}`],
  sourceRanges: ['10.0.0.0/8'],
  affinity: n % 3 === 0 ? 10 : 0,
  internalLocal: n % 5 === 0,
  ports: [
    { name: 'a', port: 80, nodePort: 30_000 + n, endpoints: [`10.1.0.${n}:80 local`, `10.1.1.${n}:80`] },
    { name: 'b', port: 81, protocol: 'UDP', endpoints: [`10.1.0.${n}:81`, `[fd01::${n}]:81`] },
  ],
  ...more,
})
const all = (): ServiceSpec[] => Array.from({ length: COUNT }, (_, n) => one(n + 1))

async function started(): Promise<Harness> {
  const agent = new Harness({
    sizes: { frontends: 2048, lists: 2048, slots: 4096, addresses: 1024, names: 512, sources: 512 },
    limits: { maxBackendId: 4096, maxServicePortId: 512 },
  })
  agent.reconciler.setNode(node(['192.168.1.1'], CIDRS))
  await agent.apply(...all())
  await agent.clock.pass(100)
  assert.deepEqual(agent.problems(), [])
  agent.forget()
  return agent
}

/** Has it settled in every way: grace periods, and the passes that come with time. */
async function operationsOf(agent: Harness, act: () => Promise<void>): Promise<string[]> {
  await act()
  await agent.clock.pass(1_000)
  return agent.operations
}

const turned = (n: number): ServiceSpec => {
  const spec = one(n)
  return {
    ...spec,
    ports: spec.ports.map(port => ({ ...port, endpoints: port.endpoints?.toReversed() ?? [] })),
  }
}
const withEndpoint = (n: number, endpoint: string): ServiceSpec => {
  const spec = one(n)
  return {
    ...spec,
    ports: spec.ports.map((port, index) =>
      index === 0 ? { ...port, endpoints: [...(port.endpoints ?? []), endpoint] } : port,
    ),
  }
}

describe('[KP-1.17] what did not change is not written', () => {
  for (const [what, act] of Object.entries<(agent: Harness) => Promise<void>>({
    'a sync': agent => agent.sync(),
    'all Services once more': agent => agent.apply(...all()),
    'the node once more': async agent => {
      agent.reconciler.setNode(node(['192.168.1.1'], CIDRS))
      await agent.sync()
    },
    'endpoints in another order': agent => agent.apply(turned(7)),
    'an endpoint that is not ready comes': agent => agent.apply(withEndpoint(7, '10.1.2.7:80 notready')),
    'a Service that goes and comes in one sync': async agent => {
      agent.reconciler.deleteService('default', 's7')
      await agent.apply(one(7))
    },
    'what only others read of a Service': agent =>
      agent.apply({
        ...service(one(7)),
        type: 'LoadBalancer',
        externalLocal: true,
        healthCheckNodePort: 31_000,
      }),
    'a comparison with the kernel': async agent => {
      assert.equal(await agent.clock.until(agent.reconciler.verify()), 0)
    },
    'half an hour': agent => agent.clock.pass(1_800_000),
    'another agent with the same Services': async agent => {
      await agent.restart()
      agent.reconciler.setNode(node(['192.168.1.1'], CIDRS))
      await agent.apply(...all())
      await agent.clock.pass(100_000)
    },
  })) {
    it(what, async () => {
      using agent = await started()
      assert.deepEqual(await operationsOf(agent, () => act(agent)), [])
    })
  }
})

describe('what changed is written, and nothing else', () => {
  for (const [what, act, operations] of [
    [
      'an endpoint comes: its two lists, of one family',
      agent => agent.apply(withEndpoint(5, '10.1.2.5:80 local')),
      // The ClusterIP asks for local endpoints, the others for all.
      ['backend4 write 2', 'backend4 write 3', 'list store64 1', 'list store64 1'],
    ],
    [
      'affinity: the frontends, and no list',
      agent => agent.apply(one(7, { affinity: 20 })),
      // Four of one port, three of the other; IPv6 has a ClusterIP for each.
      ['svc4 update 7', 'svc6 update 2'],
    ],
    [
      'an external IP comes: its address and frontends',
      agent => agent.apply(one(7, { externalIPs: ['192.0.2.7', '192.0.2.207'] })),
      ['outside store64 1', 'addr4 update 1', 'svc4 update 2'],
    ],
    [
      'a source range comes: one entry for each port',
      agent => agent.apply(one(7, { sourceRanges: ['10.0.0.0/8', '172.16.0.0/12'] })),
      ['source4 update 2'],
    ],
    [
      'the node gets an address of the other family: NodePorts there',
      async agent => {
        agent.reconciler.setNode(node(['192.168.1.1', 'fd02::1'], CIDRS))
        await agent.sync()
      },
      // Where the ClusterIP asks for local endpoints, NodePorts have a list of their own: empty here.
      ['list write 40', 'outside store64 1', 'addr6 update 1', 'svc6 update 200'],
    ],
    [
      'another agent that finds one endpoint more: that list',
      async agent => {
        await agent.restart()
        agent.reconciler.setNode(node(['192.168.1.1'], CIDRS))
        await agent.apply(...all(), withEndpoint(7, '10.1.2.7:80'))
      },
      ['backend4 write 3', 'list store64 1'],
    ],
  ] satisfies [string, (agent: Harness) => Promise<void>, string[]][]) {
    it(what, async () => {
      using agent = await started()
      assert.deepEqual(await operationsOf(agent, () => act(agent)), operations)
    })
  }
})
