import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '@kpng/api'
import { FakePorts } from '../testing/fake-listen.ts'
import { text } from './answer.ts'
import { Door, type DoorOptions } from './door.ts'

function subject(options: Partial<DoorOptions> = {}) {
  const ports = new FakePorts()
  const clock = new ManualClock()
  const failures: string[] = []
  const door = new Door({
    address: '127.0.0.1',
    port: 10256,
    answer: () => text(200, 'ok'),
    onFailed: reason => failures.push(reason.message),
    clock,
    listen: ports.listen,
    ...options,
  })
  return { ports, clock, failures, door }
}

test('[KP-8.1.7] a port that is taken is tried again every 5 s', async () => {
  const { ports, clock, failures, door } = subject()
  ports.taken.add(10256)
  await door.open()
  assert.equal(failures.length, 1)
  for (const [ms, attempts] of [
    [4_999, 1],
    [1, 2],
    [4_999, 2],
    [1, 3],
  ] as const) {
    clock.advance(ms)
    await turn()
    assert.equal(failures.length, attempts)
  }
  ports.taken.clear()
  clock.advance(5_000)
  await turn()
  assert.deepEqual(ports.open, ['127.0.0.1 10256'])
  assert.equal(clock.pending, 0)
  await door[Symbol.asyncDispose]()
  assert.deepEqual(ports.open, [])
})

test('[KP-8.1.7] with bindAddressHardFail the first failure is told and is the last', async () => {
  const { ports, clock, failures, door } = subject({ hardFail: true })
  ports.taken.add(10256)
  await door.open()
  assert.deepEqual([failures, clock.pending], [['listen EADDRINUSE 10256'], 0])
  await door[Symbol.asyncDispose]()
})

test('[KP-8.1.7] a server that breaks is closed and opened again after 5 s', async () => {
  const { ports, clock, failures, door } = subject()
  await door.open()
  ports.break()
  await turn()
  assert.deepEqual([failures, ports.open], [['broken'], []])
  clock.advance(5_000)
  await turn()
  assert.deepEqual(ports.open, ['127.0.0.1 10256'])
  await door[Symbol.asyncDispose]()
})

for (const address of ['0.0.0.0', '::'])
  test(`${address} takes both families, and IPv4 where the machine has no other`, async () => {
    const both = subject({ address })
    await both.door.open()
    assert.deepEqual(both.ports.open, [':: 10256'])
    await both.door[Symbol.asyncDispose]()
    const one = subject({
      address,
      listen: (at, events) =>
        at.address === '::'
          ? Promise.reject(Object.assign(new Error('no'), { code: 'EAFNOSUPPORT' }))
          : one.ports.listen(at, events),
    })
    await one.door.open()
    assert.deepEqual([one.ports.open, one.failures], [['0.0.0.0 10256'], []])
    await one.door[Symbol.asyncDispose]()
  })

test('a door that is closed while it waits tries no more', async () => {
  const { ports, clock, door } = subject()
  ports.taken.add(10256)
  await door.open()
  await door[Symbol.asyncDispose]()
  assert.equal(clock.pending, 0)
})

test('answers over real sockets: any method, HEAD without a body, the whole path', async () => {
  let port = 0
  await using door = new Door({
    address: '127.0.0.1',
    port: 0,
    answer: request => text(200, `${request.method} ${request.url}`),
    onFailed: reason => assert.fail(reason),
    onListening: got => {
      port = got
    },
    clock: new ManualClock(),
  })
  await door.open()
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const answer = await fetch(`http://127.0.0.1:${port}/a?b=c`, { method })
    assert.deepEqual([answer.status, await answer.text()], [200, `${method} /a?b=c`])
  }
  const head = await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '6', ''])
})
