import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type TestAgent, TestHost } from './agent.ts'
import { endpointSlice, node, service } from './manifests.ts'

/** As docs/architecture.md has them. */
const wanted = ['bpf', 'net_admin', 'perfmon', 'sys_admin', 'sys_ptrace']
/** Of those that CAP_SYS_ADMIN includes nobody notices that they are missing. */
const needed = ['net_admin', 'sys_admin']
const vip = '10.96.0.1'
const backends = ['10.180.0.1', '10.180.0.2'] as const

/** As root, with these capabilities and no others. */
const holding = (capabilities: readonly string[]): string[] => [
  'setpriv',
  `--bounding-set=-all${capabilities.map(name => `,+${name}`).join('')}`,
]

const objects = (backend: string): unknown[] => [
  node('node-a', ['192.168.78.1']),
  service({
    name: 'web',
    clusterIPs: [vip],
    ports: [
      { name: 'tcp', port: 80 },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ],
  }),
  endpointSlice({
    service: 'web',
    ports: [
      { name: 'tcp', port: 8080 },
      { name: 'udp', port: 8053, protocol: 'UDP' },
    ],
    endpoints: [backend],
  }),
]

async function hostWithBackends(): Promise<{ host: TestHost; agent: TestAgent }> {
  const host = new TestHost()
  host.addAddresses(backends.map(address => `${address}/32`))
  await host.listen(
    backends.flatMap(address => [
      { address, port: 8080 },
      { address, port: 8053, protocol: 'udp' as const },
    ]),
  )
  return { host, agent: host.agent() }
}

const tcp = (host: TestHost): Promise<string> =>
  host.python(
    `import json, socket; print(json.dumps(socket.create_connection(("${vip}", 80), 2).recv(100).decode().strip()))`,
  )

test('five capabilities are enough: start, change, kill, adopt', async () => {
  const { host, agent } = await hostWithBackends()
  await using _host = host
  agent.around = holding(wanted)
  agent.write(objects(backends[0]))
  await agent.start()
  assert.equal(await tcp(host), `${backends[0]}:8080`)
  await agent.apply(objects(backends[1]))
  assert.equal(await tcp(host), `${backends[1]}:8080`)
  await agent.stop('SIGKILL')
  assert.equal(await tcp(host), `${backends[1]}:8080`)
  await agent.start()
  await agent.apply(objects(backends[0]))
  assert.equal(await tcp(host), `${backends[0]}:8080`)
})

for (const missing of needed)
  test(`without CAP_${missing.toUpperCase()} the agent ends, says so, and touches nothing`, async () => {
    const { host, agent } = await hostWithBackends()
    await using _host = host
    agent.around = holding(wanted.filter(name => name !== missing))
    agent.write(objects(backends[0]))
    const child = agent.spawn(['--conntrack-tcp-timeout-established=1h'])
    const [exitCode] = await once(child, 'close')
    assert.equal(exitCode, 1, agent.log)
    assert.doesNotMatch(agent.log, /sysctl/i)
    assert.match(agent.log, new RegExp(`kpng: the agent lacks CAP_${missing.toUpperCase()} \\(`))
    assert.doesNotMatch(agent.log, /\n\s+at /, 'a message, no stack')
  })

test('without CAP_SYS_PTRACE the agent says what it misses, and serves', async () => {
  const { host, agent } = await hostWithBackends()
  await using _host = host
  agent.around = holding(wanted.filter(name => name !== 'sys_ptrace'))
  agent.write(objects(backends[0]))
  await agent.start()
  assert.match(agent.log, /"capability":"CAP_SYS_PTRACE"/)
  assert.equal(await tcp(host), `${backends[0]}:8080`)
})
