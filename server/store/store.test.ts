import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KpngError } from '@kpng/api'
import { aNode, anEndpoint, aService, aSlice } from '../objects/fixtures.ts'
import type { KubeObject } from '../objects/types.ts'
import { Store, type StoreWrite } from './store.ts'

/** A store, and what it told since last asked. */
function subject() {
  const store = new Store()
  let wakes = 0
  const feed = store.subscribe(() => wakes++)
  return {
    store,
    told: () => {
      const { services, nodes, serviceCIDRs } = feed.take()
      return [...services, ...nodes, ...(serviceCIDRs ? ['cidrs'] : [])]
    },
    wakes: () => wakes,
    feed,
  }
}

const names = (store: Store, key: string) => [...store.slicesOf(key)].map(it => it.name)

describe('store', () => {
  it('[KP-1.18] an equal object again costs nothing: no revision, no event', () => {
    const { store, told, wakes } = subject()
    const write = () => {
      store.set('s', aService())
      store.set('s', aSlice({ endpoints: [anEndpoint('10.0.0.1', { zoneHints: ['a'] })] }))
      store.set('s', aNode())
      store.set('s', { kind: 'ServiceCIDR', name: 'c', cidrs: ['10.96.0.0/16'] })
    }
    write()
    assert.deepEqual(told(), ['shop/web', 'n1', 'cidrs'])
    const { revision } = store
    const before = wakes()
    write()
    assert.deepEqual([store.revision, told(), wakes()], [revision, [], before])
  })

  it('[KP-1.18] a change of any field is a change', () => {
    const { store, told } = subject()
    const endpoint = anEndpoint('10.0.0.1')
    const versions: KubeObject[] = [
      aSlice({ endpoints: [endpoint] }),
      aSlice({ endpoints: [{ ...endpoint, ready: false }] }),
      aSlice({ endpoints: [{ ...endpoint, zoneHints: ['a'] }] }),
      aSlice({ endpoints: [] }),
    ]
    for (const version of versions) {
      store.set('s', version)
      assert.deepEqual(told(), ['shop/web'])
    }
  })

  it('[KP-2.11] a slice before its Service, and a Service that comes back, find each other', () => {
    const { store, told } = subject()
    store.set('s', aSlice())
    store.set('s', aService())
    assert.deepEqual(names(store, 'shop/web'), ['web-1'])
    store.delete('s', aService())
    assert.equal(store.service('shop/web'), undefined)
    assert.deepEqual(told(), ['shop/web'])
    store.set('s', aService())
    assert.deepEqual(names(store, 'shop/web'), ['web-1'])
  })

  it('a slice whose label changes moves from one Service to the other, both are told', () => {
    const { store, told } = subject()
    store.set('s', aSlice())
    told()
    store.set('s', aSlice({ service: 'db' }))
    assert.deepEqual(told(), ['shop/web', 'shop/db'])
    assert.deepEqual([names(store, 'shop/web'), names(store, 'shop/db')], [[], ['web-1']])
    store.set('s', aSlice({ service: '' }))
    assert.deepEqual([told(), names(store, 'shop/db')], [['shop/db'], []])
  })

  it('[KP-2.2] a slice counts only in its own namespace', () => {
    const { store } = subject()
    store.set('s', aSlice({ namespace: 'other' }))
    assert.deepEqual([names(store, 'shop/web'), names(store, 'other/web')], [[], ['web-1']])
  })

  it('deleting what is not there is nothing', () => {
    const { store, told } = subject()
    store.delete('s', { kind: 'Service', namespace: 'shop', name: 'web' })
    store.delete('s', { kind: 'EndpointSlice', namespace: 'shop', name: 'web' })
    store.delete('s', { kind: 'Node', name: 'n' })
    assert.deepEqual([told(), store.revision], [[], 0])
  })

  it('two sources with one key: the first by name counts, the other steps in when it goes', () => {
    const { store, told } = subject()
    store.set('b', aService({ internalLocal: true }))
    store.set('a', aService())
    assert.equal(store.service('shop/web')?.internalLocal, false)
    told()
    store.set('b', aService({ type: 'NodePort' }))
    assert.deepEqual(told(), [], 'a change that nobody can see is none')
    store.delete('a', aService())
    assert.equal(store.service('shop/web')?.type, 'NodePort')
    assert.deepEqual(told(), ['shop/web'])
    store.delete('b', aService())
    assert.equal(store.service('shop/web'), undefined)
  })

  it('[KP-1.17] is complete when every source has had its first list of every kind', () => {
    const { store, wakes } = subject()
    assert.equal(store.isComplete(), false, 'without any source')
    store.addSource('a')
    store.addSource('b')
    store.complete('a')
    assert.equal(store.isComplete(), false)
    store.complete('b', ['Service'])
    assert.deepEqual([store.isComplete(), store.isComplete(['Service'])], [false, true])
    const before = wakes()
    store.complete('b', ['EndpointSlice', 'Node', 'ServiceCIDR'])
    assert.deepEqual([store.isComplete(), wakes()], [true, before + 1])
  })

  it('is whole when it is complete and no source has something missing; each turn of that wakes', () => {
    const { store, wakes } = subject()
    store.addSource('a')
    store.setWhole('a', false)
    store.complete('a')
    store.complete('b')
    assert.deepEqual([store.isComplete(), store.isWhole()], [true, false])
    const before = wakes()
    store.setWhole('a', false)
    store.setWhole('b', true)
    assert.equal(wakes(), before, 'nothing new')
    store.setWhole('a', true)
    assert.deepEqual([store.isWhole(), wakes()], [true, before + 1])
    store.addSource('c')
    assert.equal(store.isWhole(), false)
  })

  it('an update is under way until all of them have ended, which wakes', () => {
    const { store, wakes } = subject()
    const updates = [store.beginUpdate(), store.beginUpdate()]
    updates[0]?.[Symbol.dispose]()
    updates[0]?.[Symbol.dispose]()
    assert.deepEqual([store.isUpdating, wakes()], [true, 0])
    updates[1]?.[Symbol.dispose]()
    assert.deepEqual([store.isUpdating, wakes()], [false, 1])
  })

  it('refuses objects beyond its bound, and changes of known ones never', () => {
    const store = new Store({ maxObjects: 1 })
    store.set('s', aService())
    assert.throws(
      () => store.set('s', aService({ name: 'db' })),
      error => error instanceof KpngError && error.code === 'exhausted',
    )
    store.set('s', aService({ type: 'NodePort' }))
    store.delete('s', aService())
    store.set('s', aService({ name: 'db' }))
    assert.deepEqual(
      [...store.services()].map(it => it.name),
      ['db'],
    )
  })

  it('a disposed feed is told nothing', () => {
    const { store, feed, wakes } = subject()
    feed[Symbol.dispose]()
    store.set('s', aService())
    assert.equal(wakes(), 0)
  })

  it('tells of every write, also of one that changes nothing', () => {
    const writes: string[] = []
    const onWrite = ({ kind, key, changed }: StoreWrite) => writes.push(`${kind} ${key} ${changed}`)
    const store = new Store({ onWrite, maxObjects: 1 })
    store.set('s', aService())
    store.set('s', aService())
    store.set('s', aSlice())
    store.set('s', aNode())
    store.delete('s', aService())
    store.delete('s', aService())
    store.set('s', aService())
    assert.throws(() => store.set('s', aService({ name: 'db' })))
    assert.deepEqual(writes, [
      'Service shop/web true',
      'Service shop/web false',
      `EndpointSlice shop/${aSlice().name} true`,
      'Node n1 true',
      'Service shop/web true',
      'Service shop/web false',
      'Service shop/web true',
    ])
  })
})
