import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ManualClock,
  type NodeView,
  type ServiceView,
  type SyncState,
  serviceKey,
  type ViewSink,
} from '@kpng/api'
import fc from 'fast-check'
import { arbitraryObject } from '../objects/arbitraries.ts'
import { aNode, anEndpoint, aService, aSlice } from '../objects/fixtures.ts'
import { objectKey } from '../objects/types.ts'
import { Store } from '../store/store.ts'
import { LocalView, type LocalViewOptions } from './local-view.ts'

/** Applies what it is told, and keeps the calls by name. */
class RecordingSink implements ViewSink {
  readonly services = new Map<string, ServiceView>()
  node: NodeView | undefined
  #calls: string[] = []

  setNode(node: NodeView): void {
    this.node = node
    this.#calls.push(`setNode ${node.name}`)
  }
  setService(service: ServiceView): void {
    this.services.set(serviceKey(service), service)
    this.#calls.push(`setService ${serviceKey(service)}`)
  }
  deleteService(namespace: string, name: string): void {
    assert.ok(this.services.delete(`${namespace}/${name}`), 'only what was set is deleted')
    this.#calls.push(`deleteService ${namespace}/${name}`)
  }
  sync(state?: SyncState): void {
    this.#calls.push(state?.complete === false ? 'sync, incomplete' : 'sync')
  }
  calls(): string[] {
    const calls = this.#calls
    this.#calls = []
    return calls
  }
}

function subject(options: LocalViewOptions = {}, sink = new RecordingSink()) {
  const store = new Store()
  store.addSource('s')
  const clock = new ManualClock()
  const view = new LocalView(store, 'n1', sink, { clock, minIntervalMs: 50, ...options })
  return { store, clock, sink, view }
}

