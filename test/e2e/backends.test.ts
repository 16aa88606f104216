import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { assertUniform } from '../../backends/ebpf/bpf/testing/assert-uniform.ts'
import { kpngOk } from './lab.ts'
import { endpointSlice, service } from './manifests.ts'
import { Stage } from './stage.ts'

/** Which endpoints a service port has. Each test has its own Services, and the whole node to itself. */
const pods = ['10.180.0.1', '10.180.0.2', '10.180.0.3', 'fd00:180::1', 'fd00:180::2'] as const
const [pod1, pod2, pod3, pod61, pod62] = pods

let stage: Stage
beforeEach(async () => {
  stage ??= await Stage.up({ pods, ports: [8080, 8081, 8082] })
})
after(async () => {
  await stage?.[Symbol.asyncDispose]()
})

test('[KP-2.3 KP-14.13 KPNG-C4] backends are found by port name in any number of slices, each with its own number; targetPort is not read', async () => {
  const other = { name: 'admin', port: 8082 }
  await stage.apply(
    service({
      name: 'web',
      clusterIPs: ['10.96.1.1'],
      ports: [{ name: 'http', port: 80, targetPort: 9999 }],
    }),
    ...[pod1, pod2, pod3].map((pod, index) =>
      endpointSlice({
        service: 'web',
        name: `web-${index}`,
        ports: [other, { name: 'http', port: 8080 + index }],
        endpoints: [pod],
      }),
    ),
    endpointSlice({ service: 'web', name: 'web-admin', ports: [other], endpoints: [pod1] }),
    // The same name in another namespace is another Service.
    endpointSlice({
      service: 'web',
      namespace: 'elsewhere',
      ports: [{ name: 'http', port: 8082 }],
      endpoints: [pod1],
    }),
  )
  assert.deepEqual(await stage.reached('10.96.1.1'), [`${pod1}:8080`, `${pod2}:8081`, `${pod3}:8082`])
})

test('[KP-2.8 KPNG-C15] an endpoint that is listed several times is one backend with one share', async () => {
  const ports = [{ port: 8080 }]
  await stage.apply(
    service({ name: 'dup', clusterIPs: ['10.96.1.2'], ports: [{ port: 80 }] }),
    endpointSlice({ service: 'dup', name: 'dup-1', ports, endpoints: [pod1, pod2, pod1] }),
    endpointSlice({ service: 'dup', name: 'dup-2', ports, endpoints: [pod1] }),
    endpointSlice({
      service: 'dup',
      name: 'dup-3',
      ports,
      endpoints: [{ address: pod1, nodeName: 'node-a' }],
    }),
  )
  assert.deepEqual(await stage.programmed('10.96.1.2:80'), [`${pod1}:8080`, `${pod2}:8080`])
  assertUniform(await stage.tally('10.96.1.2', 80, 400), [`${pod1}:8080`, `${pod2}:8080`], 400)
})

test('[KP-2.8] of duplicates the one that does not terminate counts, whichever comes first', async () => {
  const leaving = { address: pod1, ready: false, serving: true, terminating: true }
  const ports = [{ port: 8080 }]
  const other = endpointSlice({ service: 'dup', name: 'dup-9', ports, endpoints: [pod2] })
  const vip = service({ name: 'dup', clusterIPs: ['10.96.1.3'], ports: [{ port: 80 }] })
  for (const [first, second] of [
    [leaving, pod1],
    [pod1, leaving],
  ] as const) {
    await stage.apply(
      vip,
      other,
      endpointSlice({ service: 'dup', name: 'dup-1', ports, endpoints: [first] }),
      endpointSlice({ service: 'dup', name: 'dup-2', ports, endpoints: [second] }),
    )
    assert.deepEqual(await stage.reached('10.96.1.3'), [`${pod1}:8080`, `${pod2}:8080`])
  }
})

