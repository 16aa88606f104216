import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IpWork } from './ip-batch.ts'
import type { LabPlan, PlannedPod } from './plan.ts'
import { placeClient, reshape } from './reshape.ts'
import type { LabState } from './state.ts'
import { markWired, planWiring } from './wiring.ts'

const newState = (): LabState => ({
  version: 1,
  name: 'x',
  createdAt: '',
  complete: true,
  cgroup: '/nonexistent',
  config: null,
  source: '',
  nextIndex: 1,
  nodes: {},
  pods: {},
  clients: {},
})

const plan = (nodes: Record<string, string[]>, pods: Record<string, Partial<PlannedPod>>): LabPlan => ({
  nodes: new Map(Object.entries(nodes).map(([name, addresses]) => [name, { addresses, madeUp: false }])),
  pods: new Map(
    Object.entries(pods).map(([address, pod]) => [address, { node: null, inNode: false, ports: [], ...pod }]),
  ),
  problems: [],
  notes: [],
})

const lines = (work: IpWork): string[] =>
  [...work.host, ...[...work.inside.values()].flat()].map(line => line.text)

/** What a command does that is not killed. */
const carryOut = (state: LabState, wanted: LabPlan) => {
  reshape(state, wanted)
  const wiring = planWiring(state)
  markWired(state, new Set())
  return wiring
}

const twoNodes = { n1: ['10.0.0.1/32'], n2: ['10.0.0.2/32'] }

test('the same plan again changes nothing', () => {
  const state = newState()
  const wanted = plan(twoNodes, { '10.180.0.1': { node: 'n1' }, '10.0.0.1': { node: 'n1', inNode: true } })
  const first = carryOut(state, wanted)
  assert.deepEqual(first.routers, ['kpng-x-node_n1', 'kpng-x-node_n2'])
  assert.deepEqual(first.hosts, ['kpng-x-pod_10.180.0.1'])
  const before = structuredClone(state)
  const second = carryOut(state, wanted)
  assert.deepEqual(state, before)
  assert.deepEqual(
    [second.routers, second.hosts, second.rules, lines(second.unplug), lines(second.plug)],
    [[], [], [], [], []],
  )
})

test('what left the manifests stays, with its ports', () => {
  const state = newState()
  const http = { port: 80, protocol: 'TCP' } as const
  const dns = { port: 53, protocol: 'UDP' } as const
  carryOut(state, plan(twoNodes, { '10.180.0.1': { node: 'n1', ports: [http] } }))
  carryOut(state, plan({}, {}))
  assert.deepEqual(Object.keys(state.nodes), ['n1', 'n2'])
  carryOut(state, plan(twoNodes, { '10.180.0.1': { node: 'n1', ports: [dns] } }))
  assert.deepEqual(state.pods['10.180.0.1']?.ports, [http, dns])
})

test('a pod that moves is unplugged and plugged in again', () => {
  const state = newState()
  carryOut(state, plan(twoNodes, { '10.180.0.1': { node: 'n1' } }))
  const moved = carryOut(state, plan(twoNodes, { '10.180.0.1': { node: 'n2' } }))
  assert.deepEqual(lines(moved.unplug), ['link del dev eth0'])
  const link = /^link add .* netns kpng-x-node_n2 type veth .* netns kpng-x-pod_10\.180\.0\.1$/
  assert.ok(lines(moved.plug).some(line => link.test(line)))
})

test('a pod whose address a node takes is unplugged and lives in the node', () => {
  const state = newState()
  carryOut(state, plan(twoNodes, { '10.0.0.3': { node: 'n1' } }))
  const wanted = plan({ ...twoNodes, n3: ['10.0.0.3/32'] }, { '10.0.0.3': { node: 'n3', inNode: true } })
  assert.deepEqual(lines(carryOut(state, wanted).unplug), ['link del dev eth0'])
  assert.deepEqual(lines(carryOut(state, wanted).unplug), [])
})

test('a node’s addresses follow its Node object, its link stays', () => {
  const state = newState()
  carryOut(state, plan({ n1: ['10.0.0.1/32', 'fd00::1/128'] }, {}))
  const change = lines(carryOut(state, plan({ n1: ['10.0.0.1/32', 'fd00::2/128'] }, {})).plug)
  assert.ok(change.includes('addr del fd00::1/128 dev eth0'))
  assert.ok(change.includes('addr replace fd00::2/128 dev eth0 nodad noprefixroute'))
  assert.ok(!change.some(line => line.startsWith('link add')))
})

test('what a killed command left is plugged in anew, with what depends on it', () => {
  const state = newState()
  carryOut(state, plan({ n1: ['10.0.0.1/32'] }, { '10.180.0.1': { node: 'n1' } }))
  placeClient(state, '198.51.100.1', 'n1')
  reshape(state, plan(twoNodes, { '10.180.0.2': { node: 'n2' } }))
  planWiring(state) // and then it was killed
  const again = planWiring(state)
  assert.deepEqual(again.routers, ['kpng-x-node_n2'])
  assert.deepEqual(again.hosts, ['kpng-x-pod_10.180.0.2', 'kpng-x-client_198.51.100.1'])
  assert.equal(lines(again.unplug).length, 3)
  markWired(state, new Set())

  // A node whose link has to be made anew takes its pods' routes and its clients along.
  const { n1 } = state.nodes
  assert.ok(n1 !== undefined)
  n1.wiredAddresses = null
  const node = planWiring(state)
  assert.ok(lines(node.plug).some(line => line.startsWith('route replace 10.180.0.1/32 via')))
  assert.deepEqual(node.hosts, ['kpng-x-client_198.51.100.1'])
  assert.deepEqual(node.rules[0]?.args.at(-1), `${1_000_000 + n1.index}`)
})

test('a host for which something failed is tried again', () => {
  const state = newState()
  reshape(state, plan(twoNodes, { '10.180.0.1': { node: 'n1' }, '10.180.0.2': {} }))
  planWiring(state)
  markWired(state, new Set(['pod 10.180.0.2']))
  assert.deepEqual(planWiring(state).hosts, ['kpng-x-pod_10.180.0.2'])
})
