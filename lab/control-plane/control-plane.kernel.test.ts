import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { namespaceExists } from '../names.ts'
import { isAlive } from '../process-identity.ts'
import { ControlPlane } from './control-plane.ts'
import { readRecord } from './record.ts'
import { removeOrphans } from './remove.ts'

const service = (name: string, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  })

describe('a control plane', () => {
  let shared: ControlPlane | undefined
  let plane: ControlPlane
  beforeEach(async () => {
    plane = shared ??= await ControlPlane.start()
  })
  after(() => shared?.[Symbol.asyncDispose]())

  test('allocates ClusterIPs of both families and NodePorts', async () => {
    const dual = service('dual', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' })
    await plane.kubectl(['apply', '-f', '-'], { input: dual })
    const template = '{.spec.clusterIPs} {.spec.ports[0].nodePort}'
    const made = await plane.kubectl(['get', 'service', 'dual', '-o', `jsonpath=${template}`])
    assert.match(made, /^\["10\.96\.\d+\.\d+","fd00:10:96::[0-9a-f]+"\] 3[0-2]\d{3}$/)
  })

  test('tells of itself through default/kubernetes', async () => {
    const template = '{.endpoints[0].addresses[0]}:{.ports[0].port}'
    const slice = ['get', 'endpointslice', 'kubernetes', '-o', `jsonpath=${template}`]
    assert.equal(await plane.kubectl(slice), '172.31.255.1:6443')
  })

  test('gives a proxy the rights of system:node-proxier and no more', async () => {
    const kubeconfig = await plane.kubeconfigFor({ user: 'system:kube-proxy' })
    await plane.kubectl(['get', 'services,endpointslices,nodes', '-A'], { kubeconfig })
    for (const refused of [
      ['get', 'secrets'],
      ['delete', 'service', 'kubernetes'],
      ['get', 'pods', '-A'],
    ])
      await assert.rejects(plane.kubectl(refused, { kubeconfig }), /is forbidden/)
  })

  test('knows service accounts by their tokens, until those have expired', async () => {
    await plane.kubectl(['create', 'serviceaccount', 'robot'])
    const robot = { namespace: 'default', serviceAccount: 'robot' }
    const good = await plane.kubeconfigFor(robot)
    const name = await plane.kubectl(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'], {
      kubeconfig: good,
    })
    assert.equal(name, 'system:serviceaccount:default:robot')
    const expired = await plane.kubeconfigFor({ ...robot, lifetimeSeconds: -90 })
    await assert.rejects(plane.kubectl(['auth', 'whoami'], { kubeconfig: expired }), /Unauthorized|logged in/)
    await assert.rejects(plane.tokenFor('default', 'nobody'), { code: 'not-found' })
  })

  test('a token in a file is what kubectl uses, also after it has changed', async () => {
    await plane.kubectl(['create', 'serviceaccount', 'filed'])
    const file = join(plane.directory, 'token')
    const kubeconfig = plane.kubeconfigWithTokenFile(file)
    await plane.writeToken(file, 'default', 'filed', -90)
    await assert.rejects(plane.kubectl(['auth', 'whoami'], { kubeconfig }), /Unauthorized|logged in/)
    await plane.writeToken(file, 'default', 'filed')
    assert.match(await plane.kubectl(['auth', 'whoami'], { kubeconfig }), /serviceaccount:default:filed/)
  })

  test('keeps what it has been told when the API server is killed and started', async () => {
    await plane.kubectl(['apply', '-f', '-'], { input: service('kept') })
    await plane.killApiServer()
    await assert.rejects(plane.request('GET', '/api'), { code: 'io' })
    await plane.startApiServer()
    await plane.kubectl(['get', 'service', 'kept'])
  })

  test('after a compaction and a restart, a watch from before is refused with 410', async () => {
    const services = '/api/v1/namespaces/default/services'
    const list = await plane.request('GET', services)
    const before = (list.body as { metadata: { resourceVersion: string } }).metadata.resourceVersion
    await plane.kubectl(['apply', '-f', '-'], { input: service('later') })
    await plane.kubectl(['delete', 'service', 'later'])
    await plane.compactEtcd()
    await plane.restartApiServer()
    const watch = `${services}?watch=true&timeoutSeconds=1&resourceVersion=${before}`
    const { status, body } = await plane.request('GET', watch)
    assert.match(`${status} ${JSON.stringify(body)}`, /410/)
  })

  test('goes at once and leaves nothing', async () => {
    const record = readRecord(plane.directory)
    assert.ok(record?.etcd && record.apiServer)
    shared = undefined
    await plane[Symbol.asyncDispose]()
    assert.deepEqual([record.etcd, record.apiServer].map(isAlive), [false, false])
    assert.equal(existsSync(plane.directory), false)
    assert.equal(namespaceExists(record.netns), false)
  })
})

test('the control plane of a process that was killed ends with it; the next start removes the rest', async () => {
  const door = join(import.meta.dirname, 'control-plane.ts')
  const program = `import { ControlPlane } from ${JSON.stringify(door)}
    const plane = await ControlPlane.start()
    process.stdout.write(plane.directory)
    setInterval(() => undefined, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const directory = await new Promise<string>(resolve =>
    child.stdout.once('data', (piece: Buffer) => resolve(piece.toString())),
  )
  const record = readRecord(directory)
  assert.ok(record?.etcd && record.apiServer)
  const closed = new Promise(resolve => child.once('close', resolve))
  child.kill('SIGKILL')
  await closed
  for (const each of [record.etcd, record.apiServer])
    while (isAlive(each)) await new Promise(resolve => setTimeout(resolve, 10))
  assert.match(readFileSync(join(directory, 'record.json'), 'utf8'), /"version":1/)
  await removeOrphans()
  assert.equal(existsSync(directory), false)
  assert.equal(namespaceExists(record.netns), false)
})
