import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@kpng/api'
import { FakeEventApi, turns } from '../testing/fake-event-api.ts'
import { ApiEventRecorder, type ApiEventRecorderOptions } from './api-event-recorder.ts'
import type { EventInput } from './event-recorder.ts'

const service = (name: string, more: Partial<EventInput> = {}): EventInput => ({
  regarding: { kind: 'Service', apiVersion: 'v1', namespace: 'ns', name },
  type: 'Warning',
  reason: 'CapacityExceeded',
  action: 'Program',
  note: 'does not fit',
  ...more,
})

const MINUTE_MS = 60_000

function world(options: Partial<ApiEventRecorderOptions> = {}) {
  const api = new FakeEventApi()
  const clock = new ManualClock()
  const warnings: string[] = []
  const logger = { debug() {}, info() {}, warn: (_fields: object, message: string) => warnings.push(message) }
  const recorder = new ApiEventRecorder({
    api,
    reportingInstance: 'kpng-node-a',
    logger,
    clock,
    random: () => 0,
    ...options,
  })
  const advance = async (byMs: number): Promise<void> => {
    // In steps, for a write that is followed by another one is so in turns of its own.
    for (let left = byMs; left >= 0; left -= 1_000) {
      clock.advance(Math.min(left, 1_000))
      await turns()
    }
  }
  return { api, clock, recorder, warnings, advance, [Symbol.dispose]: () => recorder[Symbol.dispose]() }
}

test('an Event is written as events.k8s.io/v1 wants it', async () => {
  using it = world()
  it.recorder.event(service('web'))
  await it.advance(0)
  assert.deepEqual(
    [...it.api.events],
    [
      [
        '/apis/events.k8s.io/v1/namespaces/ns/events/web.1886d6a0ac27ac08'.replace(
          /[^.]+$/,
          suffixOf(it.api),
        ),
        {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name: `web.${suffixOf(it.api)}`, namespace: 'ns' },
          eventTime: '2026-01-02T03:04:05.000000Z',
          reportingController: 'kpng',
          reportingInstance: 'kpng-node-a',
          action: 'Program',
          reason: 'CapacityExceeded',
          regarding: { kind: 'Service', apiVersion: 'v1', namespace: 'ns', name: 'web' },
          note: 'does not fit',
          type: 'Warning',
        },
      ],
    ],
  )
})

const suffixOf = (api: FakeEventApi): string => [...api.events.keys()][0]?.split('.').at(-1) ?? ''

test('[KP-11.5] Events of a Node go to the namespace default, and name it without UID', async () => {
  using it = world()
  it.recorder.event(service('', { regarding: { kind: 'Node', apiVersion: 'v1', name: 'node-a' } }))
  await it.advance(0)
  const [event] = it.api.events.values()
  assert.equal(event?.metadata.namespace, 'default')
  assert.deepEqual(event?.regarding, { kind: 'Node', apiVersion: 'v1', name: 'node-a' })
})

