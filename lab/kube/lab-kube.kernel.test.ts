import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { readRecord } from '../control-plane/record.ts'
import { listLabs } from '../list.ts'
import { namespaceExists } from '../names.ts'
import { isAlive } from '../process-identity.ts'
import { requireState } from '../state.ts'
import { nodeObject, ScratchLab, serviceObject, sliceObject } from '../testing.ts'
import { openLabApi } from './lab-api.ts'

const nodes = [nodeObject('n1', ['172.30.0.11', 'fd00:30::11'])]
const first = [
  ...nodes,
  serviceObject('elsewhere', '10.200.0.10'),
  serviceObject('odd', '10.201.3.0'),
  serviceObject('six', 'fd77::1:5'),
  sliceObject('web-1', [
    ['10.180.0.1', 'n1'],
    ['10.180.0.2', 'made-up'],
  ]),
]

let shared: ScratchLab | undefined
let api: ControlPlane
beforeEach(async () => {
  shared ??= await ScratchLab.up(first, undefined, 'kube')
  await shared.apply(first)
  api = openLabApi(shared.name)
})
after(() => shared?.[Symbol.asyncDispose]())

const lab = (): ScratchLab => {
  assert.ok(shared)
  return shared
}
const names = async (kind: string): Promise<string[]> =>
  (await api.kubectl(['get', kind, '-o', 'name'])).split('\n').filter(Boolean).sort()
const field = (kind: string, name: string, path: string): Promise<string> =>
  api.kubectl(['get', kind, name, '-o', `jsonpath=${path}`])

test('the API server has what the manifests say, ClusterIPs outside of its own ranges included', async () => {
  for (const [name, address] of [
    ['elsewhere', '10.200.0.10'],
    ['odd', '10.201.3.0'],
    ['six', 'fd77::1:5'],
  ] as const)
    assert.equal(await field('service', name, '{.spec.clusterIP}'), address)
  assert.deepEqual(await names('nodes'), ['node/made-up', 'node/n1'])
  assert.equal(await field('node', 'n1', '{.status.addresses[*].address}'), '172.30.0.11 fd00:30::11')
})

test('its pods answer, and those of slices that kubectl changes, on nodes that nobody knew', async () => {
  const answered = async (pod: string): Promise<number> =>
    (await lab().probe('node/n1', `${pod}:80`, { timeoutMs: 500 })).answered[`${pod}:80`] ?? 0
  assert.equal(await answered('10.180.0.2'), 1)
  const endpoints = [{ addresses: ['10.180.0.9'], nodeName: 'brand-new' }]
  const patch = JSON.stringify([{ op: 'replace', path: '/endpoints', value: endpoints }])
  await api.kubectl(['patch', 'endpointslice', 'web-1', '--type=json', '-p', patch])
  for (const deadline = Date.now() + 30_000; (await answered('10.180.0.9')) === 0; await sleep(100))
    assert.ok(Date.now() < deadline, 'the lab has made it')
  assert.ok((await names('nodes')).includes('node/brand-new'))
})

test('apply takes back what others changed, deletes what the manifests dropped, remakes what cannot change', async () => {
  await api.kubectl(['patch', 'service', 'six', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}'])
  await api.kubectl(['label', 'service', 'six', 'mine=yes'])
  await lab().apply([...first, sliceObject('turned', [['10.180.0.5', 'n1']])])
  await api.kubectl(['create', 'service', 'clusterip', 'of-somebody', '--tcp=80'])
  const { problems } = await lab().apply([
    ...nodes,
    serviceObject('six', 'fd77::1:5', ['81/TCP']),
    serviceObject('odd', '10.201.3.7'),
    sliceObject('turned', [['fd00:180::5', 'n1']]),
  ])
  assert.deepEqual(problems, [])
  assert.deepEqual(await names('services'), [
    'service/kubernetes',
    'service/odd',
    'service/of-somebody',
    'service/six',
  ])
  assert.equal(
    (await names('endpointslices')).join(' ').replaceAll('endpointslice.discovery.k8s.io/', ''),
    'kubernetes turned',
  )
  assert.equal(await field('endpointslice', 'turned', '{.addressType}'), 'IPv6')
  assert.equal(await field('service', 'odd', '{.spec.clusterIP}'), '10.201.3.7')
  assert.equal(await field('service', 'six', '{.spec.ports[*].port}'), '81')
  assert.equal(await field('service', 'six', '{.metadata.labels.mine}'), 'yes')
})

test('Services take one another’s addresses', async () => {
  const swapped = [serviceObject('elsewhere', '10.201.3.0'), serviceObject('odd', '10.200.0.10')]
  assert.deepEqual((await lab().apply([...nodes, ...swapped])).problems, [])
  assert.equal(await field('service', 'elsewhere', '{.spec.clusterIP}'), '10.201.3.0')
  assert.equal(await field('service', 'odd', '{.spec.clusterIP}'), '10.200.0.10')
  const { problems } = await lab().apply([...nodes, ...swapped, serviceObject('third', '10.200.0.10')])
  assert.match(JSON.stringify(problems), /Service\/default\/third.*already allocated/)
})

test('what the API server refuses is told, all else goes on', async () => {
  const bad = serviceObject('bad', '10.200.0.11', ['0/TCP'])
  // In a range that nothing has been in so far.
  const { problems } = await lab().apply([...first, bad, serviceObject('good', '10.202.0.12')])
  assert.deepEqual(
    problems.map(({ where, field }) => `${where} ${field}`),
    ['Service/default/bad spec.ports[0].port', 'Service/default/bad spec.ports[0].targetPort'],
  )
  assert.match(problems[0]?.message ?? '', /^refused by the API server: Invalid value: 0/)
  assert.ok((await names('services')).includes('service/good'))
})

test('apply starts an API server again that has died', async () => {
  await api.killApiServer()
  await lab().apply(first)
  assert.match(await api.kubectl(['get', '--raw', '/readyz']), /^ok/)
  const [summary] = listLabs(lab().name)
  assert.equal(summary?.api, api.url)
})

test('down ends the API server and all that belongs to it', async () => {
  const { name } = lab()
  const state = requireState(name)
  const record = readRecord(api.directory)
  const processes = [record?.etcd, record?.apiServer, state.controlPlane?.follower]
  await lab()[Symbol.asyncDispose]()
  shared = undefined
  for (const each of processes) assert.equal(each === undefined ? 'unknown' : isAlive(each), false)
  assert.equal(existsSync(api.directory), false)
  assert.equal(namespaceExists(api.netns), false)
})
