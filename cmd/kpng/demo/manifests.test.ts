import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Manifests } from './manifests.ts'

const dump = `
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Service, metadata: {namespace: shop, name: ads}}
  - apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {namespace: shop, name: ads-1, labels: {kubernetes.io/service-name: ads}}
    endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]
  - apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {namespace: other, name: ads-2, labels: {kubernetes.io/service-name: ads}}
    endpoints: [{addresses: [10.0.0.1]}]
`

function open(t: TestContext): { manifests: Manifests; addresses: () => string[][]; dir: string } {
  const dir = mkdtempSync(join(tmpdir(), 'kpng-test-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'dump')
  writeFileSync(file, dump)
  const manifests = new Manifests(file, dir)
  const addresses = (): string[][] => {
    const { items } = JSON.parse(readFileSync(join(dir, 'cluster.json'), 'utf8')) as {
      items: Array<{ endpoints?: Array<{ addresses: string[] }> }>
    }
    return items.flatMap(item => (item.endpoints ? [item.endpoints.flatMap(one => one.addresses)] : []))
  }
  return { manifests, addresses, dir }
}

test('endpoints are taken from the slices of one Service only', t => {
  const { manifests, addresses } = open(t)
  manifests.keepEndpoints('shop/ads', address => address !== '10.0.0.1')
  assert.deepEqual(addresses(), [['10.0.0.2'], ['10.0.0.1']])
  manifests.restore()
  assert.deepEqual(addresses(), [['10.0.0.1', '10.0.0.2'], ['10.0.0.1']])
})

test('the endpoints of a Service are the original ones', t => {
  const { manifests } = open(t)
  manifests.keepEndpoints('shop/ads', () => false)
  assert.deepEqual(manifests.endpoints('shop/ads'), ['10.0.0.1', '10.0.0.2'])
})

test('the file is replaced whole: nothing half-written stays', t => {
  const { manifests, dir } = open(t)
  manifests.keepEndpoints('shop/ads', () => true)
  assert.deepEqual(readdirSync(dir).sort(), ['cluster.json', 'dump'])
})