test('the second of a kind begins a series, and those that follow are counted when it ends', async () => {
  using it = world()
  it.recorder.event(service('web'))
  await it.advance(1_000)
  it.recorder.event(service('web', { note: 'still does not fit' }))
  await it.advance(1_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded web ×2'])
  for (let i = 0; i < 100; i++) it.recorder.event(service('web'))
  await it.advance(MINUTE_MS)
  assert.deepEqual(it.api.requests, ['create good', 'patch good'])
  await it.advance(12 * MINUTE_MS)
  assert.deepEqual(it.api.told(), ['CapacityExceeded web ×102'])
  assert.equal([...it.api.events.values()][0]?.series?.lastObservedTime, '2026-01-02T03:04:07.000000Z')
  assert.deepEqual(it.api.requests, ['create good', 'patch good', 'patch good'])
})

test('told again after six minutes of silence it is a new Event', async () => {
  using it = world()
  it.recorder.event(service('web'))
  await it.advance(13 * MINUTE_MS)
  it.recorder.event(service('web'))
  await it.advance(0)
  assert.deepEqual(it.api.told(), ['CapacityExceeded web ×1', 'CapacityExceeded web ×1'])
})

test('a series that goes on is kept alive', async () => {
  using it = world()
  for (let minute = 0; minute < 65; minute++) {
    it.recorder.event(service('web'))
    await it.advance(MINUTE_MS)
  }
  const patches = it.api.requests.filter(request => request === 'patch good').length
  assert.equal(it.api.events.size, 1)
  assert.ok(patches >= 2 && patches <= 4, `${patches} patches`)
})

test('other objects, reasons and types are other Events', async () => {
  using it = world()
  it.recorder.event(service('a'))
  it.recorder.event(service('b'))
  it.recorder.event(service('a', { reason: 'FrontendConflict' }))
  it.recorder.event(service('a', { type: 'Normal' }))
  await it.advance(10_000)
  assert.equal(it.api.events.size, 4)
})

test('two of a kind before the first is written are one request', async () => {
  using it = world()
  it.recorder.event(service('web'))
  it.recorder.event(service('web'))
  await it.advance(10_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded web ×2'])
  assert.deepEqual(it.api.requests, ['create good'])
})

test('a server that cannot be reached is asked again, with growing pauses, in order', async () => {
  using it = world()
  it.api.failures.push({ code: 'unreachable' }, { code: 'unavailable' }, { code: 'unauthorized' })
  it.recorder.event(service('a'))
  it.recorder.event(service('b'))
  await it.advance(0)
  assert.deepEqual(it.api.requests, ['create unreachable'])
  await it.advance(1_000)
  assert.deepEqual(it.api.requests, ['create unreachable', 'create unavailable'])
  await it.advance(1_000)
  assert.equal(it.api.requests.length, 2)
  await it.advance(1_000)
  assert.equal(it.api.requests.length, 3)
  await it.advance(4_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded a ×1', 'CapacityExceeded b ×1'])
  assert.deepEqual(it.recorder.counts, { written: 2, dropped: 0, failed: 3, waiting: 0 })
})

test('a server that asks to be left alone is', async () => {
  using it = world()
  it.api.failures.push({ code: 'unavailable', retryAfterMs: 30_000 })
  it.recorder.event(service('a'))
  await it.advance(29_000)
  assert.equal(it.api.requests.length, 1)
  await it.advance(2_000)
  assert.equal(it.api.requests.length, 2)
})

test('after twelve attempts an Event is given up, counted and logged', async () => {
  using it = world()
  for (let i = 0; i < 12; i++) it.api.failures.push({ code: 'unavailable' })
  it.recorder.event(service('a'))
  await it.advance(15 * MINUTE_MS)
  assert.equal(it.api.requests.length, 12)
  assert.deepEqual(it.recorder.counts, { written: 0, dropped: 1, failed: 12, waiting: 0 })
  assert.deepEqual(it.warnings, ['an Event could not be written'])
})

for (const code of ['forbidden', 'unsupported', 'absent']) {
  test(`an Event that the server refuses (${code}) is not tried again, and holds up no other`, async () => {
    using it = world()
    it.api.failures.push({ code })
    it.recorder.event(service('a'))
    it.recorder.event(service('b'))
    await it.advance(1_000)
    assert.deepEqual(it.api.told(), ['CapacityExceeded b ×1'])
    assert.deepEqual(it.recorder.counts, { written: 1, dropped: 1, failed: 1, waiting: 0 })
  })
}

test('an Event that is told again while the server refuses it holds up no other', async () => {
  using it = world()
  it.api.hold()
  it.recorder.event(service('a'))
  await it.advance(0)
  it.recorder.event(service('a'))
  it.recorder.event(service('b'))
  it.api.failures.push({ code: 'forbidden' })
  it.api.release()
  await it.advance(1_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded b ×1'])
  assert.equal(it.recorder.counts.waiting, 0)
})

test('an Event that the server takes its time for is not made twice', async () => {
  using it = world()
  it.api.hold()
  it.recorder.event(service('a'))
  await it.advance(7 * MINUTE_MS)
  it.api.release()
  await it.advance(1_000)
  assert.deepEqual(it.api.requests, ['create good'])
  assert.deepEqual(it.recorder.counts, { written: 1, dropped: 0, failed: 0, waiting: 0 })
})

test('an Event that was removed meanwhile is made again, with its count', async () => {
  using it = world()
  it.recorder.event(service('a'))
  await it.advance(0)
  it.api.events.clear()
  it.recorder.event(service('a'))
  await it.advance(10_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded a ×2'])
  assert.deepEqual(it.api.requests, ['create good', 'patch absent', 'create good'])
})

test('an Event whose making nobody answered is not made twice', async () => {
  using it = world()
  it.api.lost = 1
  it.recorder.event(service('a'))
  await it.advance(2_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded a ×1'])
  assert.deepEqual(it.api.requests, ['create lost', 'create conflict'])
  assert.equal(it.recorder.counts.waiting, 0)
})

test('told again while nobody answers, it becomes a series', async () => {
  using it = world()
  it.api.lost = 1
  it.recorder.event(service('a'))
  await it.advance(0)
  it.recorder.event(service('a'))
  await it.advance(2_000)
  assert.deepEqual(it.api.told(), ['CapacityExceeded a ×2'])
})

test('what there is no room for is dropped and counted, and room comes back', async () => {
  using it = world({ maxEvents: 3 })
  for (let i = 0; i < 5; i++) it.recorder.event(service(`s${i}`))
  assert.equal(it.recorder.counts.dropped, 2)
  await it.advance(13 * MINUTE_MS)
  it.recorder.event(service('s9'))
  await it.advance(0)
  assert.equal(it.api.events.size, 4)
})

test('settled waits until all is written, but not for ever', async () => {
  using it = world()
  it.recorder.event(service('a'))
  const settled = it.recorder.settled(5_000)
  await it.advance(0)
  await settled
  assert.equal(it.api.events.size, 1)

  for (let i = 0; i < 12; i++) it.api.failures.push({ code: 'unreachable' })
  it.recorder.event(service('b'))
  let over = false
  const late = it.recorder.settled(5_000).then(() => {
    over = true
  })
  await it.advance(4_000)
  assert.equal(over, false)
  await it.advance(2_000)
  await late
})

test('settled waits for what is being written', async () => {
  using it = world()
  it.api.hold()
  it.recorder.event(service('a'))
  await it.advance(0)
  let over = false
  const settled = it.recorder.settled(5_000).then(() => {
    over = true
  })
  await it.advance(1_000)
  assert.equal(over, false)
  it.api.release()
  await settled
  assert.equal(it.api.events.size, 1)
})

test('after its end nothing is written and nothing waits', async () => {
  const it = world()
  it.recorder.event(service('a'))
  it.recorder[Symbol.dispose]()
  it.recorder.event(service('b'))
  await it.advance(60 * MINUTE_MS)
  assert.deepEqual(it.api.requests, [])
  assert.equal(it.clock.pending, 0)
})
