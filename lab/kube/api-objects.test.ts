import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawObject } from '@kpng/server'
import { apiObjects, pathOf } from './api-objects.ts'

const object = (kind: string, metadata: object, more: object = {}): RawObject => ({
  apiVersion: kind === 'EndpointSlice' ? 'discovery.k8s.io/v1' : 'v1',
  kind,
  metadata: { ...metadata },
  ...more,
})

test('what only a server writes is left out; the status goes its own way', () => {
  const metadata = {
    name: 'web',
    namespace: 'shop',
    labels: { app: 'web' },
    annotations: null,
    uid: 'x',
    resourceVersion: '7',
    managedFields: [],
    creationTimestamp: '2026-01-01T00:00:00Z',
  }
  const status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } }
  assert.deepEqual(apiObjects([object('Service', metadata, { spec: { ports: [] }, status })]), [
    {
      key: 'Service/shop/web',
      kind: 'Service',
      namespace: 'shop',
      path: '/api/v1/namespaces/shop/services/web',
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
        spec: { ports: [] },
      },
      status: { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] }, conditions: null },
    },
  ])
})

test('a status that the manifest does not have is taken away', () => {
  assert.deepEqual(apiObjects([object('Node', { name: 'n1' })])[0]?.status, {
    addresses: null,
    conditions: null,
  })
})

test('kinds come in the order in which they are needed, an object once, as its last place says', () => {
  const made = apiObjects([
    object('EndpointSlice', { name: 'web-1' }),
    object('Service', { name: 'web' }, { spec: { type: 'ClusterIP' } }),
    object('Node', { name: 'n1', namespace: 'of no meaning' }),
    object('Service', { name: 'web', namespace: 'default' }, { spec: { type: 'NodePort' } }),
  ])
  assert.deepEqual(
    made.map(({ key }) => key),
    ['Node//n1', 'Service/default/web', 'EndpointSlice/default/web-1'],
  )
  assert.deepEqual(made[1]?.body.spec, { type: 'NodePort' })
})

test('other kinds, versions and objects without a name, and what is the server’s own, are passed over', () => {
  const passed = [
    object('Pod', { name: 'p' }),
    { ...object('EndpointSlice', { name: 'old' }), apiVersion: 'discovery.k8s.io/v1beta1' },
    object('Service', {}),
    object('Service', { name: 'kubernetes', namespace: 'default' }),
    object('EndpointSlice', { name: 'kubernetes' }),
    { ...object('ServiceCIDR', { name: 'kubernetes' }), apiVersion: 'networking.k8s.io/v1' },
  ]
  assert.deepEqual(apiObjects(passed), [])
  assert.equal(apiObjects([object('Service', { name: 'kubernetes', namespace: 'shop' })]).length, 1)
})

test('a key leads to the object’s path', () => {
  assert.equal(pathOf('Node//n1'), '/api/v1/nodes/n1')
  assert.equal(
    pathOf('EndpointSlice/shop/web-1'),
    '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-1',
  )
  assert.throws(() => pathOf('Secret/shop/key'), RangeError)
})
