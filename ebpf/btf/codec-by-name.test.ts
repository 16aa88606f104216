import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Codec } from '../map.ts'
import { Btf } from './btf.ts'
import { codecByName } from './codec-by-name.ts'
import { type DynamicRecord, type DynamicValue, recordCodecFromBtf } from './dynamic-codec.ts'
import type { TypeOf } from './layout-difference.ts'
import { BtfWriter } from './testing/btf-writer.ts'

/** Fields of a struct in order, without padding: name, C type and bytes. */
type Fields = ReadonlyArray<readonly [name: string, type: string, bytes: number]>

function struct(fields: Fields): TypeOf {
  const w = new BtfWriter()
  let offset = 0
  const members = fields.map(([name, type, bytes]) => {
    const at = offset
    offset += bytes
    if (type === 'bytes') return [name, w.array(w.int('unsigned char', 1), bytes), at * 8] as const
    const int = w.int(
      type.startsWith('i') ? 'int' : 'unsigned',
      bytes,
      type.startsWith('i') ? 'signed' : undefined,
    )
    return [name, type.startsWith('be') ? w.typedef(`__${type}`, int) : int, at * 8] as const
  })
  const id = w.struct('record', offset, members)
  return { btf: Btf.parse(w.bytes()), id }
}

const ownCodec = ({ btf, id }: TypeOf) => recordCodecFromBtf(btf, id)

/** What our codec makes of their value. */
function read(ours: TypeOf, theirs: TypeOf, value: DynamicRecord): DynamicValue {
  const codec: Codec<DynamicRecord> = codecByName(ownCodec(ours), theirs)
  const written = ownCodec(theirs)
  assert.equal(codec.size, written.size)
  const view = new DataView(new ArrayBuffer(written.size + 8))
  written.encode(value, view, 8)
  return codec.decode(view, 8)
}

const ours = struct([
  ['id', 'u32', 4],
  ['port', 'be16', 2],
  ['flags', 'u16', 2],
  ['addr', 'bytes', 16],
])
const addr = Uint8Array.from({ length: 16 }, (_, byte) => byte)

test('fields are found by their names wherever they are, and others are passed over', () => {
  const theirs = struct([
    ['addr', 'bytes', 16],
    ['zone', 'u64', 8],
    ['flags', 'u16', 2],
    ['port', 'be16', 2],
    ['id', 'u32', 4],
  ])
  const value = { id: 7, port: 8080, flags: 1, addr }
  assert.deepEqual(read(ours, theirs, { ...value, zone: 9n }), value)
})

test('a field that is not there, or is of another kind, is zero', () => {
  const theirs = struct([
    ['port', 'u16', 2],
    ['flags', 'i16', 2],
    ['addr', 'bytes', 4],
  ])
  const found = read(ours, theirs, { port: 8080, flags: -1, addr: addr.slice(0, 4) })
  assert.deepEqual(found, { id: 0, port: 0, flags: 0, addr: new Uint8Array(16) })
})

test('a number that was shorter is taken, one that was longer is not', () => {
  const theirs = struct([
    ['id', 'u16', 2],
    ['flags', 'u32', 4],
  ])
  const found = read(ours, theirs, { id: 700, flags: 5 }) as DynamicRecord
  assert.deepEqual([found.id, found.flags], [700, 0])
})

test('one layout keeps its codec; another cannot be written', () => {
  const own = ownCodec(ours)
  assert.equal(codecByName(own, ours), own)
  const grown = codecByName(own, struct([['id', 'u32', 4]]))
  assert.throws(() => grown.encode({}, new DataView(new ArrayBuffer(4)), 0), { code: 'LAYOUT' })
})

test('what is no struct must have the same size', () => {
  const word = (bytes: number): TypeOf => {
    const w = new BtfWriter()
    const id = w.int('unsigned', bytes)
    return { btf: Btf.parse(w.bytes()), id }
  }
  const u32: Codec<number> = { size: 4, encode() {}, decode: () => 0 }
  assert.equal(codecByName(u32, word(4)), u32)
  assert.throws(() => codecByName(u32, word(8)), { code: 'LAYOUT', message: /has 8 bytes, ours 4/ })
})
