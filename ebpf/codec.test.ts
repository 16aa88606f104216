import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as codecs from './codec.ts'
import { EbpfError } from './error.ts'
import type { Codec } from './map.ts'

const { array, bitfield, bytes, text, u8, u32 } = codecs

function encode<T>(codec: Codec<T>, value: T, fill = 0xaa): number[] {
  const memory = new Uint8Array(codec.size + 4).fill(fill)
  codec.encode(value, new DataView(memory.buffer), 2)
  assert.deepEqual(
    [memory[0], memory[1], memory.at(-2), memory.at(-1)],
    [fill, fill, fill, fill],
    'wrote outside',
  )
  return [...memory.subarray(2, -2)]
}

function decode<T>(codec: Codec<T>, memory: readonly number[]): T {
  return codec.decode(new DataView(Uint8Array.from([9, 9, ...memory]).buffer), 2)
}

const refuses = <T>(codec: Codec<T>, value: T) =>
  assert.throws(
    () => encode(codec, value),
    error => error instanceof EbpfError && error.code === 'INVALID',
    `${String(value)} should not fit`,
  )

const integers: readonly [
  name: 'u8' | 'u16' | 'u32' | 'i8' | 'i16' | 'i32' | 'be16' | 'be32',
  bits: number,
][] = [
  ['u8', 8],
  ['u16', 16],
  ['u32', 32],
  ['i8', 8],
  ['i16', 16],
  ['i32', 32],
  ['be16', 16],
  ['be32', 32],
]

for (const [name, bits] of integers) {
  const table: Readonly<Record<string, Codec<number>>> = { ...codecs } as never
  const codec = table[name] as Codec<number>
  const [min, max] = name.startsWith('i') ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1]

  test(`${name} keeps every value that its C type holds and refuses all others`, () => {
    assert.equal(codec.size, bits / 8)
    fc.assert(
      fc.property(fc.integer({ min, max }), value => {
        assert.equal(decode(codec, encode(codec, value)), value)
      }),
    )
    for (const value of [min, max]) assert.equal(decode(codec, encode(codec, value)), value)
    for (const value of [min - 1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) refuses(codec, value)
  })
}

test('64-bit integers keep every value that their C type holds and refuse all others', () => {
  for (const codec of [codecs.u64, codecs.be64]) {
    for (const value of [0n, 1n, 2n ** 64n - 1n]) assert.equal(decode(codec, encode(codec, value)), value)
    for (const value of [-1n, 2n ** 64n]) refuses(codec, value)
  }
  for (const value of [-(2n ** 63n), -1n, 2n ** 63n - 1n]) {
    assert.equal(decode(codecs.i64, encode(codecs.i64, value)), value)
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) refuses(codecs.i64, value)
})

test('plain integers are little endian, be… are in network byte order', () => {
  assert.deepEqual(encode(codecs.u16, 0x1234), [0x34, 0x12])
  assert.deepEqual(encode(codecs.be16, 0x1234), [0x12, 0x34])
  assert.deepEqual(encode(codecs.be32, 0x0a000001), [10, 0, 0, 1])
  assert.deepEqual(encode(codecs.be64, 1n), [0, 0, 0, 0, 0, 0, 0, 1])
})

test('floats and booleans are kept', () => {
  assert.equal(decode(codecs.f64, encode(codecs.f64, 0.1)), 0.1)
  assert.equal(decode(codecs.f32, encode(codecs.f32, 0.5)), 0.5)
  assert.deepEqual(encode(codecs.bool, true), [1])
  assert.equal(decode(codecs.bool, [2]), true)
  assert.equal(decode(codecs.bool, [0]), false)
})

test('a byte field takes exactly its bytes and gives a copy', () => {
  assert.deepEqual(encode(bytes(3), Uint8Array.of(1, 2, 3)), [1, 2, 3])
  refuses(bytes(3), Uint8Array.of(1, 2))
  refuses(bytes(3), Uint8Array.of(1, 2, 3, 4))
  const memory = Uint8Array.of(1, 2, 3)
  const copy = bytes(3).decode(new DataView(memory.buffer), 0)
  memory[0] = 9
  assert.deepEqual(copy, Uint8Array.of(1, 2, 3))
})

test('a text always ends with a NUL and leaves nothing of what was there', () => {
  assert.deepEqual(encode(text(5), 'ab'), [97, 98, 0, 0, 0])
  assert.deepEqual(encode(text(4), 'é1'), [0xc3, 0xa9, 49, 0])
  refuses(text(4), 'abcd')
  refuses(text(4), 'éé')
  refuses(text(4), 'a\0b')
  assert.equal(decode(text(4), [97, 0, 98, 0]), 'a')
  assert.equal(decode(text(2), [97, 98]), 'ab', 'a text of others may fill its field')
})

test('a shorter array is filled up with zeroes, a longer one refused', () => {
  assert.deepEqual(encode(array(u8, 4), [1, 2]), [1, 2, 0, 0])
  assert.deepEqual(decode(array(u8, 4), [1, 2, 0, 0]), [1, 2, 0, 0])
  refuses(array(u8, 1), [1, 2])
})

test('a bitfield leaves its neighbours alone and takes only what fits', () => {
  const field = bitfield(u32, 3, 5, 'unsigned')
  assert.deepEqual(encode(field, 0b10101, 0), [0b10101000])
  assert.equal(decode(field, [0b10101111]), 0b10101)
  refuses(field, 32)
  const memory = new DataView(Uint8Array.of(0b111).buffer)
  field.encode(1, memory, 0)
  assert.equal(memory.getUint8(0), 0b1111)
})

test('bitfields of any place, width and sign keep their values', () => {
  const place = fc.record({ shift: fc.nat(7), width: fc.integer({ min: 1, max: 32 }), seed: fc.bigInt() })
  fc.assert(
    fc.property(place, ({ shift, width, seed }) => {
      const unsigned = bitfield(u32, shift, width, 'unsigned')
      const value = Number(BigInt.asUintN(width, seed))
      assert.equal(decode(unsigned, encode(unsigned, value, 0)), value)
      const signed = bitfield(codecs.i32, shift, width, 'signed')
      const negative = Number(BigInt.asIntN(width, seed))
      assert.equal(decode(signed, encode(signed, negative, 0)), negative)
      const wide = bitfield(codecs.u64, shift, width, 'unsigned')
      assert.equal(decode(wide, encode(wide, BigInt(value), 0)), BigInt(value))
    }),
  )
})
