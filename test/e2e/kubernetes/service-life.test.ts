import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, beforeEach, test } from 'node:test'
import { endpointSlice, node, service } from '../manifests.ts'
import { KubeLab } from './kube-lab.ts'

const onA = ['10.244.1.1', '10.244.1.2'] as const
const onB = '10.244.2.1'
const onA6 = 'fd00:244:1::1'
const ports = [
  { name: 'tcp', port: 8080 },
  { name: 'udp', port: 8080, protocol: 'UDP' },
]
const front = [
  { name: 'tcp', port: 80 },
  { name: 'udp', port: 80, protocol: 'UDP' as const },
]

/** Who answers, as `reached` tells it. */
const answers = (...pods: readonly string[]): string[] =>
  pods.map(pod => (pod.includes(':') ? `[${pod}]:8080` : `${pod}:8080`)).sort()

const slice = (of: string, endpoints: readonly string[], more: object = {}) => ({
  ...endpointSlice({
    service: of,
    ports,
    endpoints: endpoints.map(address => ({
      address,
      nodeName: address === onB ? 'node-b' : 'node-a',
    })),
  }),
  ...more,
})

const objects = [
  node('node-a', ['172.30.0.1', 'fd00:30::1']),
  node('node-b', ['172.30.0.2', 'fd00:30::2']),
  // Of a slice that belongs to no Service: the pods are there before a Service sends anybody to them.
  slice('nobody', [...onA, onB]),
  slice('nobody', [onA6]),
]

let shared: KubeLab | undefined
let lab: KubeLab
beforeEach(async () => {
  lab = shared ??= await KubeLab.up(objects, ['node-a', 'node-b'])
})
after(() => shared?.[Symbol.asyncDispose]())

const clusterIP = (name: string, index = 0): Promise<string> =>
  lab.field('service', name, `{.spec.clusterIPs[${index}]}`)

test('a ClusterIP is served when it is made, follows its endpoints, and is nobody when it is deleted', async () => {
  await lab.apply(service({ name: 'life', ports: front }))
  const address = await clusterIP('life')
  assert.deepEqual(await lab.reached('node/node-a', address, 80), ['ECONNREFUSED'], 'no endpoints')
  await lab.apply(slice('life', [onA[0], onB]))
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onA[0], onB))
  assert.deepEqual(await lab.reached(`pod/${onB}`, address, 80, { how: 'udp' }), answers(onA[0], onB))
  await lab.apply(slice('life', [onA[1]]))
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onA[1]))
  await lab.kubectl('delete', 'service', 'life')
  assert.deepEqual(await lab.reached('node/node-a', address, 80), ['EHOSTUNREACH'])
})

test('an agent of a lab does not ask to be spared when memory is short', async () => {
  for (const name of ['node-a', 'node-b']) {
    const pid = await lab.agentPid(name)
    // What it asks for is not what it gets where root may not lower its own score.
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    assert.ok(words.includes('--oom-score-adj=0'), words.join(' '))
  }
})

test('ports come, change and go', async () => {
  await lab.apply(service({ name: 'ports', ports: front }), slice('ports', [onA[0]]))
  const address = await clusterIP('ports')
  await lab.patch('ports', { spec: { ports: [{ name: 'tcp', port: 81 }, front[1]] } })
  assert.deepEqual(await lab.reached('node/node-a', address, 80), ['ECONNREFUSED'])
  assert.deepEqual(await lab.reached('node/node-a', address, 81), answers(onA[0]))
  assert.deepEqual(await lab.reached('node/node-a', address, 80, { how: 'udp' }), answers(onA[0]))
  await lab.patch('ports', {
    spec: {
      ports: [
        { name: 'tcp', port: 81 },
        { name: 'more', port: 90 },
      ],
    },
  })
  assert.deepEqual(await lab.reached('node/node-a', address, 90), ['ECONNREFUSED'], 'no slice has that port')
  assert.deepEqual(await lab.reached('node/node-a', address, 80, { how: 'udp' }), ['ECONNREFUSED'])
})

test('a Service becomes a NodePort and a ClusterIP again', async () => {
  await lab.apply(service({ name: 'types', ports: front }), slice('types', [onA[0]]))
  const address = await clusterIP('types')
  await lab.patch('types', { spec: { type: 'NodePort' } })
  const port = Number(await lab.field('service', 'types', '{.spec.ports[0].nodePort}'))
  assert.deepEqual(await lab.reached('node/node-b', '172.30.0.2', port), answers(onA[0]))
  assert.deepEqual(await lab.reached(`pod/${onB}`, '172.30.0.2', port), answers(onA[0]))
  await lab.patch('types', { spec: { type: 'ClusterIP' } })
  assert.deepEqual(await lab.reached('node/node-b', '172.30.0.2', port), ['ECONNREFUSED'])
  assert.deepEqual(await lab.reached('node/node-b', address, 80), answers(onA[0]))
})