describe('local view', () => {
  it('[KP-1.17] is silent before the first list is complete, then tells everything with one sync', () => {
    const { store, clock, sink, view } = subject()
    store.set('s', aService())
    store.set('s', aSlice({ endpoints: [anEndpoint('10.0.0.1')] }))
    store.set('s', aNode())
    clock.advance(1000)
    view.flush()
    assert.deepEqual([sink.calls(), view.synced, view.revision], [[], false, 0])
    store.complete('s')
    clock.advance(50)
    assert.deepEqual(sink.calls(), ['setNode n1', 'setService shop/web', 'sync'])
    assert.deepEqual([view.synced, view.revision], [true, store.revision])
  })

  it('says when the sink has all there is, also where that was nothing', () => {
    const order: string[] = []
    const sink = new RecordingSink()
    const onCaughtUp = () => order.push(...sink.calls(), 'caught up')
    const { store, clock } = subject({ onCaughtUp }, sink)
    clock.advance(100)
    assert.deepEqual(order.splice(0), [], 'nobody knows yet')
    store.complete('s')
    clock.advance(100)
    assert.deepEqual(order.splice(0), ['setNode n1', 'sync', 'caught up'])
    store.set('s', aSlice({ endpoints: [anEndpoint('10.0.0.1')] }))
    clock.advance(100)
    assert.deepEqual(order, ['caught up'], 'a slice without a Service')
  })

  it('an empty cluster is synced too: the sink may remove everything', () => {
    const { store, clock, sink } = subject()
    store.complete('s')
    clock.advance(0)
    assert.deepEqual(sink.calls(), ['setNode n1', 'sync'])
    assert.deepEqual(sink.node, { name: 'n1', addresses: [], zone: '', serviceCIDRs: [], eligible: false })
  })

  it('tells the sink in a turn of its own, many changes as one batch', () => {
    const { store, clock, sink } = subject()
    store.complete('s')
    clock.advance(50)
    sink.calls()
    for (let i = 0; i < 3; i++) store.set('s', aService({ name: `s${i}` }))
    assert.deepEqual(sink.calls(), [])
    clock.advance(0)
    assert.deepEqual(sink.calls(), ['setService shop/s0', 'setService shop/s1', 'setService shop/s2', 'sync'])
  })

  it('[KP-1.18] what changes nothing for this node is not sent', () => {
    const { store, sink, view } = subject()
    store.set('s', aService())
    store.complete('s')
    view.flush()
    sink.calls()
    store.set('s', aSlice({ service: 'nobody', endpoints: [anEndpoint('10.0.0.1')] }))
    store.set('s', aSlice({ name: 'v6', family: 'IPv6', endpoints: [anEndpoint('fd00::1')] }))
    store.set('s', aNode({ name: 'n2' }))
    view.flush()
    assert.deepEqual(sink.calls(), [])
    assert.equal(view.revision, store.revision)
  })

  describe('slices and Services that come and go between two batches', () => {
    const slice = (name: string, ...addresses: string[]) =>
      aSlice({ name, endpoints: addresses.map(it => anEndpoint(it)) })
    const start = () => {
      const all = subject()
      all.store.set('s', aService())
      all.store.set('s', slice('a', '10.0.0.1', '10.0.0.2'))
      all.store.complete('s')
      all.view.flush()
      all.sink.calls()
      const addresses = () =>
        all.sink.services.get('shop/web')?.ports[0]?.endpoints.IPv4?.endpoints.map(it => it.address)
      return { ...all, addresses }
    }

    it('[KP-2.11] what goes and comes back as it was is no change', () => {
      const { store, sink, view } = start()
      store.delete('s', slice('a'))
      store.delete('s', aService())
      store.set('s', slice('a', '10.0.0.1', '10.0.0.2'))
      store.set('s', aService())
      view.flush()
      assert.deepEqual(sink.calls(), [])
    })

    it('[KP-2.8 KP-2.11] an endpoint that moves to another slice is there before, meanwhile and after', () => {
      const { store, sink, view, addresses } = start()
      store.set('s', slice('b', '10.0.0.2'))
      view.flush()
      assert.deepEqual(sink.calls(), [], 'in both slices')
      store.set('s', slice('a', '10.0.0.1'))
      view.flush()
      assert.deepEqual([sink.calls(), addresses()], [[], ['10.0.0.1', '10.0.0.2']])
      store.set('s', slice('a', '10.0.0.1', '10.0.0.2'))
      store.delete('s', slice('b'))
      view.flush()
      assert.deepEqual(sink.calls(), [])
    })

    it('[KP-1.16 KP-2.11] a Service that another one replaces under the same address is gone in the same batch', () => {
      const { store, sink, view } = start()
      store.delete('s', aService())
      store.set('s', aService({ name: 'db' }))
      view.flush()
      assert.deepEqual(sink.calls(), ['deleteService shop/web', 'setService shop/db', 'sync'])
    })

    it('[KP-2.11] slices without their Service are kept, and leave no row', () => {
      const { store, sink, view, addresses } = start()
      store.delete('s', aService())
      view.flush()
      store.set('s', slice('b', '10.0.0.3'))
      view.flush()
      assert.deepEqual(sink.calls(), ['deleteService shop/web', 'sync'])
      store.set('s', aService())
      view.flush()
      assert.deepEqual(addresses(), ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    })
  })

  it('one slice event among many Services recomputes one Service', () => {
    const { store, sink, view } = subject()
    let reads = 0
    const slicesOf = store.slicesOf.bind(store)
    store.slicesOf = key => {
      reads++
      return slicesOf(key)
    }
    for (let i = 0; i < 500; i++) store.set('s', aService({ name: `s${i}` }))
    store.complete('s')
    view.flush()
    assert.equal(reads, 500)
    sink.calls()
    store.set('s', aSlice({ service: 's7', endpoints: [anEndpoint('10.0.0.1')] }))
    view.flush()
    assert.deepEqual([reads, sink.calls()], [501, ['setService shop/s7', 'sync']])
  })

  it('[KP-1.1 KP-1.5] a Service that is no longer served is deleted, one that never was is not', () => {
    const { store, sink, view } = subject()
    store.set('s', aService())
    store.set('s', aService({ name: 'headless', headless: true, clusterIPs: {} }))
    store.complete('s')
    view.flush()
    sink.calls()
    store.set('s', aService({ foreignProxy: true }))
    store.delete('s', aService({ name: 'headless' }))
    view.flush()
    assert.deepEqual(sink.calls(), ['deleteService shop/web', 'sync'])
  })

  it('[KP-3.6] another zone of the own Node selects anew for every Service', () => {
    const { store, sink, view } = subject()
    const endpoints = [
      anEndpoint('10.0.0.1', { zoneHints: ['a'] }),
      anEndpoint('10.0.0.2', { zoneHints: ['b'] }),
    ]
    store.set('s', aService())
    store.set('s', aService({ name: 'unhinted' }))
    store.set('s', aSlice({ endpoints }))
    store.set('s', aNode({ zone: 'a' }))
    store.complete('s')
    view.flush()
    const used = () =>
      sink.services
        .get('shop/web')
        ?.ports[0]?.endpoints.IPv4?.endpoints.filter(it => it.inCluster)
        .map(it => it.address)
    assert.deepEqual(used(), ['10.0.0.1'])
    sink.calls()
    store.set('s', aNode({ zone: 'b' }))
    view.flush()
    assert.deepEqual([used(), sink.calls()], [['10.0.0.2'], ['setNode n1', 'setService shop/web', 'sync']])
    store.delete('s', aNode())
    view.flush()
    assert.deepEqual(used(), ['10.0.0.1', '10.0.0.2'])
  })

  it('[KP-8.1.6] the node is eligible while it is known and is not to go', () => {
    const { store, sink, view } = subject()
    store.complete('s')
    const steps = [aNode(), aNode({ goingAway: true }), aNode()].map(node => {
      store.set('s', node)
      view.flush()
      return sink.node?.eligible
    })
    store.delete('s', aNode())
    view.flush()
    assert.deepEqual([...steps, sink.node?.eligible], [true, false, true, false])
  })

  it('[KP-4.1.9] with NodeCIDR pods are told as soon as the Node has its podCIDRs', () => {
    const { store, sink, view } = subject({ localDetector: { mode: 'NodeCIDR' } })
    store.set('s', aService())
    store.set('s', aNode())
    store.complete('s')
    view.flush()
    const masqueraded = () =>
      sink.services.get('shop/web')?.ports[0]?.endpoints.IPv4?.decisions.clusterIPFromElsewhere.masquerade
    assert.equal(masqueraded(), false)
    sink.calls()
    store.set('s', aNode({ podCIDRs: ['10.244.1.0/24'] }))
    view.flush()
    assert.deepEqual([masqueraded(), sink.calls()], [true, ['setService shop/web', 'sync']])
  })

  it('what holds for the whole node: masqueradeAll, externalIPs turned off, a bind address', () => {
    const { store, sink, view } = subject({
      masqueradeAll: true,
      externalIPs: false,
      bindAddress: '192.0.2.9',
    })
    store.set('s', aService({ externalIPs: ['192.0.2.1'] }))
    store.set('s', aNode())
    store.complete('s')
    view.flush()
    const web = sink.services.get('shop/web')
    assert.equal(web?.ports[0]?.endpoints.IPv4?.decisions.clusterIPFromPod.masquerade, true)
    assert.deepEqual(web?.addresses.IPv4?.externalIPs, [])
    assert.deepEqual(sink.node?.addresses, ['192.0.2.9', '172.30.0.1'])
  })

  it('[KP-6.7] a ServiceCIDR takes effect when it comes', () => {
    const { store, sink, view } = subject()
    store.complete('s')
    view.flush()
    store.set('s', { kind: 'ServiceCIDR', name: 'b', cidrs: ['10.96.0.0/16'] })
    store.set('s', { kind: 'ServiceCIDR', name: 'a', cidrs: ['fd00:96::/112', '10.96.0.0/16'] })
    view.flush()
    assert.deepEqual(sink.node?.serviceCIDRs, ['10.96.0.0/16', 'fd00:96::/112'])
  })

  it('[KP-1.3] the node name is trimmed and in lower case', () => {
    const store = new Store()
    store.set('s', aNode({ addresses: ['172.30.0.9'] }))
    store.complete('s')
    const sink = new RecordingSink()
    using view = new LocalView(store, ' N1\n', sink)
    view.flush()
    assert.deepEqual([sink.node?.name, sink.node?.addresses], ['n1', ['172.30.0.9']])
  })

  it('[KP-6.2] a batch that the sink refused in the middle is sent by the next one', () => {
    let broken = true
    class Refusing extends RecordingSink {
      override setService(service: ServiceView): void {
        if (broken && service.name === 'b') throw new Error('no')
        super.setService(service)
      }
    }
    const { store, sink, view } = subject({}, new Refusing())
    for (const name of ['a', 'b', 'c']) store.set('s', aService({ name }))
    store.complete('s')
    assert.throws(() => view.flush(), /no/)
    assert.deepEqual(sink.calls(), ['setNode n1', 'setService shop/a'])
    broken = false
    view.flush()
    assert.deepEqual(sink.calls(), ['setService shop/b', 'setService shop/c', 'sync'])
  })

  it('while something is missing its syncs are not complete, then one is, even if nothing else changed', () => {
    const { store, clock, sink } = subject()
    store.set('s', aService())
    store.setWhole('s', false)
    store.complete('s')
    clock.advance(50)
    assert.deepEqual(sink.calls(), ['setNode n1', 'setService shop/web', 'sync, incomplete'])
    store.set('s', aService({ name: 'db' }))
    clock.advance(50)
    assert.deepEqual(sink.calls(), ['setService shop/db', 'sync, incomplete'])
    store.setWhole('s', true)
    clock.advance(50)
    assert.deepEqual(sink.calls(), ['sync'])
    store.setWhole('s', true)
    clock.advance(50)
    assert.deepEqual(sink.calls(), [])
  })

  it('once a sync was complete, all are', () => {
    const { store, clock, sink } = subject()
    store.complete('s')
    clock.advance(50)
    sink.calls()
    store.setWhole('s', false)
    store.set('s', aService())
    clock.advance(50)
    assert.deepEqual(sink.calls(), ['setService shop/web', 'sync'])
  })

  it('waits while somebody is in the middle of an update', () => {
    const { store, clock, sink, view } = subject()
    store.complete('s')
    clock.advance(50)
    sink.calls()
    {
      using _ = store.beginUpdate()
      store.set('s', aService())
      clock.advance(1000)
      view.flush()
      assert.deepEqual(sink.calls(), [])
      store.set('s', aService({ name: 'db' }))
    }
    clock.advance(50)
    assert.deepEqual(sink.calls(), ['setService shop/web', 'setService shop/db', 'sync'])
  })

  it('a large batch takes several turns, with one sync at its end; what changes meanwhile is part of it', () => {
    /** Time passes while the sink works. */
    class BusyClock extends ManualClock {
      busyMs = 0
      override nowMs(): number {
        return super.nowMs() + this.busyMs
      }
    }
    class SlowSink extends RecordingSink {
      override setService(service: ServiceView): void {
        super.setService(service)
        clock.busyMs += 4
      }
    }
    const clock = new BusyClock()
    const { store, sink } = subject({ clock }, new SlowSink())
    for (let i = 0; i < 5; i++) store.set('s', aService({ name: `s${i}` }))
    store.complete('s')
    const turns: string[] = []
    const next = () => turns.push(sink.calls().join(' ').replaceAll('setService shop/', ''))
    clock.after(0, () => {
      next()
      store.set('s', aService({ name: 's0', internalLocal: true }))
      store.delete('s', aService({ name: 's4' }))
      clock.after(0, next)
    })
    clock.advance(0)
    next()
    assert.deepEqual(turns, ['setNode n1 s0 s1', 's2 s3', 's0 sync'])
    assert.deepEqual([...sink.services.keys()].sort(), ['shop/s0', 'shop/s1', 'shop/s2', 'shop/s3'])
  })

  it('settled: resolves when the sink has what the store says, soon, and never in the same turn', async () => {
    const { store, clock, sink, view } = subject()
    await view.settled() // not complete: nothing to wait for
    store.complete('s')
    clock.advance(50)
    sink.calls()
    store.set('s', aService())
    const settled = view.settled()
    assert.deepEqual(sink.calls(), [])
    clock.advance(0)
    await settled
    assert.deepEqual(sink.calls(), ['setService shop/web', 'sync'])
    assert.equal(view.revision, store.revision)
    const never = view.settled()
    view[Symbol.dispose]()
    await never
    await view.settled()
  })

  it('disposed, it is silent', () => {
    const { store, clock, sink, view } = subject()
    view[Symbol.dispose]()
    store.complete('s')
    view.flush()
    clock.advance(1000)
    assert.deepEqual([sink.calls(), clock.pending], [[], 0])
  })
})

describe('local view, any objects', () => {
  const state = (sink: RecordingSink) => ({
    node: sink.node,
    services: Object.fromEntries([...sink.services].sort(([a], [b]) => (a < b ? -1 : 1))),
  })
  const fromScratch = (objects: Iterable<Parameters<Store['set']>[1]>) => {
    const { store, sink, view } = subject()
    for (const object of objects) store.set('s', object)
    store.complete('s')
    view.flush()
    return state(sink)
  }
  const unique = fc.uniqueArray(arbitraryObject, { selector: objectKey, maxLength: 12 })

  it('the order of arrival makes no difference', () => {
    const shuffled = unique.chain(objects =>
      fc.tuple(fc.constant(objects), fc.shuffledSubarray(objects, { minLength: objects.length })),
    )
    fc.assert(
      fc.property(shuffled, ([objects, others]) => {
        assert.deepEqual(fromScratch(objects), fromScratch(others))
      }),
      { numRuns: 150 },
    )
  })

  it('step by step gives the same as from scratch', () => {
    const step = fc.record({
      object: arbitraryObject,
      gone: fc.constantFrom(false, false, true),
      flush: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const { store, sink, view } = subject()
        store.complete('s')
        const current = new Map<string, (typeof steps)[number]['object']>()
        for (const { object, gone, flush } of steps) {
          if (gone) {
            store.delete('s', object)
            current.delete(objectKey(object))
          } else {
            store.set('s', object)
            current.set(objectKey(object), object)
          }
          if (flush) view.flush()
        }
        view.flush()
        assert.deepEqual(state(sink), fromScratch(current.values()))
        assert.deepEqual([...view.services()].length, sink.services.size)
      }),
      { numRuns: 150 },
    )
  })
})
