import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from '../error.ts'
import { netlinkMessage, parseNetlink } from './netlink.ts'

test('messages are taken out of a datagram one by one, padding between them', () => {
  const first = netlinkMessage(20, 2, 7, Uint8Array.of(1, 2, 3))
  const second = netlinkMessage(3, 0, 8, new Uint8Array())
  const datagram = new Uint8Array(20 + second.length)
  datagram.set(first)
  datagram.set(second, 20)
  assert.deepEqual(
    parseNetlink(datagram).map(({ type, sequence, payload }) => [type, sequence, payload.byteLength]),
    [
      [20, 7, 3],
      [3, 8, 0],
    ],
  )
  assert.equal(parseNetlink(datagram)[0]?.payload.getUint8(2), 3)
})

test('a message with an impossible length is refused, not looped over', () => {
  const message = netlinkMessage(20, 0, 1, Uint8Array.of(1, 2, 3, 4))
  for (const length of [0, 15, 21, 0xffff_ffff]) {
    const copy = Uint8Array.from(message)
    new DataView(copy.buffer).setUint32(0, length, true)
    assert.throws(
      () => parseNetlink(copy),
      error => error instanceof EbpfError && error.code === 'MALFORMED',
      `length ${length}`,
    )
  }
  assert.throws(() => parseNetlink(message.subarray(0, 10)), /10 are left/)
})
