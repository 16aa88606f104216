import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Family, ServiceView } from '@kpng/api'
import { dump, load } from 'js-yaml'
import { LocalView, readManifests, Store } from './index.ts'
import { readManifest } from './sources/file/manifest.ts'

const DUMP = fileURLToPath(new URL('../examples/cluster/dump.yaml', import.meta.url))

/** The view of one node, by service key. */
async function viewOf(nodeName: string): Promise<Map<string, ServiceView>> {
  const { services, slices, nodes, serviceCIDRs } = await readManifests([DUMP])
  const store = new Store()
  for (const object of [...services, ...slices, ...nodes, ...serviceCIDRs]) store.set('file', object)
  store.complete('file')
  const found = new Map<string, ServiceView>()
  const sink = {
    setNode() {},
    setService: (view: ServiceView) => found.set(`${view.namespace}/${view.name}`, view),
    deleteService: () => assert.fail('nothing is to be deleted'),
    sync() {},
  }
  using view = new LocalView(store, nodeName, sink)
  view.flush()
  return found
}

const used = (view: ServiceView | undefined, port: string, family: Family, list: 'inCluster' | 'inLocal') =>
  view?.ports
    .find(it => it.name === port)
    ?.endpoints[family]?.endpoints.filter(it => it[list])
    .map(it => `${it.address} ${it.port}`)

describe("a real cluster's dump (examples/cluster)", () => {
  it('is read without a complaint', async () => {
    const { services, slices, nodes, problems, notes } = await readManifests([DUMP])
    assert.deepEqual([services.length, slices.length, nodes.length, problems, notes], [16, 18, 3, [], []])
    assert.deepEqual(nodes[0]?.addresses, ['172.30.0.11', 'fd00:30::11'])
  })

  it('is the same as YAML, as JSON, as several documents, and as flow style', () => {
    const text = readFileSync(DUMP, 'utf8')
    const list = load(text) as { items: unknown[] }
    const shapes = [
      text,
      JSON.stringify(list),
      JSON.stringify(list, null, 4),
      dump(list, { noRefs: true }),
      dump(list),
      list.items.map(item => dump(item, { seqNoIndent: true })).join('---\n'),
      dump(list, { flowLevel: 0 }),
      dump(list, { flowLevel: 3, forceQuotes: true, quoteStyle: 'double' }),
    ]
    const read = shapes.map(shape => readManifest(shape, 'f'))
    for (const { objects, problems } of read) {
      assert.deepEqual(problems, [])
      assert.equal(objects.length, 37)
      assert.deepEqual(
        objects.map(it => 'object' in it && it.object),
        read[0]?.objects.map(it => 'object' in it && it.object),
      )
    }
  })

  it('serves the Services that have an address, and no headless or ExternalName one', async () => {
    const view = await viewOf('kpng-worker1')
    const shop = 'ads cart catalog checkout currency email frontend node-agent payment redis shipping statsd'
    assert.deepEqual([...view.keys()].sort(), [
      'default/kubernetes',
      'kube-system/kube-dns',
      ...shop.split(' ').map(name => `shop/${name}`),
    ])
  })

  it('selects by zone hints, by policy, and per family', async () => {
    const [inZoneA, inZoneB] = [await viewOf('kpng-worker1'), await viewOf('kpng-worker3')]
    const catalog = (view: Map<string, ServiceView>) =>
      used(view.get('shop/catalog'), 'grpc', 'IPv4', 'inCluster')
    assert.deepEqual(catalog(inZoneA), ['10.244.1.3 8080', '10.244.2.5 8080'])
    assert.deepEqual(catalog(inZoneB), ['10.244.3.4 8080', '10.244.3.6 8080'])

    const statsd = (view: Map<string, ServiceView>) => view.get('shop/statsd')?.ports[0]?.endpoints.IPv4
    assert.deepEqual(used(inZoneA.get('shop/statsd'), 'admin', 'IPv4', 'inLocal'), [])
    assert.equal(statsd(inZoneA)?.hasAnyEndpoints, true)
    assert.deepEqual(used(inZoneB.get('shop/statsd'), 'admin', 'IPv4', 'inLocal'), ['10.244.3.12 8080'])
    assert.equal(inZoneA.get('shop/email')?.ports[0]?.endpoints.IPv4?.hasAnyEndpoints, false)

    const currency = inZoneA.get('shop/currency')
    assert.deepEqual(used(currency, 'grpc', 'IPv6', 'inCluster'), [
      'fd00:10:244:1::5 8080',
      'fd00:10:244:3::5 8080',
    ])
    assert.deepEqual(used(currency, 'metrics', 'IPv4', 'inCluster'), ['10.244.1.5 8081', '10.244.3.5 8081'])
    assert.deepEqual(used(inZoneA.get('shop/frontend'), 'http', 'IPv4', 'inLocal'), ['10.244.1.2 8080'])
    assert.equal(inZoneA.get('shop/cart')?.affinityTimeoutSeconds, 600)
  })
})
