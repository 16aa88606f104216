import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from '../error.ts'
import { Btf } from './btf.ts'
import { camelCase, type Field, gapsOf, type Shape, shapeOf } from './shape.ts'
import { BtfWriter } from './testing/btf-writer.ts'

/** The shape of the type that `build` gives the id of. */
function shape(build: (w: BtfWriter) => number): Shape {
  const w = new BtfWriter()
  const id = build(w)
  return shapeOf(Btf.parse(w.bytes()), id)
}

function fields(build: (w: BtfWriter) => number): readonly Field[] {
  const found = shape(build)
  assert.equal(found.kind, 'struct')
  return found.kind === 'struct' ? found.fields : []
}

const summary = (found: readonly Field[]) =>
  found.map(({ name, offset, shape }) => [name, offset, shape.kind === 'scalar' ? shape.codec : shape.kind])

const refuses = (build: (w: BtfWriter) => number, pattern: RegExp) =>
  assert.throws(
    () => shape(build),
    error => error instanceof EbpfError && error.code === 'MALFORMED' && pattern.test(error.message),
  )

test('typedefs, const and volatile are looked through, __be16 is kept', () => {
  const chain = (name: string) => (w: BtfWriter) =>
    w.typedef('port_t', w.const(w.typedef(name, w.volatile(w.typedef('__u16', w.int('unsigned short', 2))))))
  assert.deepEqual(shape(chain('__be16')), { kind: 'scalar', codec: 'be16', size: 2 })
  assert.deepEqual(shape(chain('__le16')), { kind: 'scalar', codec: 'u16', size: 2 })
})

test('char arrays are texts, byte arrays bytes, arrays of arrays nest', () => {
  assert.deepEqual(
    shape(w => w.array(w.typedef('letter', w.int('char', 1, 'signed')), 8)),
    { kind: 'text', size: 8 },
  )
  assert.deepEqual(
    shape(w => w.array(w.int('unsigned char', 1), 8)),
    { kind: 'bytes', size: 8 },
  )
  assert.deepEqual(
    shape(w => w.array(w.array(w.int('unsigned char', 1), 4), 3)),
    {
      kind: 'array',
      of: { kind: 'bytes', size: 4 },
      length: 3,
      size: 12,
    },
  )
})

test('reserved fields and padding are no fields but gaps', () => {
  const found = shape(w => {
    const u8 = w.int('unsigned char', 1)
    return w.struct('padded', 16, [
      ['kind', u8, 0],
      ['reserved', w.array(u8, 2), 8],
      ['count', w.int('unsigned int', 4), 32],
      ['reserved2', w.int('unsigned long', 8), 64],
    ])
  })
  assert.ok(found.kind === 'struct')
  assert.deepEqual(summary(found.fields), [
    ['kind', 0, 'u8'],
    ['count', 4, 'u32'],
  ])
  assert.deepEqual(gapsOf(found), [
    { offset: 1, length: 3 },
    { offset: 8, length: 8 },
  ])
})

test("an anonymous struct's fields are its parent's, also two levels deep", () => {
  const found = fields(w => {
    const u32 = w.int('unsigned int', 4)
    const inmost = w.struct('', 4, [['c', u32, 0]])
    const inner = w.struct('', 8, [
      ['b', u32, 0],
      ['', inmost, 32],
    ])
    return w.struct('outer', 12, [
      ['a', u32, 0],
      ['', inner, 32],
    ])
  })
  assert.deepEqual(summary(found), [
    ['a', 0, 'u32'],
    ['b', 4, 'u32'],
    ['c', 8, 'u32'],
  ])
})

test('a union is seen through its first member of full size, without one as bytes', () => {
  const full = fields(w => {
    const u32 = w.int('unsigned int', 4)
    const choice = w.union('', 8, [
      ['half', u32, 0],
      ['whole', w.int('unsigned long', 8), 0],
      ['parts', w.array(u32, 2), 0],
    ])
    return w.struct('holder', 8, [['', choice, 0]])
  })
  assert.deepEqual(summary(full), [['whole', 0, 'u64']])
  const none = shape(w => w.union('odd', 8, [['small', w.int('unsigned int', 4), 0]]))
  assert.deepEqual(none, { kind: 'bytes', size: 8 })
})

