import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KubeHost } from './kube-agent.ts'
import { kpng } from './lab.ts'
import { endpointSlice, node, service, serviceCIDR } from './manifests.ts'

const web = service({ name: 'web', clusterIPs: ['10.96.0.1'], ports: [{ name: '', port: 80 }] })
const gone = service({ name: 'gone', clusterIPs: ['10.96.0.9'], ports: [{ name: '', port: 80 }] })
const slice = (...endpoints: string[]) =>
  endpointSlice({ service: 'web', name: 'web-1', ports: [{ port: 8080 }], endpoints })
const around = [node('node-a', ['192.168.78.1']), serviceCIDR('10.96.0.0/16')]

/** A host on which 10.180.0.1 and 10.180.0.2 answer. */
async function kubeHost(): Promise<KubeHost> {
  const kube = new KubeHost()
  const addresses = ['10.180.0.1', '10.180.0.2']
  for (const address of addresses) kube.host.ip(`addr add ${address}/32 dev lo`)
  await kube.host.listen(addresses.map(address => ({ address, port: 8080 })))
  return kube
}

/** What connecting to web's ClusterIP comes to: 'connected', or the name of the error. */
async function connect(kube: KubeHost): Promise<string> {
  return await kube.host.python<string>(`
import errno, json, socket
try:
    socket.create_connection(("10.96.0.1", 80), 2).close()
    print(json.dumps("connected"))
except OSError as e:
    print(json.dumps(errno.errorcode[e.errno]))
`)
}

test('an agent follows an API server that comes up after it, changes, goes and comes back', async () => {
  await using kube = await kubeHost()
  kube.startAgent()
  await kube.api({ put: [web, gone, slice('10.180.0.1'), ...around], listen: true })
  await kube.agent.mapsWhen(lines => lines.includes('10.180.0.1:8080'))
  assert.equal(await connect(kube), 'connected')

  await kube.api({ put: [slice('10.180.0.2')] })
  await kube.agent.mapsWhen(lines => lines.includes('10.180.0.2:8080') && !lines.includes('10.180.0.1:8080'))
  assert.equal(await connect(kube), 'connected')

  await kube.api({ listen: false })
  assert.equal(await connect(kube), 'connected', 'a server that is gone changes nothing')

  // Changed where no watch can tell of it: only a new list does.
  await kube.api({ put: [slice()], delete: [gone], compact: true })
  await kube.api({ listen: true })
  await kube.agent.mapsWhen(lines => !lines.includes('10.180.0.2:8080') && !lines.includes('10.96.0.9'))
  assert.equal(await connect(kube), 'ECONNREFUSED', 'no endpoint is left')

  await kube.api({ put: [slice('10.180.0.1')] })
  await kube.agent.sync()
  assert.equal(await connect(kube), 'connected', 'a sync is done when the kernel has it')
  assert.equal(await kube.agent.stop(), 0)
})

test('[KP-1.17 KP-6.5 DP-9.24] an agent that starts while the API server is down takes nothing away', async () => {
  await using kube = await kubeHost()
  await kube.api({ put: [web, gone, slice('10.180.0.1'), ...around], listen: true })
  kube.startAgent()
  const before = await kube.agent.mapsWhen(lines => lines.includes('10.180.0.1:8080'))
  await kube.agent.stop('SIGKILL')
  await kube.api({ listen: false, delete: [gone] })
  kube.startAgent()
  await sleep(1500)
  assert.equal(await kube.agent.mapsWhen(() => true), before)
  assert.equal(await connect(kube), 'connected')
  await kube.api({ listen: true })
  await kube.agent.mapsWhen(lines => !lines.includes('10.96.0.9'))
  assert.equal(await connect(kube), 'connected')
})

test('[DP-9.25] an API server that is reached through its own Service may take itself out of it, go, and come back', async () => {
  await using kube = await kubeHost()
  const server = '192.168.78.1'
  kube.host.ip(`addr add ${server}/32 dev lo`)
  const ports = [{ name: 'https', port: 443 }]
  const own = service({ name: 'kubernetes', clusterIPs: ['10.96.0.10'], ports })
  const ownSlice = (...endpoints: string[]) =>
    endpointSlice({ service: 'kubernetes', ports: [{ name: 'https', port: 6443 }], endpoints })
  await kube.api({ put: [own, ownSlice(server), ...around], listen: true })
  kube.startAgent(['--server', `http://${server}:6443`])
  await kube.agent.mapsWhen(lines => lines.includes(`${server}:6443`))
  await kube.agent.stop()

  kube.startAgent(['--server', 'http://10.96.0.10:443'])
  await kube.api({ put: [web, slice('10.180.0.1')] })
  await kube.agent.mapsWhen(lines => lines.includes('10.180.0.1:8080'))
  await kube.api({ put: [ownSlice()] })
  const reported = async (): Promise<boolean> =>
    (await kube.agent.problems()).some(it => it.includes('the API server is reached through it'))
  for (let i = 0; i < 200 && !(await reported()); i++) await sleep(50)
  assert.ok(await reported(), kube.log)
  await kube.api({ listen: false, put: [slice('10.180.0.2'), ownSlice(server)], compact: true })
  await sleep(1500)
  await kube.api({ listen: true })
  await kube.agent.mapsWhen(lines => lines.includes('10.180.0.2:8080'))
  assert.equal(await reported(), false)
  assert.equal(await connect(kube), 'connected')
})

test('[KP-1.1] Services of another proxy are not served, unless it is the one that was named', async () => {
  await using kube = await kubeHost()
  const label = { 'service.kubernetes.io/service-proxy-name': 'ours' }
  const ours = service({ name: 'ours', clusterIPs: ['10.96.0.2'], ports: [{ port: 80 }], labels: label })
  await kube.api({ put: [web, ours, ...around], listen: true })
  kube.startAgent(['--service-proxy-name', 'ours'])
  const lines = await kube.agent.mapsWhen(text => text.includes('10.96.0.2'))
  assert.doesNotMatch(lines, /10\.96\.0\.1:/)
})

const refused: ReadonlyArray<[args: string, message: RegExp]> = [
  ['--kubeconfig /nonexistent', /cannot read the kubeconfig \/nonexistent/],
  ['--server ftp://host', /--server: "ftp:\/\/host" is no URL of an API server/],
  ['--service-proxy-name a,b', /must be a label value/],
]
for (const [args, message] of refused) {
  test(`kpng kube ${args} is refused before anything is touched`, async () => {
    const result = await kpng(['kube', ...args.split(' '), 'to-ebpf', '--cgroup-root', '/nonexistent'])
    assert.equal(result.exitCode, 2)
    assert.match(result.stderr, message)
  })
}
