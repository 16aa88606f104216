import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from '../error.ts'
import { Btf } from './btf.ts'
import { codecFromBtf, type DynamicRecord, recordCodecFromBtf } from './dynamic-codec.ts'
import { BtfWriter, btfOfEveryKind } from './testing/btf-writer.ts'

const everything: DynamicRecord = {
  name: 'kpng',
  flag: true,
  port: 443,
  kind: -1,
  wide: 0x8000_0000_0000_0000n,
  pair: { low: 1, high: 2 },
  grid: [
    [1, 2],
    [3, 4],
    [5, 6],
  ],
  next: 0xffff_8000_0000_0000n,
  ratio: 0.25,
}

const invalid = (pattern: RegExp) => (error: unknown) =>
  error instanceof EbpfError && error.code === 'INVALID' && pattern.test(error.message)

test('a struct of every kind of field keeps its values, at the offsets of BTF', () => {
  const codec = recordCodecFromBtf(Btf.parse(btfOfEveryKind()), 'everything')
  assert.equal(codec.name, 'everything')
  assert.equal(codec.size, 80)
  assert.deepEqual(codec.offsets, {
    name: 0,
    flag: 16,
    port: 18,
    kind: 20,
    wide: 24,
    pair: 32,
    grid: 40,
    next: 64,
    ratio: 72,
  })
  const memory = new DataView(new ArrayBuffer(codec.size))
  codec.encode(everything, memory, 0)
  assert.deepEqual(codec.decode(memory, 0), everything)
  assert.equal(memory.getUint16(18), 443)
  assert.equal(memory.getInt32(20, true), -1)
})

test('padding and reserved fields are written as zero', () => {
  const w = new BtfWriter()
  const u8 = w.int('unsigned char', 1)
  const id = w.struct('padded', 8, [
    ['kind', u8, 0],
    ['reserved', u8, 8],
    ['count', w.int('unsigned int', 4), 32],
  ])
  const memory = new Uint8Array(8).fill(0xff)
  codecFromBtf(Btf.parse(w.bytes()), id).encode({ kind: 1, count: 2 }, new DataView(memory.buffer), 0)
  assert.deepEqual([...memory], [1, 0, 0, 0, 2, 0, 0, 0])
})

test('bitfields beside each other do not disturb each other', () => {
  const w = new BtfWriter()
  const u32 = w.int('unsigned int', 4)
  const bool = w.int('_Bool', 1, 'bool')
  const id = w.struct('bits', 4, [
    ['a', u32, 0, 3],
    ['on', bool, 3, 1],
    ['b', u32, 4, 20],
    ['c', u32, 24, 8],
  ])
  const codec = codecFromBtf(Btf.parse(w.bytes()), id)
  const memory = new Uint8Array(4).fill(0xff)
  const value = { a: 5, on: true, b: 0x12345, c: 255 }
  codec.encode(value, new DataView(memory.buffer), 0)
  assert.deepEqual(codec.decode(new DataView(memory.buffer), 0), value)
  codec.encode({ ...value, a: 0, c: 0 }, new DataView(memory.buffer), 0)
  assert.deepEqual(codec.decode(new DataView(memory.buffer), 0), { ...value, a: 0, c: 0 })
})

test('a value of another type is refused with what was wanted', () => {
  const codec = codecFromBtf(Btf.parse(btfOfEveryKind()), 'everything')
  const memory = new DataView(new ArrayBuffer(codec.size))
  const encode = (change: DynamicRecord) => () => codec.encode({ ...everything, ...change }, memory, 0)
  assert.throws(encode({ port: '443' }), invalid(/not a number/))
  assert.throws(encode({ wide: 1 }), invalid(/not a bigint/))
  assert.throws(encode({ flag: 1 }), invalid(/not a boolean/))
  assert.throws(encode({ name: 1 }), invalid(/not a text/))
  assert.throws(encode({ grid: 1 }), invalid(/not an array/))
  assert.throws(encode({ pair: [1, 2] }), invalid(/not a record/))
  const { ratio: _, ...incomplete } = everything
  assert.throws(() => codec.encode(incomplete, memory, 0), invalid(/needs a field ratio/))
})

test('a type that is not there, or is no struct, is said so', () => {
  const btf = Btf.parse(btfOfEveryKind(), 'here')
  assert.throws(
    () => codecFromBtf(btf, 'nothing'),
    error =>
      error instanceof EbpfError &&
      error.code === 'NOT_FOUND' &&
      /here has no type nothing/.test(error.message),
  )
  assert.throws(() => recordCodecFromBtf(btf, '__u16'), invalid(/no struct/))
})