test('bitfields keep the bit that they begin at, their width and sign', () => {
  const found = fields(w => {
    const int = w.int('int', 4, 'signed')
    const u32 = w.int('unsigned int', 4)
    return w.struct('bits', 8, [
      ['a', u32, 0, 3],
      ['b', int, 3, 13],
      ['c', u32, 16, 16],
      ['d', u32, 32, 32],
    ])
  })
  assert.deepEqual(
    found.map(field => [field.name, field.offset, field.bitfield]),
    [
      ['a', 0, { shift: 0, width: 3, signed: false }],
      ['b', 0, { shift: 3, width: 13, signed: true }],
      ['c', 2, { shift: 0, width: 16, signed: false }],
      ['d', 4, undefined],
    ],
  )
})

test('struct in6_addr is its 16 bytes', () => {
  const found = shape(w => {
    const words = w.array(w.int('unsigned int', 4), 4)
    return w.struct('in6_addr', 16, [['in6_u', w.union('', 16, [['words', words, 0]]), 0]])
  })
  assert.deepEqual(found, { kind: 'bytes', size: 16 })
})

test('a struct without a name is called after its typedef', () => {
  const found = shape(w => w.typedef('pair_t', w.struct('', 4, [['a', w.int('unsigned int', 4), 0]])))
  assert.equal(found.kind === 'struct' && found.name, 'pair_t')
})

test('what has no size has no shape', () => {
  refuses(w => w.add('elsewhere', 7, 0, 0), /no size/)
  refuses(w => w.add('', 13, 0, 0), /no size/)
  refuses(w => w.typedef('nothing', 0), /no size/)
})

test('circles are refused', () => {
  refuses(w => w.typedef('round', 1), /deeper than 32/)
  refuses(w => w.const(1), /more than 32/)
  refuses(w => w.struct('self', 8, [['self', 1, 0]]), /deeper than 32/)
  refuses(w => w.array(1, 2), /deeper than 32/)
})

test('fields outside of their struct, overlapping or of one name are refused', () => {
  const pair = (a: readonly [string, number], b: readonly [string, number]) => (w: BtfWriter) => {
    const u32 = w.int('unsigned int', 4)
    return w.struct('pair', 8, [
      [a[0], u32, a[1]],
      [b[0], u32, b[1]],
    ])
  }
  refuses(pair(['a', 0], ['b', 40]), /outside/)
  refuses(pair(['a', 0], ['b', 16]), /overlaps/)
  refuses(pair(['a', 0], ['b', 12]), /bitfield/)
  refuses(pair(['one_two', 0], ['oneTwo', 32]), /two fields oneTwo/)
})

test('types that a few bytes blow up are refused', () => {
  const nested = (leaf: (w: BtfWriter) => number, levels: number, length: number) => (w: BtfWriter) => {
    let id = leaf(w)
    for (let level = 0; level < levels; level++) id = w.array(id, length)
    return id
  }
  refuses(
    nested(w => w.int('unsigned int', 4), 20, 0xffff_ffff),
    /too big/,
  )
  refuses(
    nested(w => w.int('unsigned short', 2), 25, 2),
    /too big/,
  )
  refuses(
    nested(w => w.struct('empty', 0, []), 1, 5),
    /without a size/,
  )
  refuses(w => {
    let id = w.struct('', 1, [['leaf', w.int('unsigned char', 1), 0]])
    for (let level = 1; level < 30; level++) {
      const bytes = 2 ** (level - 1)
      id = w.struct('', 2 * bytes, [
        [`left${level}`, id, 0],
        [`right${level}`, id, bytes * 8],
      ])
    }
    return id
  }, /too big|outside/)
})

test('names become camelCase', () => {
  assert.deepEqual(['svc4_key', 'addr', '_hidden', 'a__b', 'trailing_', 'u6_addr8'].map(camelCase), [
    'svc4Key',
    'addr',
    '_hidden',
    'aB',
    'trailing_',
    'u6Addr8',
  ])
})
