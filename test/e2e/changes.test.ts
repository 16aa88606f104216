import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { endpointSlice, service, serviceCIDR } from './manifests.ts'
import { Stage } from './stage.ts'

/** Services that go, come, change in place and take one another's addresses. */
const pods = ['10.180.0.1', '10.180.0.2', 'fd00:180::1'] as const
const [pod1, pod2, pod6] = pods

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

type ServiceSpec = Parameters<typeof service>[0]
const web = (spec: Partial<ServiceSpec> = {}): unknown[] => [
  service({ name: 'web', clusterIPs: ['10.96.5.1'], ports: [{ name: 'p', port: 80 }], ...spec }),
  ...[pod1, pod6].map(pod =>
    endpointSlice({
      service: 'web',
      ports: [
        { name: 'p', port: 8080 },
        { name: 'p', port: 8080, protocol: 'UDP' },
      ],
      endpoints: [pod],
    }),
  ),
]
const one = (name: string, vip: string, pod: string): unknown[] => [
  service({ name, clusterIPs: [vip], ports: [{ port: 80 }] }),
  endpointSlice({ service: name, ports: [{ port: 8080 }], endpoints: [pod] }),
]

const cidrs = serviceCIDR('10.96.0.0/16', 'fd00:96::/112')
const answer = `${pod1}:8080`
const answer6 = `[${pod6}]:8080`

/** What TCP and connected UDP sockets are told on each address. */
async function told(...destinations: readonly [string, number][]): Promise<string[]> {
  const list = JSON.stringify(destinations)
  return await stage.clients.run(`[how(*to) for to in ${list} for how in (tcp, udp_connected)]`)
}

test('[KP-4.12] a Service that is deleted is not translated any more; with a ServiceCIDR its address is unreachable', async () => {
  await stage.apply(...web())
  assert.deepEqual(await told(['10.96.5.1', 80]), [answer, 'ECONNREFUSED'])
  await stage.apply()
  // Nobody's: the namespace itself has no route there.
  assert.deepEqual(await told(['10.96.5.1', 80]), ['ENETUNREACH', 'ENETUNREACH'])
  await stage.apply(cidrs)
  assert.deepEqual(await told(['10.96.5.1', 80]), ['EHOSTUNREACH', 'EHOSTUNREACH'])
  await stage.apply(cidrs, ...web())
  assert.deepEqual(await told(['10.96.5.1', 80], ['10.96.5.1', 81]), [
    answer,
    'ECONNREFUSED',
    'ECONNREFUSED',
    'ECONNREFUSED',
  ])
})

test('[KP-1.16 KPNG-C8] the address and the NodePort of a deleted Service serve the one that is made in the same apply', async () => {
  for (const [name, pod] of [
    ['first', pod1],
    ['second', pod2],
    ['first', pod2],
    ['second', pod1],
  ] as const) {
    const [made, slice] = one(name, '10.96.5.2', pod) as [{ spec: object }, unknown]
    const nodePort = { type: 'NodePort', ports: [{ protocol: 'TCP', port: 80, nodePort: 30500 }] }
    await stage.apply({ ...made, spec: { ...made.spec, ...nodePort } }, slice)
    assert.deepEqual(await stage.reached('10.96.5.2'), [`${pod}:8080`])
    assert.deepEqual(await stage.reached('192.168.78.1', 30500), [`${pod}:8080`])
  }
})

test('[KP-1.16 KP-6.4] two Services swap their addresses in one apply: no connection meanwhile goes anywhere else', async () => {
  await stage.apply(...one('a', '10.96.5.3', pod1), ...one('b', '10.96.5.4', pod2))
  await stage.clients.run(`
stop = False
seen = {}
def loop():
    while not stop:
        for vip in ("10.96.5.3", "10.96.5.4"):
            answer = tcp(vip, 80)
            seen[answer] = seen.get(answer, 0) + 1
thread = threading.Thread(target=loop, daemon=True); thread.start()`)
  for (let round = 0; round < 6; round++) {
    const [a, b] = round % 2 === 0 ? ['10.96.5.4', '10.96.5.3'] : ['10.96.5.3', '10.96.5.4']
    await stage.apply(...one('a', a, pod1), ...one('b', b, pod2))
    assert.deepEqual(await stage.reached(a), [`${pod1}:8080`], `round ${round}`)
    assert.deepEqual(await stage.reached(b), [`${pod2}:8080`], `round ${round}`)
  }
  const seen = await stage.clients.run<Record<string, number>>('stop = True; thread.join(); result = seen')
  assert.deepEqual(Object.keys(seen).sort(), [`${pod1}:8080`, `${pod2}:8080`])
})