test('one pod serves several ports of a Service, and one port of it by several numbers', async () => {
  await stage.apply(
    service({
      name: 'many',
      clusterIPs: ['10.96.1.4'],
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 81 },
      ],
    }),
    endpointSlice({
      service: 'many',
      name: 'many-1',
      ports: [
        { name: 'a', port: 8080 },
        { name: 'b', port: 8081 },
      ],
      endpoints: [pod1],
    }),
    endpointSlice({ service: 'many', name: 'many-2', ports: [{ name: 'a', port: 8082 }], endpoints: [pod1] }),
  )
  assert.deepEqual(await stage.reached('10.96.1.4', 80), [`${pod1}:8080`, `${pod1}:8082`])
  assert.deepEqual(await stage.reached('10.96.1.4', 81), [`${pod1}:8081`])
})

test('one pod serves several Services; leaving one of them leaves it in the others', async () => {
  const ports = [{ port: 8080 }]
  const services = ['one', 'two'].map((name, index) =>
    service({ name, clusterIPs: [`10.96.1.${10 + index}`], ports: [{ port: 80 }] }),
  )
  const two = endpointSlice({ service: 'two', ports, endpoints: [pod1, pod3] })
  await stage.apply(...services, two, endpointSlice({ service: 'one', ports, endpoints: [pod1, pod2] }))
  assert.deepEqual(await stage.reached('10.96.1.10'), [`${pod1}:8080`, `${pod2}:8080`])
  assert.deepEqual(await stage.reached('10.96.1.11'), [`${pod1}:8080`, `${pod3}:8080`])
  await stage.apply(...services, two, endpointSlice({ service: 'one', ports, endpoints: [pod2] }))
  assert.deepEqual(await stage.reached('10.96.1.10'), [`${pod2}:8080`])
  assert.deepEqual(await stage.reached('10.96.1.11'), [`${pod1}:8080`, `${pod3}:8080`])
})

test('[KP-1.15 KPNG-D1] TCP and UDP of one port are two service ports with backends of their own', async () => {
  await stage.apply(
    service({
      name: 'dns',
      clusterIPs: ['10.96.1.5'],
      ports: [
        { name: 'tcp', port: 53 },
        { name: 'udp', port: 53, protocol: 'UDP' },
      ],
    }),
    endpointSlice({ service: 'dns', name: 'dns-t', ports: [{ name: 'tcp', port: 8080 }], endpoints: [pod1] }),
    endpointSlice({
      service: 'dns',
      name: 'dns-u',
      ports: [{ name: 'udp', port: 8081, protocol: 'UDP' }],
      endpoints: [pod2],
    }),
  )
  assert.deepEqual(await stage.reached('10.96.1.5', 53, 'tcp'), [`${pod1}:8080`])
  assert.deepEqual(await stage.reached('10.96.1.5', 53, 'udp'), [`${pod2}:8081`])
  assert.deepEqual(await stage.reached('10.96.1.5', 53, 'udp_connected'), [`${pod2}:8081`])
})

test('[KP-2.3 KP-4.14] a slice’s port counts for the Service’s port of its protocol only', async () => {
  await stage.apply(
    service({ name: 'proto', clusterIPs: ['10.96.1.6'], ports: [{ name: 'x', port: 80 }] }),
    endpointSlice({
      service: 'proto',
      ports: [{ name: 'x', port: 8080, protocol: 'UDP' }],
      endpoints: [pod1],
    }),
  )
  assert.deepEqual(await stage.reached('10.96.1.6'), ['ECONNREFUSED'])
})

