/** Whatever stands in a field of an object: it costs that field alone, and what is said names it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalIP } from '@kpng/api'
import fc from 'fast-check'
import { type FieldPath, isRecord } from './fields.ts'
import { identity, junk, mutate, mutation } from './mutate-json.ts'
import { type ReadResult, readObject } from './read.ts'
import type { KubeObject } from './types.ts'

/** Every field that is read, and some that are not. */
const examples: Readonly<Record<KubeObject['kind'], Readonly<Record<string, unknown>>>> = {
  Service: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: '0b7a',
      labels: { app: 'web' },
      annotations: { 'kubectl.kubernetes.io/x': '{}' },
    },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1', 'fd00:96::1'],
      ipFamilies: ['IPv4', 'IPv6'],
      externalIPs: ['192.0.2.1', '2001:db8::1'],
      loadBalancerSourceRanges: ['10.0.0.0/8', 'fd00::/8'],
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Cluster',
      healthCheckNodePort: 32000,
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } },
      selector: { app: 'web' },
      ports: [
        { name: 'http', port: 80, nodePort: 30080, targetPort: 8080 },
        { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 },
        { name: 'assoc', port: 9, protocol: 'SCTP' },
      ],
    },
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.1', ipMode: 'VIP' }, { ip: '2001:db8:1::1' }] } },
  },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'dns', port: 5353, protocol: 'UDP', appProtocol: null },
    ],
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'n1',
        zone: 'a',
        hints: { forZones: [{ name: 'a' }], forNodes: [{ name: 'n1' }] },
        targetRef: { kind: 'Pod', name: 'web-x', namespace: 'shop' },
      },
      {
        addresses: ['10.0.0.2', '10.0.0.22'],
        conditions: { ready: false, serving: true, terminating: true },
      },
      { addresses: ['10.0.0.3'] },
    ],
  },
  Node: {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'n1',
      labels: { 'topology.kubernetes.io/zone': 'a' },
      annotations: { 'lab.kpng.io/x': 'y', other: 'z' },
    },
    spec: { podCIDRs: ['10.244.1.0/24', 'fd00:244:1::/64'], taints: [{ key: 'x', effect: 'NoSchedule' }] },
    status: {
      addresses: [
        { type: 'InternalIP', address: '172.30.0.1' },
        { type: 'InternalIP', address: 'fd00:30::1' },
        { type: 'ExternalIP', address: '198.51.100.1' },
        { type: 'Hostname', address: 'n1' },
      ],
    },
  },
  ServiceCIDR: {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.96.0.0/16', 'fd00:96::/112'] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  },
}

/** Which JSON a field of the result comes from; what is not named depends on what is at its own name in `spec`. */
const sources: Readonly<Record<KubeObject['kind'], Readonly<Record<string, readonly string[]>>>> = {
  Service: {
    uid: ['metadata.uid'],
    headless: ['spec.clusterIP'],
    foreignProxy: ['metadata.labels'],
    clusterIPs: ['spec.clusterIP', 'spec.clusterIPs', 'spec.ipFamilies', 'spec.type'],
    loadBalancerIPs: ['status.loadBalancer'],
    sourceRanges: ['spec.loadBalancerSourceRanges'],
    affinityTimeoutSeconds: ['spec.sessionAffinity', 'spec.sessionAffinityConfig'],
    internalLocal: ['spec.internalTrafficPolicy'],
    externalLocal: ['spec.externalTrafficPolicy', 'spec.type', 'spec.externalIPs'],
    healthCheckNodePort: ['spec.healthCheckNodePort', 'spec.externalTrafficPolicy', 'spec.type'],
  },
  EndpointSlice: {
    service: ['metadata.labels'],
    headless: ['metadata.labels'],
    family: ['addressType'],
    ports: ['ports'],
    endpoints: ['endpoints', 'addressType'],
  },
  Node: {
    addresses: ['status.addresses'],
    internalIPs: ['status.addresses'],
    zone: ['metadata.labels'],
    goingAway: ['metadata.deletionTimestamp', 'spec.taints'],
    annotations: ['metadata.annotations'],
  },
  ServiceCIDR: {},
}

interface Reading {
  readonly result: ReadResult
  readonly complaints: readonly { readonly path: FieldPath; readonly message: string }[]
}

function read(value: unknown): Reading {
  const complaints: { path: FieldPath; message: string }[] = []
  const report = (path: FieldPath, message: string) => complaints.push({ path, message })
  const result = readObject(value, { report, own: text => text })
  return { result, complaints }
}

