import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMap } from './bpf-map.ts'
import { bytes, u32, u64 } from './codec.ts'
import { perCpuMap } from './keyed-map.ts'
import type { Codec } from './map.ts'
import { loadObject } from './object.ts'
import { RingBuffer } from './ring-buffer.ts'
import { MapType } from './sys/bpf-enum.ts'
import { testObject } from './testdata/build.ts'
import { failOnLeakedFds } from './testing.ts'

failOnLeakedFds()

/** struct event of testdata/packet.bpf.c. */
const event: Codec<{ number: bigint; length: number }> = {
  size: 16,
  encode() {},
  decode: (from, at) => ({ number: u64.decode(from, at), length: u32.decode(from, at + 8) }),
}

/** 4096 bytes hold 170 events of 16 bytes with headers of 8. */
const ROOM = 170

const fixture = () => {
  const object = loadObject(testObject('packet'), { programs: ['send_event'] })
  const program = object.program('send_event')
  const discard = new Uint8Array(192)
  new DataView(discard.buffer).setUint32(8, 1, true) // __sk_buff.mark
  return {
    ring: new RingBuffer(object.map('event'), event),
    send: (repeat = 1, length = 64) => program.testRun({ data: new Uint8Array(length), repeat }),
    discard: () => program.testRun({ data: new Uint8Array(64), context: discard }),
    lost: () => {
      const perCpu = perCpuMap(object.map('lost'), u32, u64).lookup(0) ?? []
      return perCpu.reduce((sum, one) => sum + one, 0n)
    },
    [Symbol.dispose]: () => object[Symbol.dispose](),
  }
}

const collect = async <T>(events: AsyncIterable<T>, count: number): Promise<T[]> => {
  const found: T[] = []
  for await (const one of events) {
    found.push(one)
    if (found.length === count) break
  }
  return found
}

describe('a ring buffer', () => {
  test('gives events in order, those from before and those that come while it is waited for', async () => {
    using all = fixture()
    all.send(3)
    const events = collect(all.ring, 5)
    setTimeout(() => all.send(2, 100), 20)
    assert.deepEqual(await events, [
      { number: 0n, length: 64 },
      { number: 1n, length: 64 },
      { number: 2n, length: 64 },
      { number: 3n, length: 100 },
      { number: 4n, length: 100 },
    ])
  })

  test('loses none while it goes round many times', async () => {
    using all = fixture()
    const numbers: bigint[] = []
    for (let round = 0; round < 30; round++) {
      all.send(ROOM - 1)
      for (let one = all.ring.read(); one !== undefined; one = all.ring.read()) numbers.push(one.number)
    }
    assert.equal(numbers.length, 30 * (ROOM - 1))
    assert.ok(numbers.every((number, index) => number === BigInt(index)))
    assert.equal(all.lost(), 0n)
  })

  test('leaves out what programs gave back', () => {
    using all = fixture()
    all.discard()
    all.send()
    all.discard()
    assert.equal(all.ring.read()?.number, 1n)
    assert.equal(all.ring.read(), undefined)
    assert.deepEqual(all.ring.stats(), { events: 1, discarded: 2, fullest: 72 })
  })

  test('that is full keeps the old events, the program counts what it lost, and it goes on after reading', () => {
    using all = fixture()
    all.send(1000)
    assert.equal(all.lost(), 1000n - BigInt(ROOM))
    assert.equal(all.ring.read()?.number, 0n)
    assert.ok(all.ring.stats().fullest > 0.95 * all.ring.capacity)
    for (let count = 1; count < ROOM; count++) assert.equal(all.ring.read()?.number, BigInt(count))
    assert.equal(all.ring.read(), undefined)
    all.send()
    assert.equal(all.ring.read()?.number, BigInt(ROOM))
  })

  test('lets others have their turn, waiting and reading', async () => {
    using all = fixture()
    let turns = 0
    const ticker = setInterval(() => {
      turns++
      all.send(10)
    }, 1)
    const events = await collect(all.ring, 500)
    clearInterval(ticker)
    assert.equal(events.length, 500)
    assert.ok(turns >= 40, `${turns} turns`)
  })

  test('gives the event loop its turn though there are always more events', async () => {
    using all = fixture()
    let turned = false
    setImmediate(() => {
      turned = true
    })
    let seen = 0
    all.send()
    for await (const _ of all.ring) {
      all.send()
      if (turned || ++seen === 10_000) break
    }
    assert.ok(turned)
  })

  test('ends a waiting reader when it or its map is closed', { timeout: 5000 }, async () => {
    const object = loadObject(testObject('packet'))
    const ring = new RingBuffer(object.map('event'), event)
    const reading = collect(ring, 1)
    setTimeout(() => object[Symbol.dispose](), 10)
    assert.deepEqual(await reading, [])
    assert.throws(() => ring.read(), { code: 'CLOSED' })
  })

  test('has one reader', async () => {
    using all = fixture()
    const first = collect(all.ring, 1)
    await assert.rejects(collect(all.ring, 1), { code: 'BUSY' })
    all.send()
    assert.equal((await first).length, 1)
  })

  test('refuses events that are shorter than the codec and goes on with the next', () => {
    using all = fixture()
    using object = loadObject(testObject('packet'))
    const ring = new RingBuffer(object.map('event'), bytes(17))
    object.program('send_event').testRun({ data: new Uint8Array(64) })
    assert.throws(() => ring.read(), { code: 'MALFORMED', message: /an event has 16 bytes, the codec 17/ })
    assert.equal(ring.read(), undefined)
    assert.equal(all.ring.read(), undefined)
  })

  test('is no other map', () => {
    using map = createMap({ name: 'x', type: MapType.ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 })
    assert.throws(() => new RingBuffer(map, event), { code: 'LAYOUT', message: 'map x is no ring buffer' })
  })
})
