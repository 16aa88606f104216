import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KpngError } from '@kpng/api'
import { LocalView } from '../../view/local-view.ts'
import { FakeBody } from './testing/body.ts'
import { eventLine, status } from './testing/fake-api.ts'
import { nodeJson, serviceCIDRJson, serviceJson, sliceJson } from './testing/objects.ts'
import { Subject } from './testing/subject.ts'

const web = serviceJson('web')
const slice = sliceJson('web', ['10.180.0.1', '10.180.0.2'])

test('[KP-1.1 KP-1.2 KP-1.3] what is asked for, and with which selectors', async () => {
  await using s = new Subject()
  await s.start()
  const asked = s.api.requests.map(({ kind, query }) => [
    kind,
    query.get('labelSelector'),
    query.get('fieldSelector'),
  ])
  assert.deepEqual(asked, [
    ['Service', '!service.kubernetes.io/service-proxy-name', 'spec.clusterIP!=None'],
    ['EndpointSlice', '!service.kubernetes.io/headless', null],
    ['Node', null, 'metadata.name=n1'],
    ['ServiceCIDR', null, null],
  ])
})

test('[KP-1.4] objects of every kind are in the store, without those that are not for us', async () => {
  await using s = new Subject()
  s.api.put(web, slice, nodeJson('n1'), nodeJson('n2'), serviceCIDRJson('kubernetes', '10.96.0.0/16'))
  s.api.put({ ...serviceJson('headless'), spec: { clusterIP: 'None' } })
  await s.start()
  assert.equal(s.services(), 'web')
  assert.deepEqual(
    [...s.store.slicesOf('shop/web')].flatMap(it => it.endpoints.map(endpoint => endpoint.address)),
    ['10.180.0.1', '10.180.0.2'],
  )
  assert.deepEqual(s.store.node('n1')?.addresses, ['172.30.0.1'])
  assert.equal(s.store.node('n2'), undefined)
  assert.deepEqual(
    [...s.store.serviceCIDRs()].flatMap(it => it.cidrs),
    ['10.96.0.0/16'],
  )
  assert.equal(s.store.isComplete(), true)
})

test('what the proxy does not use is not kept', async () => {
  await using s = new Subject()
  s.api.put(web)
  await s.start()
  assert.doesNotMatch(JSON.stringify([...s.store.services()]), /managed|fieldsV1/)
})

test('[KP-9.17] of a slice’s annotations its trigger time is told once, with the change, and not kept', async () => {
  await using s = new Subject()
  const told: unknown[] = []
  const sink = { setNode() {}, setService() {}, deleteService() {}, sync() {} }
  using view = new LocalView(s.store, 'n1', sink, {
    onTriggered: triggers => told.push(...triggers),
    minIntervalMs: 0,
  })
  const at = (time: string, addresses: string[]) => {
    const { metadata, ...rest } = sliceJson('web', addresses)
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': time, other: 'x' }
    return { ...rest, metadata: { ...metadata, annotations } }
  }
  const step = async (time: string, addresses: string[]) => {
    s.api.put(at(time, addresses))
    await s.settle()
    view.flush()
    return [told.splice(0), view.revision]
  }
  s.api.put(web, at('2001-01-01T00:00:00Z', ['10.180.0.1']))
  await s.start()
  view.flush()
  const revision = view.revision
  assert.deepEqual(told, [], 'before our time')
  const first = await step('2100-01-01T00:00:00.123456789Z', ['10.180.0.2'])
  assert.deepEqual(first, [[{ atMs: Date.UTC(2100, 0, 1, 0, 0, 0, 123), family: 'IPv4' }], revision + 1])
  const again = await step('2100-01-01T00:00:01Z', ['10.180.0.2'])
  assert.deepEqual(again, [[], revision + 1], 'an annotation alone is no change')
  assert.deepEqual(await step('yesterday', ['10.180.0.3']), [[], revision + 2])
  assert.doesNotMatch(JSON.stringify(s.store.slicesOf('shop/web')), /trigger|other|2100/)
  s.api.delete(at('', []))
  await s.settle()
  view.flush()
  assert.deepEqual(told, [], 'what goes has no time of its own')
})

test('with a proxy name exactly the Services of that name are served', async () => {
  await using s = new Subject({ serviceProxyName: 'ours' })
  const labelled = (name: string, proxy: string) =>
    serviceJson(name, 1, { labels: { 'service.kubernetes.io/service-proxy-name': proxy } })
  s.api.put(web, labelled('a', 'ours'), labelled('b', 'theirs'))
  await s.start()
  assert.equal(s.services(), 'a')
  assert.equal(s.store.service('shop/a')?.foreignProxy, false)
})

test('[KP-1.17] the store is complete only when every kind has been listed', async () => {
  for (const kind of ['Service', 'EndpointSlice', 'Node', 'ServiceCIDR']) {
    await using s = new Subject()
    s.api.fault(kind, 'stream', 'refuse')
    await s.start()
    assert.equal(s.store.isComplete(), false, kind)
    await s.after(500)
    assert.equal(s.store.isComplete(), true, kind)
  }
})

test('a server without ServiceCIDRs has none; they are looked for again', async () => {
  await using s = new Subject()
  s.api.put(serviceCIDRJson('kubernetes', '10.96.0.0/16'))
  s.api.fault('ServiceCIDR', 'stream', status(404, 'the server could not find the requested resource'))
  await s.start()
  assert.equal(s.store.isComplete(), true)
  assert.deepEqual(s.problems(), [])
  assert.deepEqual([...s.store.serviceCIDRs()], [])
  await s.after(599_999)
  assert.equal(s.api.modes('ServiceCIDR'), 'stream')
  await s.after(1)
  assert.equal([...s.store.serviceCIDRs()].length, 1)
})

