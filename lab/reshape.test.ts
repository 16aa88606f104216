import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LabPlan, PlannedPod } from './plan.ts'
import { reshape } from './reshape.ts'
import type { LabState } from './state.ts'

const state = (): LabState => ({
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
})

const lines = (work: {
  host: readonly { text: string }[]
  inside: Map<string, readonly { text: string }[]>
}) => [...work.host, ...[...work.inside.values()].flat()].map(line => line.text)

test('the same plan again changes nothing', () => {
  const lab = state()
  const wanted = plan(
    { n1: ['10.0.0.1/32'] },
    { '10.180.0.1': { node: 'n1' }, '10.0.0.1': { node: 'n1', inNode: true } },
  )
  const first = reshape(lab, wanted)
  assert.deepEqual(first.routers, ['kpng-x-node_n1'])
  assert.deepEqual(first.hosts, ['kpng-x-pod_10.180.0.1'])
  assert.deepEqual(lines(first.unplug), [])
  const before = structuredClone(lab)
  const second = reshape(lab, wanted)
  assert.deepEqual(lab, before)
  assert.deepEqual([second.routers, second.hosts, lines(second.unplug), lines(second.plug)], [[], [], [], []])
})

test('what left the manifests stays, with its ports', () => {
  const lab = state()
  const http = { port: 80, protocol: 'TCP' } as const
  const dns = { port: 53, protocol: 'UDP' } as const
  reshape(lab, plan({ n1: ['10.0.0.1/32'] }, { '10.180.0.1': { node: 'n1', ports: [http] } }))
  reshape(lab, plan({}, {}))
  assert.deepEqual(Object.keys(lab.nodes), ['n1'])
  reshape(lab, plan({ n1: ['10.0.0.1/32'] }, { '10.180.0.1': { node: 'n1', ports: [dns] } }))
  assert.deepEqual(lab.pods['10.180.0.1']?.ports, [http, dns])
})

test('a pod that moves keeps its namespace and is plugged in again', () => {
  const lab = state()
  const nodes = { n1: ['10.0.0.1/32'], n2: ['10.0.0.2/32'] }
  reshape(lab, plan(nodes, { '10.180.0.1': { node: 'n1' } }))
  const moved = reshape(lab, plan(nodes, { '10.180.0.1': { node: 'n2' } }))
  assert.deepEqual(moved.hosts, [])
  assert.deepEqual(lines(moved.unplug), ['link del dev eth0'])
  assert.ok(
    lines(moved.plug).some(line =>
      /^link add .* netns kpng-x-node_n2 type veth .* netns kpng-x-pod_10\.180\.0\.1$/.test(line),
    ),
  )
})

test('a node’s addresses follow its Node object', () => {
  const lab = state()
  reshape(lab, plan({ n1: ['10.0.0.1/32', 'fd00::1/128'] }, {}))
  const change = reshape(lab, plan({ n1: ['10.0.0.1/32', 'fd00::2/128'] }, {}))
  assert.ok(lines(change.unplug).includes('addr del fd00::1/128 dev eth0'))
  assert.ok(lines(change.plug).includes('addr replace fd00::2/128 dev eth0 nodad noprefixroute'))
  assert.equal(
    lines(change.plug).some(line => line.startsWith('link add')),
    false,
  )
})
