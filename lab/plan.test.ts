import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint, EndpointSlice, Node, SlicePort } from '@kpng/server'
import { planLab } from './plan.ts'

const none = new Map<string, readonly string[]>()

const node = (name: string, internalIPs: readonly string[], addresses?: string): Node => ({
  kind: 'Node',
  name,
  addresses: internalIPs,
  internalIPs,
  zone: '',
  podCIDRs: [],
  goingAway: false,
  annotations: addresses === undefined ? {} : { 'lab.kpng.io/addresses': addresses },
})

let slices = 0
const slice = (
  endpoints: ReadonlyArray<readonly [address: string, nodeName?: string]>,
  ports: ReadonlyArray<readonly [port: number, protocol: SlicePort['protocol']]> = [[80, 'TCP']],
): EndpointSlice => ({
  kind: 'EndpointSlice',
  namespace: 'default',
  name: `slice-${slices++}`,
  service: 'web',
  headless: false,
  family: endpoints[0]?.[0].includes(':') === true ? 'IPv6' : 'IPv4',
  ports: ports.map(([port, protocol]) => ({ name: `${protocol}-${port}`, port, protocol })),
  endpoints: endpoints.map(
    ([address, nodeName]): Endpoint => ({
      address,
      ...(nodeName !== undefined && { nodeName }),
      ready: false,
      serving: false,
      terminating: true,
    }),
  ),
})

const manifests = (objects: ReadonlyArray<Node | EndpointSlice>) => ({
  services: [],
  nodes: objects.filter(object => object.kind === 'Node'),
  slices: objects.filter(object => object.kind === 'EndpointSlice'),
})
const plan = (...objects: Array<Node | EndpointSlice>) => planLab(manifests(objects), none)

test('nodes have their InternalIPs and what the annotation adds', () => {
  const { nodes, problems } = plan(
    node('n1', ['10.0.0.1', 'fd00::1'], '192.168.1.2/24, 2001:db8::2/64,10.0.0.1/16'),
    node('n2', ['fd00::2']),
  )
  assert.deepEqual(nodes.get('n1'), {
    addresses: ['10.0.0.1/16', 'fd00::1/128', '192.168.1.2/24', '2001:db8::2/64'],
    madeUp: false,
  })
  assert.deepEqual(nodes.get('n2'), { addresses: ['fd00::2/128'], madeUp: false })
  assert.deepEqual(problems, [])
})

test('a bad or taken node address is left out and told', () => {
  const { nodes, problems } = plan(node('n1', ['10.0.0.1'], '127.0.0.5,nonsense'), node('n2', ['10.0.0.1']))
  assert.deepEqual(nodes.get('n1')?.addresses, ['10.0.0.1/32'])
  assert.equal(nodes.get('n2')?.addresses.includes('10.0.0.1/32'), false)
  assert.deepEqual(
    problems.map(problem => [problem.where, problem.message]),
    [
      ['Node//n1', '127.0.0.5 is a loopback address: ignored'],
      ['Node//n1', '"nonsense" is not an address: ignored'],
      ['Node//n2', "10.0.0.1 is node n1's: ignored"],
    ],
  )
})

test('a nodeName without a Node gets one made up, with addresses that nobody has, and keeps them', () => {
  const objects = manifests([
    slice([
      ['10.180.0.1', 'ghost'],
      ['100.127.0.1', 'other'],
      ['10.180.0.9', '../etc'],
    ]),
  ])
  const first = planLab(objects, none)
  assert.deepEqual(first.nodes.get('ghost'), {
    addresses: ['100.127.0.2/32', 'fd6b:706e:6700::2/128'],
    madeUp: true,
  })
  assert.deepEqual([...first.nodes.keys()], ['ghost', 'other'])
  assert.equal(first.pods.get('10.180.0.9')?.node, null)
  assert.match(first.problems[0]?.message ?? '', /\.\.\/etc is no name for a node/)
  const known = new Map([['other', ['100.127.0.3/32']]])
  assert.deepEqual(planLab(objects, known).nodes.get('other')?.addresses, ['100.127.0.3/32'])
})

test('one pod per address, with the ports of all its slices, whatever its conditions', () => {
  const { pods } = plan(
    node('n1', ['10.0.0.1']),
    slice(
      [['10.180.0.1', 'n1']],
      [
        [80, 'TCP'],
        [53, 'UDP'],
      ],
    ),
    slice(
      [['10.180.0.1', 'n1'], ['10.180.0.2']],
      [
        [53, 'TCP'],
        [80, 'TCP'],
        [132, 'SCTP'],
      ],
    ),
  )
  assert.deepEqual(pods.get('10.180.0.1'), {
    node: 'n1',
    inNode: false,
    ports: [
      { port: 53, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
      { port: 80, protocol: 'TCP' },
    ],
  })
  assert.equal(pods.get('10.180.0.2')?.node, null)
})

test('an endpoint with a node’s address is served on that node, whatever its nodeName says', () => {
  const { pods, problems } = plan(
    node('n1', ['10.0.0.1'], '192.168.1.2/24'),
    node('n2', ['10.0.0.2']),
    slice([['10.0.0.1', 'n2'], ['192.168.1.2']]),
  )
  assert.deepEqual(
    [...pods.values()].map(pod => [pod.node, pod.inNode]),
    [
      ['n1', true],
      ['n1', true],
    ],
  )
  assert.deepEqual(problems, [])
})

test('an address on two nodes stays on the first, and one that no host can have is left out', () => {
  const { pods, problems } = plan(
    slice([['10.180.0.1', 'a']]),
    slice([
      ['10.180.0.1', 'b'],
      ['169.254.3.4', 'b'],
    ]),
  )
  assert.equal(pods.get('10.180.0.1')?.node, 'a')
  assert.equal(pods.has('169.254.3.4'), false)
  assert.equal(problems.length, 2)
})