test('ServiceCIDRs that we may not see hold nothing up, and are a problem', async () => {
  await using s = new Subject()
  s.api.fault('ServiceCIDR', 'stream', status(403, 'servicecidrs is forbidden'))
  await s.start()
  assert.equal(s.store.isComplete(), true)
  assert.deepEqual(s.source.problems(), [
    {
      where: 'https://fake/apis/networking.k8s.io/v1/servicecidrs',
      field: '',
      message: '403 servicecidrs is forbidden',
    },
  ])
})

test('ServiceCIDRs that were there stay when they can no longer be listed', async () => {
  await using s = new Subject()
  s.api.put(serviceCIDRJson('kubernetes', '10.96.0.0/16'))
  await s.start()
  s.api.fault('ServiceCIDR', 'stream', status(404, 'gone'))
  await s.source.rescan()
  assert.equal([...s.store.serviceCIDRs()].length, 1)
})

test('Services that we may not see hold everything up', async () => {
  await using s = new Subject()
  s.api.fault('Service', 'stream', status(403, 'services is forbidden'))
  await s.start()
  assert.equal(s.store.isComplete(), false)
  assert.deepEqual(s.problems(), ['403 services is forbidden'])
})

test('a rescan is a new list of every kind; what is served stays meanwhile', async () => {
  await using s = new Subject()
  s.api.put(web, slice)
  await s.start()
  s.api.fault('Service', 'stream', 'hang')
  const rescan = assert.rejects(s.source.rescan(), (error: unknown) => {
    assert.ok(error instanceof KpngError)
    assert.equal(error.code, 'io')
    assert.match(error.message, /was not read anew: nothing was heard/)
    return true
  })
  await s.settle()
  assert.equal(s.services(), 'web')
  await s.after(60_000)
  await rescan
  assert.equal(s.services(), 'web')
  await Promise.all([s.source.rescan(), s.source.rescan(), s.settle()])
  assert.deepEqual(s.problems(), [])
})

test('a rescan ends a wait: the server is asked at once', async () => {
  await using s = new Subject()
  s.api.put(web)
  s.api.fault('Service', 'stream', 'refuse')
  await s.start()
  assert.equal(s.services(), '?')
  await s.source.rescan()
  assert.equal(s.services(), 'web')
})

test('a rescan while a list is under way waits for the one after it, whether the first comes to an end or not', async () => {
  for (const outcome of ['whole', 'cut']) {
    await using s = new Subject()
    const body = new FakeBody()
    s.api.fault('Service', 'stream', { status: 200, headers: {}, body })
    await s.start()
    const rescan = s.source.rescan()
    await s.settle()
    assert.equal(s.api.modes('Service'), 'stream')
    s.api.put(web)
    const annotations = { 'k8s.io/initial-events-end': 'true' }
    if (outcome === 'cut') body.cut()
    else body.write(eventLine('BOOKMARK', { metadata: { resourceVersion: '7', annotations } }))
    await rescan
    assert.equal(s.services(), 'web')
    await s.settle()
    assert.match(s.api.modes('Service'), outcome === 'cut' ? /^stream list watch$/ : /^stream stream$/)
  }
})

test('a rescan gets its list by pages where the server does not stream any more', async () => {
  await using s = new Subject()
  await s.start()
  s.api.streams = false
  s.api.put(web)
  await s.source.rescan()
  await s.settle()
  assert.equal(s.api.modes('Service'), 'stream stream list watch')
})

test('a source that is prepared has asked for everything, and has written nothing before it is started', async () => {
  await using s = new Subject()
  s.api.put(web)
  s.source.prepare()
  s.source.prepare()
  await s.settle()
  assert.deepEqual(s.api.requests.map(it => it.kind).toSorted(), [
    'EndpointSlice',
    'Node',
    'Service',
    'ServiceCIDR',
  ])
  // A change that comes meanwhile is not lost, and comes after the list.
  s.api.put(serviceJson('later'))
  await s.settle()
  assert.deepEqual([s.services(), s.store.revision], ['?', 0])
  const asked = s.api.requests.length
  await s.start()
  assert.deepEqual([s.services(), s.api.requests.length], ['later web', asked])
})

test('a closed source asks for nothing more, whatever it was doing, and who waits is told', async () => {
  const phases: ReadonlyArray<[string, (s: Subject) => Promise<unknown>]> = [
    ['watching', s => s.start()],
    [
      'waiting',
      s => {
        s.api.fault('Service', 'stream', 'refuse')
        return s.start()
      },
    ],
    [
      'waiting for an answer',
      s => {
        s.api.fault('Service', 'stream', 'hang')
        return s.start()
      },
    ],
    ['not started', async () => {}],
    [
      'with lists that nobody takes yet',
      async s => {
        s.source.prepare()
        await s.settle()
      },
    ],
  ]
  for (const [phase, reach] of phases) {
    const s = new Subject()
    await reach(s)
    const asked = s.api.requests.length
    const rescan = phase === 'waiting for an answer' ? s.source.rescan() : undefined
    const told = rescan === undefined ? undefined : assert.rejects(rescan, KpngError)
    await s.source[Symbol.asyncDispose]()
    await told
    const before = phase === 'waiting for an answer' ? s.api.requests.length : asked
    s.api.put(web)
    await s.after(1_000_000)
    assert.deepEqual([phase, s.api.requests.length, s.clock.pending], [phase, before, 0])
    assert.equal(s.services().includes('web'), false)
  }
})