test('a LoadBalancer’s address is served once its status says so, unless the way is by proxy', async () => {
  await lab.apply(service({ name: 'balanced', type: 'LoadBalancer', ports: front }), slice('balanced', [onB]))
  const reach = () => lab.reached('node/node-a', '203.0.113.7', 80, { count: 1 })
  const status = async (...ingress: readonly object[]) =>
    await lab.patch('balanced', { status: { loadBalancer: { ingress } } }, '--subresource=status')
  assert.deepEqual(await reach(), ['TimeoutError'], 'nobody has that address')
  await status({ ip: '203.0.113.7' })
  assert.deepEqual(await reach(), answers(onB))
  await status({ ip: '203.0.113.7', ipMode: 'Proxy' })
  assert.deepEqual(await reach(), ['TimeoutError'], 'the load balancer itself is to answer')
  await status({ ip: '203.0.113.7', ipMode: 'VIP' })
  assert.deepEqual(await reach(), answers(onB))
  await status()
  assert.deepEqual(await reach(), ['TimeoutError'])
})

test('externalIPs are served while the Service has them', async () => {
  await lab.apply(service({ name: 'external', ports: front }), slice('external', [onA[1]]))
  await lab.patch('external', { spec: { externalIPs: ['198.51.100.9'] } })
  assert.deepEqual(await lab.reached('node/node-b', '198.51.100.9', 80), answers(onA[1]))
  await lab.patch('external', { spec: { externalIPs: [] } })
  assert.deepEqual(await lab.reached('node/node-b', '198.51.100.9', 80, { count: 1 }), ['TimeoutError'])
})

test('a Service that becomes an ExternalName gives its address away, and may have it again', async () => {
  await lab.apply(service({ name: 'named', ports: front }), slice('named', [onA[0]]))
  const address = await clusterIP('named')
  await lab.patch('named', {
    spec: { type: 'ExternalName', externalName: 'example.com', clusterIP: null, clusterIPs: null },
  })
  assert.equal(await clusterIP('named'), '')
  assert.deepEqual(await lab.reached('node/node-a', address, 80), ['EHOSTUNREACH'])
  await lab.patch('named', { spec: { type: 'ClusterIP', externalName: null, clusterIP: address } })
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onA[0]))
})

test('a headless Service is nothing to the proxy', async () => {
  const headless = service({ name: 'headless', ports: front, spec: { clusterIP: 'None' } })
  await lab.apply(headless, slice('headless', [onA[0]]))
  const rows = JSON.parse(await lab.services('node-a')) as Array<{ name: string }>
  assert.deepEqual(
    rows.filter(({ name }) => name === 'headless'),
    [],
  )
  assert.ok(rows.some(({ name }) => name === 'kubernetes'))
})

test('the API server is reached through its own Service', async () => {
  const address = await clusterIP('kubernetes')
  const answer = await lab.lab.exec('node/node-a', [
    'python3',
    '-c',
    `import ssl, urllib.request
context = ssl._create_unverified_context()
print(urllib.request.urlopen("https://${address}/readyz", context=context, timeout=5).read().decode())`,
  ])
  assert.equal(answer.stdout.trim(), 'ok', answer.stderr)
})

test('a second family comes and goes', async () => {
  await lab.apply(service({ name: 'dual', ports: front }), slice('dual', [onA[0]]), slice('dual', [onA6]))
  const address = await clusterIP('dual')
  await lab.patch('dual', { spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] } })
  const address6 = await clusterIP('dual', 1)
  assert.deepEqual(await lab.reached('node/node-b', address6, 80), answers(onA6))
  assert.deepEqual(await lab.reached('node/node-b', address, 80), answers(onA[0]))
  const single = { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIPs: [address] }
  await lab.patch('dual', { spec: single })
  assert.deepEqual(await lab.reached('node/node-b', address6, 80), ['EHOSTUNREACH'])
  assert.deepEqual(await lab.reached('node/node-b', address, 80), answers(onA[0]))
})

test('internalTrafficPolicy Local keeps to the node, and is lifted', async () => {
  await lab.apply(
    service({ name: 'inside', ports: front, spec: { internalTrafficPolicy: 'Local' } }),
    slice('inside', [onA[0], onB]),
  )
  const address = await clusterIP('inside')
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onA[0]))
  assert.deepEqual(await lab.reached(`pod/${onB}`, address, 80), answers(onB))
  await lab.apply(slice('inside', [onB]))
  assert.deepEqual(await lab.reached('node/node-a', address, 80), ['EHOSTUNREACH'], 'nobody here')
  await lab.patch('inside', { spec: { internalTrafficPolicy: 'Cluster' } })
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onB))
})