test('[KP-6.9 KPNG-D6] dual stack: each family goes to its own endpoints, and refuses where it has none', async () => {
  const vips = ['10.96.1.7', 'fd00:96::7']
  const ports = [
    { name: 't', port: 80 },
    { name: 'u', port: 80, protocol: 'UDP' as const },
  ]
  const slicePorts = [
    { name: 't', port: 8080 },
    { name: 'u', port: 8081, protocol: 'UDP' },
  ]
  const dual = service({ name: 'dual', clusterIPs: vips, ports })
  const six = endpointSlice({ service: 'dual', ports: slicePorts, endpoints: [pod61, pod62] })
  await stage.apply(dual, six, endpointSlice({ service: 'dual', ports: slicePorts, endpoints: [pod1, pod2] }))
  assert.deepEqual(await stage.reached('10.96.1.7'), [`${pod1}:8080`, `${pod2}:8080`])
  assert.deepEqual(await stage.reached('10.96.1.7', 80, 'udp'), [`${pod1}:8081`, `${pod2}:8081`])
  assert.deepEqual(await stage.reached('fd00:96::7'), [`[${pod61}]:8080`, `[${pod62}]:8080`])
  assert.deepEqual(await stage.reached('fd00:96::7', 80, 'udp'), [`[${pod61}]:8081`, `[${pod62}]:8081`])
  await stage.apply(dual, six)
  assert.deepEqual(await stage.reached('10.96.1.7'), ['ECONNREFUSED'])
  assert.deepEqual(await stage.reached('10.96.1.7', 80, 'udp'), ['ECONNREFUSED'])
  assert.deepEqual(await stage.reached('fd00:96::7'), [`[${pod61}]:8080`, `[${pod62}]:8080`])
})

test('the order of objects, endpoints and ports does not matter: the kernel keeps what it has', async () => {
  const ports = [
    { name: 'a', port: 8080 },
    { name: 'b', port: 8081 },
  ]
  const objects = (turn: <T>(list: T[]) => T[]): unknown[] =>
    turn([
      ...[1, 2].map(n =>
        service({
          name: `o${n}`,
          type: 'NodePort',
          clusterIPs: [`10.96.1.${20 + n}`],
          ports: turn([
            { name: 'a', port: 80, nodePort: 30000 + n },
            { name: 'b', port: 81 },
          ]),
          spec: { externalIPs: turn(['192.0.2.1', `192.0.2.${10 + n}`]) },
        }),
      ),
      ...[1, 2].map(n =>
        endpointSlice({ service: `o${n}`, ports: turn(ports), endpoints: turn([pod1, pod2]) }),
      ),
      endpointSlice({ service: 'o1', name: 'o1-more', ports: turn(ports), endpoints: turn([pod2, pod3]) }),
    ])
  const dump = async (): Promise<string> => await kpngOk(['get', 'maps', '--instance', stage.agent.instance])
  // The external IP that both claim is served for one of them and reported for the other.
  await stage.tryApply(...objects(list => list))
  const first = await dump()
  assert.match(first, /192\.0\.2\.1:80\/TCP -> list \d+ service default\/o1:a/)
  await stage.tryApply(...objects(list => list.reverse()))
  assert.equal(await dump(), first)
})

for (const [family, vip, backends] of [
  ['IPv4', '10.96.1.8', [pod1, pod2, pod3].flatMap(pod => [`${pod}:8080`, `${pod}:8081`])],
  ['IPv6', 'fd00:96::8', [pod61, pod62].flatMap(pod => [`[${pod}]:8080`, `[${pod}]:8081`])],
] as const)
  for (const how of ['tcp', 'udp', 'udp_connected'] as const)
    test(`[KP-4.16] new sockets spread evenly over all backends: ${family}, ${how}`, async () => {
      const both = [1, 2].map(n => ({ name: `${n}`, n }))
      await stage.apply(
        service({
          name: 'even',
          clusterIPs: ['10.96.1.8', 'fd00:96::8'],
          ports: [
            { name: 't', port: 80 },
            { name: 'u', port: 80, protocol: 'UDP' },
          ],
        }),
        ...both.flatMap(({ n }) =>
          [
            [pod1, pod2, pod3],
            [pod61, pod62],
          ].map((endpoints, family) =>
            endpointSlice({
              service: 'even',
              name: `even-${family}-${n}`,
              ports: [
                { name: 't', port: 8079 + n },
                { name: 'u', port: 8079 + n, protocol: 'UDP' },
              ],
              endpoints,
            }),
          ),
        ),
      )
      assertUniform(await stage.tally(vip, 80, 1200, how), backends, 1200)
    })