/** From each state to each other: what remains of the one before would show. */
const states: readonly [string, unknown[], string[]][] = [
  ['as it was', web(), [answer, 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', '-', '-', '6', '6']],
  [
    'its port is another',
    web({ ports: [{ name: 'p', port: 81 }] }),
    ['ECONNREFUSED', 'ECONNREFUSED', answer, 'ECONNREFUSED', '-', '-', '6', '6'],
  ],
  [
    'its protocol is another',
    web({ ports: [{ name: 'p', port: 80, protocol: 'UDP' }] }),
    ['ECONNREFUSED', answer, 'ECONNREFUSED', 'ECONNREFUSED', '-', '-', '6', '6'],
  ],
  [
    'its port has another name',
    web({ ports: [{ name: 'q', port: 80 }] }),
    ['ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', '-', '-', '6', '6'],
  ],
  [
    'it is a NodePort',
    web({ type: 'NodePort', ports: [{ name: 'p', port: 80, nodePort: 30501 }] }),
    [answer, 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', answer, '-', '6', '6'],
  ],
  [
    'it has affinity',
    web({ spec: { sessionAffinity: 'ClientIP' } }),
    [answer, 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', '-', '-', '6', '6'],
  ],
  [
    'it is dual stack',
    web({ clusterIPs: ['10.96.5.1', 'fd00:96::51'] }),
    [answer, 'ECONNREFUSED', 'ECONNREFUSED', 'ECONNREFUSED', '-', '-', answer6, 'ECONNREFUSED'],
  ],
  [
    'it is IPv6 only',
    web({ clusterIPs: ['fd00:96::51'] }),
    ['4', '4', '4', '4', '-', '-', answer6, 'ECONNREFUSED'],
  ],
  ['it is headless', web({ clusterIPs: ['None'] }), ['4', '4', '4', '4', '-', '-', '6', '6']],
  [
    'it is an ExternalName',
    web({ type: 'ExternalName', clusterIPs: [] }),
    ['4', '4', '4', '4', '-', '-', '6', '6'],
  ],
  [
    'it is another proxy’s',
    web({ labels: { 'service.kubernetes.io/service-proxy-name': '' } }),
    ['4', '4', '4', '4', '-', '-', '6', '6'],
  ],
]
/** Nobody's address and nobody's port. */
const nobody: Record<string, string> = { '-': 'ECONNREFUSED', '4': 'EHOSTUNREACH', '6': 'EHOSTUNREACH' }

for (const [name, objects, expected] of states)
  test(`[KPNG-C8] a Service that changes in place, to and fro: ${name}`, async () => {
    const answers = expected.map(word => nobody[word] ?? word)
    for (const [from, before] of states) {
      await stage.apply(cidrs, ...before)
      await stage.apply(cidrs, ...objects)
      assert.deepEqual(
        await told(['10.96.5.1', 80], ['10.96.5.1', 81], ['192.168.78.1', 30501], ['fd00:96::51', 80]),
        answers,
        `after ${from}`,
      )
    }
  })

test('an external IP and a LoadBalancer address go with the field, the rest stays', async () => {
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.51' }] } }
  const all = web({ type: 'LoadBalancer', spec: { externalIPs: ['192.0.2.50'] }, status })
  const noExternal = web({ type: 'LoadBalancer', status })
  const noBalancer = web({ type: 'LoadBalancer', spec: { externalIPs: ['192.0.2.50'] } })
  for (const [objects, expected] of [
    [all, [answer, answer, answer]],
    [noExternal, [answer, 'ENETUNREACH', answer]],
    [noBalancer, [answer, answer, 'ENETUNREACH']],
    [web(), [answer, 'ENETUNREACH', 'ENETUNREACH']],
    [all, [answer, answer, answer]],
  ] as const) {
    await stage.apply(...objects)
    assert.deepEqual(
      await stage.clients.run('[tcp(vip, 80) for vip in ("10.96.5.1", "192.0.2.50", "192.0.2.51")]'),
      expected,
    )
  }
})

test('[KP-2.11] a Service deleted and made again while its slices stay is served again', async () => {
  const [made, ...slices] = web()
  await stage.apply(...slices)
  assert.deepEqual(await told(['10.96.5.1', 80]), ['ENETUNREACH', 'ENETUNREACH'])
  await stage.apply(made, ...slices)
  assert.deepEqual(await told(['10.96.5.1', 80]), [answer, 'ECONNREFUSED'])
})
