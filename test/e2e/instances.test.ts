import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { endpointSlice, node, service } from './manifests.ts'

const vip = '10.96.0.1'
const web = (backend: string): unknown[] => [
  node('node-a', ['192.168.78.1']),
  service({ name: 'web', clusterIPs: [vip], ports: [{ port: 80 }] }),
  endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: [backend] }),
]

async function hostWithTwoBackends(): Promise<TestHost> {
  const host = new TestHost()
  host.ip('addr add 10.180.0.1/32 dev lo')
  host.ip('addr add 10.180.0.2/32 dev lo')
  await host.listen([
    { address: '10.180.0.1', port: 8080 },
    { address: '10.180.0.2', port: 8080 },
  ])
  return host
}

const reached = async (host: TestHost, cgroup?: string): Promise<string> => {
  const program = `import socket; print(socket.create_connection(("${vip}", 80), 2).recv(100).decode().strip())`
  const result = await host.run(['python3', '-c', program], cgroup)
  return result.stdout.trim() || result.stderr.trim()
}

test('a second instance on one cgroup is refused, and says who is there', async () => {
  await using host = await hostWithTwoBackends()
  const first = host.agent('-one')
  first.write(web('10.180.0.1'))
  await first.start()
  const second = host.agent('-two')
  second.write(web('10.180.0.2'))
  await assert.rejects(second.start(), (error: Error) => {
    assert.match(error.message, new RegExp(`${first.instance}`))
    return true
  })
  assert.equal(await reached(host), '10.180.0.1:8080')
})

test('a second agent of the same instance is refused while the first runs', async () => {
  await using host = await hostWithTwoBackends()
  const agent = host.agent()
  agent.write(web('10.180.0.1'))
  await agent.start()
  const twin = host.agent()
  const child = twin.spawn()
  const exitCode = await new Promise(resolve => child.once('exit', resolve))
  assert.equal(exitCode, 1)
  assert.match(twin.log, /is running|is locked|already/)
  assert.equal(await reached(host), '10.180.0.1:8080')
  await agent.stop()
})

test('an instance on a cgroup below another’s serves what is in it, and the outer one the rest', async () => {
  await using host = await hostWithTwoBackends()
  const inner = join(host.cgroup, 'inner')
  mkdirSync(inner)
  const outerAgent = host.agent('-outer')
  outerAgent.write(web('10.180.0.1'))
  await outerAgent.start()
  const innerAgent = host.agent('-inner', inner)
  innerAgent.write(web('10.180.0.2'))
  await innerAgent.start()
  assert.equal(await reached(host), '10.180.0.1:8080')
  assert.equal(await reached(host, inner), '10.180.0.2:8080')
})

test('[DP-9.26] --protect-node-ports: binding a NodePort is EADDRINUSE, and only then', async () => {
  await using host = await hostWithTwoBackends()
  const agent = host.agent()
  const objects = [
    node('node-a', ['10.180.0.1']),
    service({ name: 'web', type: 'NodePort', clusterIPs: [vip], ports: [{ port: 80, nodePort: 30080 }] }),
    endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: ['10.180.0.2'] }),
  ]
  agent.write(objects)
  const bind = `
import errno, json, socket
def bind(family, kind, address, port):
    s = socket.socket(family, kind)
    try:
        s.bind((address, port))
        return "bound"
    except OSError as error:
        return errno.errorcode[error.errno]
print(json.dumps([bind(socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", 30080), bind(socket.AF_INET, socket.SOCK_STREAM, "10.180.0.1", 30080),
  bind(socket.AF_INET, socket.SOCK_DGRAM, "0.0.0.0", 30080), bind(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", 30080),
  bind(socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", 30081)]))
`
  await agent.start()
  assert.deepEqual(await host.python(bind), ['bound', 'bound', 'bound', 'bound', 'bound'])
  await agent.stop()
  await agent.start(['--protect-node-ports'])
  assert.deepEqual(await host.python(bind), ['EADDRINUSE', 'EADDRINUSE', 'bound', 'bound', 'bound'])
  await agent.stop()
  await agent.start()
  assert.deepEqual(await host.python(bind), ['bound', 'bound', 'bound', 'bound', 'bound'])
})