test('externalTrafficPolicy Local is for who comes from outside: the node itself reaches every endpoint', async () => {
  const spec = { externalTrafficPolicy: 'Local', internalTrafficPolicy: 'Local' }
  await lab.apply(
    service({ name: 'outside', type: 'NodePort', ports: front, spec }),
    slice('outside', [onA[0]]),
  )
  const port = Number(await lab.field('service', 'outside', '{.spec.ports[0].nodePort}'))
  const address = await clusterIP('outside')
  assert.deepEqual(await lab.reached('node/node-b', '172.30.0.2', port), answers(onA[0]))
  assert.deepEqual(await lab.reached('node/node-b', address, 80), ['EHOSTUNREACH'], 'the other policy')
  await lab.apply(slice('outside', [onA[0], onB]))
  assert.deepEqual(await lab.reached('node/node-b', '172.30.0.2', port), answers(onA[0], onB))
  await lab.patch('outside', { spec: { externalTrafficPolicy: 'Cluster' } })
  assert.deepEqual(await lab.reached('node/node-b', '172.30.0.2', port), answers(onA[0], onB))
})

test('session affinity holds a client to one backend, until it is switched off', async () => {
  await lab.apply(
    service({ name: 'sticky', ports: front, spec: { sessionAffinity: 'ClientIP' } }),
    slice('sticky', [...onA, onB]),
  )
  const address = await clusterIP('sticky')
  assert.equal((await lab.reached('node/node-a', address, 80)).length, 1)
  await lab.patch('sticky', { spec: { sessionAffinity: 'None', sessionAffinityConfig: null } })
  assert.deepEqual(await lab.reached('node/node-a', address, 80, { count: 60 }), answers(...onA, onB))
})

test('another Service with the address of one that was deleted has its own endpoints', async () => {
  await lab.apply(service({ name: 'first', ports: front }), slice('first', [onA[0]]))
  const address = await clusterIP('first')
  await lab.kubectl('delete', 'service', 'first')
  await lab.apply(service({ name: 'second', clusterIPs: [address], ports: front }), slice('second', [onB]))
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onB))
  assert.deepEqual(await lab.reached('node/node-a', address, 80, { how: 'udp' }), answers(onB))
})

test('endpoints that are not ready, or terminating, are passed over while others are ready', async () => {
  const conditions = (one: object, other: object) => ({
    ...slice('conditions', []),
    endpoints: [
      { addresses: [onA[0]], nodeName: 'node-a', conditions: one },
      { addresses: [onB], nodeName: 'node-b', conditions: other },
    ],
  })
  const terminating = { ready: false, serving: true, terminating: true }
  await lab.apply(
    service({ name: 'conditions', ports: front }),
    conditions({ ready: true }, { ready: false }),
  )
  const address = await clusterIP('conditions')
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onA[0]))
  await lab.apply(conditions(terminating, { ready: true }))
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onB))
  await lab.apply(conditions(terminating, { ready: false }))
  assert.deepEqual(await lab.reached('node/node-a', address, 80), answers(onA[0]), 'better than nobody')
})

test('a pod that kubectl adds to a slice is made in the lab and answers', async () => {
  await lab.apply(service({ name: 'grown', ports: front }), slice('grown', [onA[0]]))
  const address = await clusterIP('grown')
  await lab.apply(slice('grown', ['10.244.1.77']))
  const deadline = performance.now() + 20_000
  let reached: readonly string[] = []
  while (performance.now() < deadline && reached[0] !== '10.244.1.77:8080')
    reached = await lab.reached('node/node-b', address, 80, { count: 1 })
  assert.deepEqual(await lab.reached('node/node-b', address, 80), answers('10.244.1.77'))
})

test('a lab whose API server has died is broken and serves on; apply mends it', async () => {
  await lab.apply(service({ name: 'serving', ports: front }), slice('serving', [onA[0]]))
  const address = await clusterIP('serving')
  assert.equal(await lab.status(), 'up')
  await lab.api.killApiServer()
  assert.equal(await lab.status(), 'broken')
  assert.deepEqual(await lab.reached('node/node-b', address, 80), answers(onA[0]))
  await lab.lab.apply(objects)
  assert.equal(await lab.status(), 'up')
  await lab.apply(slice('serving', [onB]))
  assert.deepEqual(await lab.reached('node/node-b', address, 80), answers(onB))
})