/** Fails for what no part of the proxy expects in an object. */
function assertSound(object: KubeObject): void {
  const number = (value: number, min: number, max: number): void =>
    assert.ok(Number.isInteger(value) && value >= min && value <= max, `${value} from ${min} to ${max}`)
  const texts = (...values: readonly (string | undefined)[]): void => {
    for (const value of values) assert.ok(value === undefined || typeof value === 'string')
  }
  const flags = (...values: readonly boolean[]): void => {
    for (const value of values) assert.equal(typeof value, 'boolean')
  }
  const addresses = (values: readonly (string | undefined)[]): void => {
    for (const value of values) assert.equal(canonicalIP(value ?? ''), value)
  }
  const networks = (values: readonly string[]): void => {
    for (const value of values) addresses([value.split('/')[0]])
  }
  assert.match(object.name, /^[\w.:-]{1,253}$/)
  switch (object.kind) {
    case 'Service':
      texts(object.namespace, object.uid, object.type)
      flags(object.headless, object.foreignProxy, object.internalLocal, object.externalLocal)
      addresses([...Object.values(object.clusterIPs), ...object.externalIPs, ...object.loadBalancerIPs])
      networks(object.sourceRanges)
      for (const port of object.ports) {
        texts(port.name)
        number(port.port, 1, 65_535)
        number(port.nodePort, 0, 65_535)
        assert.ok(['TCP', 'UDP', 'SCTP'].includes(port.protocol))
      }
      number(object.affinityTimeoutSeconds, 0, 86_400)
      number(object.healthCheckNodePort, 0, 65_535)
      return
    case 'EndpointSlice':
      texts(object.namespace, object.service)
      flags(object.headless)
      assert.ok(['IPv4', 'IPv6'].includes(object.family))
      for (const port of object.ports) {
        texts(port.name)
        number(port.port, 1, 65_535)
      }
      for (const endpoint of object.endpoints) {
        addresses([endpoint.address])
        flags(endpoint.ready, endpoint.serving, endpoint.terminating)
        texts(endpoint.nodeName, endpoint.zone, endpoint.pod)
        texts(...(endpoint.zoneHints ?? []), ...(endpoint.nodeHints ?? []))
      }
      return
    case 'Node':
      addresses([...object.addresses, ...object.internalIPs])
      networks(object.podCIDRs)
      texts(object.zone, ...Object.values(object.annotations))
      flags(object.goingAway)
      return
    case 'ServiceCIDR':
      networks(object.cidrs)
  }
}

/** The place of a complaint is in the object, or would be one of its fields if it were there. */
function assertPlace(value: unknown, path: FieldPath): void {
  let here = value
  for (const [depth, step] of path.entries()) {
    const inside = isRecord(here) || Array.isArray(here)
    assert.ok(inside || depth === path.length - 1 || here === undefined, path.join('.'))
    here = inside ? (here as Readonly<Record<string | number, unknown>>)[step] : undefined
  }
}

const below = (path: string, root: string): boolean =>
  path === root || path.startsWith(`${root}.`) || root.startsWith(`${path}.`) || path === ''

for (const [kind, example] of Object.entries(examples) as [KubeObject['kind'], object][])
  test(`a ${kind} with fields that are anything: the others are as they were`, () => {
    const before = read(example)
    assert.ok(before.result.outcome === 'object')
    assert.deepEqual(before.complaints, [])
    const original = before.result.object
    fc.assert(
      fc.property(mutation, change => {
        const { value, at } = mutate(example, change, identity)
        const { result, complaints } = read(value)
        for (const { path, message } of complaints) {
          assert.ok(message.length > 0 && message.length < 300 && !message.includes('\n'), message)
          assertPlace(value, path)
        }
        const place = at.join('.')
        if (result.outcome !== 'object') {
          // Without a family there is nothing to read the addresses as; all else costs no object.
          assert.equal(`${kind} ${place}`, 'EndpointSlice addressType')
          return
        }
        const { object } = result
        assertSound(object)
        for (const field of Object.keys(original) as (keyof KubeObject)[]) {
          const from = sources[kind][field] ?? [`spec.${field}`]
          if (!from.some(root => below(place, root))) assert.deepEqual(object[field], original[field], field)
        }
        // Of a list one item is another: its neighbours are what they were.
        const [list, index] = place.startsWith('spec.ports.') ? at.slice(1) : at
        if (typeof index !== 'number' || (list !== 'ports' && list !== 'endpoints')) return
        const items = (it: KubeObject): readonly unknown[] =>
          (it as unknown as Readonly<Record<string, readonly unknown[]>>)[list] ?? []
        for (const [i, item] of items(original).entries())
          if (i !== index)
            assert.ok(
              items(object).some(it => JSON.stringify(it) === JSON.stringify(item)),
              `${list}[${i}]`,
            )
      }),
      { numRuns: 1500 },
    )
  })

test('of an object with many fields that are anything, what is read is sound', () => {
  const kinds = fc.constantFrom(...Object.values(examples))
  fc.assert(
    fc.property(kinds, fc.array(mutation, { minLength: 2, maxLength: 8 }), (example, changes) => {
      // Also of what names it.
      const value = changes.reduce<unknown>((it, change) => mutate(it, change).value, example)
      const { result, complaints } = read(value)
      for (const { path } of complaints) assertPlace(value, path)
      if (result.outcome === 'object') assertSound(result.object)
      if (result.outcome === 'ignored' && isRecord(value) && value.addressType !== 'FQDN')
        assert.ok(complaints.length > 0, 'whatever is ignored is told')
    }),
    { numRuns: 3000 },
  )
})

test('what is no object at all is told, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.oneof(junk, fc.anything(), fc.jsonValue()), value => {
      const { result } = read(value)
      assert.notEqual(result.outcome, 'object')
    }),
    { numRuns: 1000 },
  )
})

test('an object as deep as a parser gives it, and keys that mean something to JavaScript', () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown
  const { result, complaints } = read({ ...examples.Service, spec: deep })
  assert.equal(result.outcome, 'object')
  assert.deepEqual(
    complaints.map(({ path }) => path.join('.')),
    ['spec'],
  )
  const text = JSON.stringify(examples.Node).replace(
    '"other"',
    '"__proto__":{"zone":"evil"},"lab.kpng.io/__proto__"',
  )
  const node = read(JSON.parse(text))
  assert.ok(node.result.outcome === 'object' && node.result.object.kind === 'Node')
  assert.equal(node.result.object.zone, 'a')
  assert.deepEqual(Object.keys(node.result.object.annotations), ['lab.kpng.io/x', 'lab.kpng.io/__proto__'])
  assert.equal(({} as Readonly<Record<string, unknown>>).zone, undefined)
})
