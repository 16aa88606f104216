import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServiceView } from '@kpng/api'
import { decodeViewDocument, encodeViewDocument, type ViewHeader } from './view-document.ts'

const header: ViewHeader = {
  version: 2,
  instance: 'default',
  pid: 1,
  writtenAt: '2026-01-01T00:00:00Z',
  synced: true,
  node: null,
  nodePortAddresses: [],
  problems: [{ where: 'a.yaml:3:5', field: 'spec.ports[0].port', message: 'not a port' }],
}
const service = (name: string): ServiceView => ({
  namespace: 'default',
  name,
  type: 'ClusterIP',
  addresses: {},
  ports: [],
  affinityTimeoutSeconds: 0,
  internalLocal: false,
  externalLocal: false,
  healthCheckNodePort: 0,
})

for (const count of [0, 1, 99, 100, 101, 250]) {
  test(`view document: ${count} services survive the way to JSON and back`, () => {
    const services = Array.from({ length: count }, (_, index) => service(`s${index}`))
    const text = [...encodeViewDocument(header, services)].join('')
    assert.deepEqual(decodeViewDocument(text), { ...header, services })
  })
}

test('view document: another version is refused', () => {
  assert.throws(() => decodeViewDocument('{"version":1,"services":[]}'), /version 2/)
  assert.throws(() => decodeViewDocument('[]'), /version 2/)
})
