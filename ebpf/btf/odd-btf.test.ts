/** BTF that nobody's compiler makes: what comes out is right, or MALFORMED, and comes soon. */
import assert from 'node:assert/strict'
import { stripTypeScriptTypes } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { collectBindings } from '../bpf2ts/bindings.ts'
import { printBindings } from '../bpf2ts/print.ts'
import { EbpfError } from '../error.ts'
import { Btf } from './btf.ts'
import { codecOf } from './dynamic-codec.ts'
import { layoutDifference } from './layout-difference.ts'
import { mapDefinitions } from './map-definitions.ts'
import { type Shape, shapeOf } from './shape.ts'
import { BtfWriter, btfOfEveryKind } from './testing/btf-writer.ts'

/** A type, as it is to be written: numbers that say more than is there, references to anything. */
interface OddType {
  readonly kind: number
  readonly name: string
  readonly sizeOrType: number
  readonly flag: boolean
  /** Words after the first three. */
  readonly words: readonly number[]
  /** How many members the type says that it has; undefined: as many as there are. */
  readonly claimed: number | undefined
}

const maxTypes = 12
const names = fc.constantFrom(
  '',
  '',
  'a',
  'b',
  'reserved',
  'type',
  'key',
  'value',
  'max_entries',
  '.maps',
  '.bpf2ts',
  'é',
  '__be32',
  'char',
  "a'b",
)
const id = fc.oneof({ weight: 12, arbitrary: fc.nat(maxTypes) }, fc.constantFrom(0xffff, 0xffff_ffff))
const size = fc.constantFrom(0, 0, 1, 2, 4, 8, 16, 3, 255, 4096, 0x7fff_ffff, 0xffff_ffff)
const bits = fc.oneof(
  fc.nat(128),
  fc.constantFrom(0, 8, 16, 32, 64, 0x0100_0001, 0x0100_0000, 0x0400_0008, 0x2000_0000, 0xffff_ffff),
)
const claimed = fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, fc.constantFrom(0, 1, 40, 0xffff))

/** `each`: the words of one member, a name's place being a number below 200. */
function withMembers(
  kinds: readonly number[],
  sizes: fc.Arbitrary<number>,
  each: fc.Arbitrary<readonly number[]>,
) {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    name: names,
    sizeOrType: sizes,
    flag: fc.boolean(),
    words: fc.array(each, { maxLength: 4 }).map(all => all.flat()),
    claimed,
  })
}
const stringOffset = fc.oneof({ weight: 9, arbitrary: fc.nat(30) }, fc.constantFrom(4_000, 0xffff_ffff))
const plain = (kind: number, sizeOrType: fc.Arbitrary<number>, words: fc.Arbitrary<readonly number[]>) =>
  fc.record({
    kind: fc.constant(kind),
    name: names,
    sizeOrType,
    flag: fc.boolean(),
    words,
    claimed: fc.constant(undefined),
  })
const none = fc.constant<readonly number[]>([])
const tuple = (...each: fc.Arbitrary<number>[]): fc.Arbitrary<readonly number[]> => fc.tuple(...each)

/** One whose members may well fit. */
const plausibleStruct: fc.Arbitrary<OddType> = fc.record({
  kind: fc.constant(4),
  name: names,
  sizeOrType: fc.constant(64),
  flag: fc.constant(false),
  words: fc.array(id, { maxLength: 4 }).map(all => all.flatMap((type, i) => [5 + i, type, i * 128])),
  claimed: fc.constant(undefined),
})

const oddType: fc.Arbitrary<OddType> = fc.oneof(
  { weight: 20, arbitrary: plausibleStruct },
  {
    weight: 12,
    arbitrary: plain(
      1,
      fc.constantFrom(1, 2, 4, 8, 16, 3),
      tuple(fc.constantFrom(8, 16, 32, 64, 128, 0x0100_0020, 0x0400_0008, 0x0004_0003, 0xff)),
    ),
  },
  { weight: 6, arbitrary: fc.oneof(...[2, 8, 9, 10, 11, 18].map(kind => plain(kind, id, none))) },
  {
    weight: 6,
    arbitrary: plain(
      3,
      fc.constant(0),
      tuple(id, id, fc.constantFrom(0, 1, 2, 16, 255, 0xffff, 0xffff_ffff)),
    ),
  },
  { weight: 12, arbitrary: withMembers([4, 4, 5], size, tuple(stringOffset, id, bits)) },
  withMembers([6], size, tuple(stringOffset, fc.nat(0xffff_ffff))),
  withMembers([19], size, tuple(stringOffset, fc.nat(0xffff_ffff), fc.nat(0xffff_ffff))),
  withMembers([13], id, tuple(stringOffset, id)),
  { weight: 6, arbitrary: withMembers([15], size, tuple(id, fc.nat(100), fc.nat(100))) },
  plain(7, size, none),
  plain(12, id, none),
  { weight: 6, arbitrary: plain(14, id, tuple(fc.nat(3))) },
  plain(16, fc.constantFrom(2, 4, 8, 10, 12, 16, 0), none),
  plain(17, id, tuple(fc.nat(0xffff_ffff))),
  plain(0, size, none),
  fc.integer({ min: 20, max: 31 }).chain(kind => plain(kind, size, none)),
)

const wordsOf: Readonly<Record<number, number>> = { 4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3 }
/** Which word of a member refers to a type. */
const referenceAt: Readonly<Record<number, number>> = { 3: 0, 4: 1, 5: 1, 13: 1, 15: 0 }
const refersItself = new Set([2, 8, 9, 10, 11, 12, 13, 14, 17, 18])

function write(types: readonly OddType[]): Uint8Array {
  const writer = new BtfWriter()
  // So that most offsets of names are in it.
  writer.string('some text that members find their names in')
  writer.int('unsigned int', 4)
  writer.int('char', 1, 'signed')
  // Most references are to a type that there is; the wildest ones stay.
  const inside = (to: number): number => (to > maxTypes ? to : to % (types.length + 3))
  for (const { kind, name, sizeOrType, flag, words, claimed: said } of types) {
    const each = wordsOf[kind]
    const length = said ?? (each === undefined ? 0 : words.length / each)
    const written = words.map((word, i) => (i % (each ?? 3) === referenceAt[kind] ? inside(word) : word))
    writer.add(name, kind, length, refersItself.has(kind) ? inside(sizeOrType) : sizeOrType, written, flag)
  }
  return writer.bytes()
}

/** What it gives; undefined where that is MALFORMED, or of another code that is expected. */
function unlessMalformed<T>(work: () => T, also?: string): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof EbpfError && (error.code === 'MALFORMED' || error.code === also)) return undefined
    throw error
  }
}

const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 167 + 13) & 0xff)

/** A type's bytes come back as they were read, and nothing beside them is touched. */
function assertRoundTrip(btf: Btf, type: number): boolean {
  const shape = unlessMalformed(() => shapeOf(btf, type))
  if (shape === undefined) return false
  assert.equal(btf.sizeOf(type), shape.size)
  assert.equal(layoutDifference({ btf, id: type }, { btf, id: type }), undefined)
  if (shape.size > 4096) return true
  const codec = codecOf(shape)
  const value = codec.decode(new DataView(noise(shape.size).buffer), 0)
  const room = new Uint8Array(shape.size + 16).fill(0xa5)
  try {
    codec.encode(value, new DataView(room.buffer), 8)
  } catch (error) {
    // A text that ends nowhere, or whose bytes are no UTF-8, has no room for its end.
    if (error instanceof EbpfError && error.message.includes('does not fit a NUL-terminated field'))
      return true
    throw error
  }
  for (const edge of [room.subarray(0, 8), room.subarray(-8)]) assert.ok(edge.every(byte => byte === 0xa5))
  assert.deepEqual(codec.decode(new DataView(room.buffer), 8), value)
  return true
}

/** LAYOUT: two structs have one name. */
const bindingsOf = (btf: Btf): string | undefined =>
  unlessMalformed(
    () =>
      printBindings(collectBindings([{ name: 'odd', btf, sections: [], symbols: [] }]), {
        command: 'test',
        library: 'library',
      }),
    'LAYOUT',
  )

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

interface Outcome {
  readonly parsed: boolean
  readonly shapes: number
  readonly module: boolean
}

/** Reads it in every way that there is. */
function useAll(bytes: Uint8Array): Outcome {
  const btf = unlessMalformed(() => Btf.parse(bytes))
  if (btf === undefined) return { parsed: false, shapes: 0, module: false }
  unlessMalformed(() => mapDefinitions(btf))
  let shapes = 0
  for (const type of btf.types.keys()) {
    unlessMalformed(() => btf.resolve(type))
    unlessMalformed(() => btf.sizeOf(type))
    if (assertRoundTrip(btf, type)) shapes++
  }
  const text = bindingsOf(btf)
  if (text !== undefined) assert.doesNotThrow(() => stripTypeScriptTypes(text), text)
  return { parsed: true, shapes, module: text !== undefined }
}

function assertAlways<T>(
  arbitrary: fc.Arbitrary<T>,
  bytesOf: (it: T) => Uint8Array,
  numRuns: number,
): Outcome[] {
  const outcomes: Outcome[] = []
  fc.assert(
    fc.property(arbitrary, it => {
      const started = cpuMs()
      outcomes.push(useAll(bytesOf(it)))
      const tookMs = cpuMs() - started
      assert.ok(tookMs < 2_000, `${tookMs} ms of processor time`)
    }),
    { numRuns },
  )
  return outcomes
}

test('types that refer to anything: right, or MALFORMED, in bounded time', () => {
  const outcomes = assertAlways(fc.array(oddType, { maxLength: maxTypes }), write, 4_000)
  const count = (wanted: (it: Outcome) => boolean): number => outcomes.filter(wanted).length
  // Not all are refused at the door.
  assert.ok(count(it => it.parsed) > 100, `${count(it => it.parsed)} were read`)
  assert.ok(count(it => it.shapes > 3) > 50, `${count(it => it.shapes > 3)} had types that can be used`)
})

test('a header, a section or a name that lies elsewhere: right, or MALFORMED', () => {
  const whole = btfOfEveryKind()
  const word = fc.oneof(
    fc.nat(whole.length + 50),
    fc.constantFrom(0, 1, 23, 24, 25, 0x7fff_ffff, 0xffff_ffff),
  )
  const headers = fc.record({
    header: fc.array(fc.tuple(fc.constantFrom(4, 8, 12, 16, 20), word), { maxLength: 3 }),
    /** The offset of a name; each is the first word of a type or a member. */
    name: fc.option(fc.tuple(fc.nat(Math.floor(whole.length / 4) - 1), word)),
    cut: fc.option(fc.nat(whole.length)),
  })
  const outcomes = assertAlways(
    headers,
    ({ header, name, cut }) => {
      const bytes = Buffer.from(whole)
      for (const [at, value] of header) bytes.writeUInt32LE(value, at)
      if (name !== null) bytes.writeUInt32LE(name[1], name[0] * 4)
      return cut === null ? bytes : bytes.subarray(0, cut)
    },
    3_000,
  )
  assert.ok(outcomes.some(it => it.parsed) && outcomes.some(it => !it.parsed))
})

/** Each type is twice in the next one, so that a look at each path never ends. */
const nestings: Readonly<Record<string, (writer: BtfWriter, below: number, size: number) => number>> = {
  structs: (writer, below, size) =>
    writer.struct('s', size * 2, [
      ['a', below, 0],
      ['b', below, size * 8],
    ]),
  'reserved fields': (writer, below, size) =>
    writer.struct('s', size * 2, [
      ['reserved_a', below, 0],
      ['reserved_b', below, size * 8],
    ]),
  'anonymous structs in fields': (writer, below, size) =>
    writer.struct('', size * 2, [
      ['a', below, 0],
      ['b', below, size * 8],
    ]),
  'anonymous structs': (writer, below, size) =>
    writer.struct('', size * 2, [
      ['', below, 0],
      ['', below, size * 8],
    ]),
  unions: (writer, below, size) =>
    writer.union('u', size, [
      ['a', below, 0],
      ['b', below, 0],
    ]),
  'fields without a size': (writer, below) =>
    writer.struct('s', 0, [
      ['a', below, 0],
      ['b', below, 0],
    ]),
  'arrays of nothing': (writer, below) => writer.array(below, 0),
  'arrays of many': (writer, below) => writer.array(below, 0xffff_ffff),
  typedefs: (writer, below) => writer.typedef('t', below),
}

for (const [what, nest] of Object.entries(nestings))
  test(`${what}, nested 18 and 200 deep: right, or MALFORMED, at once`, () => {
    for (const [leafSize, depths] of [
      [0, 200],
      [4, 200],
      [4, 18],
    ] as const) {
      const writer = new BtfWriter()
      let below = leafSize === 0 ? writer.struct('empty', 0, []) : writer.int('unsigned int', 4)
      for (let depth = 0, size = leafSize; depth < depths; depth++) {
        below = nest(writer, below, Math.min(size, 2 ** 25))
        if (what !== 'unions') size *= 2
      }
      writer.section('.bpf2ts', [writer.variable('v', below)])
      const started = cpuMs()
      assert.equal(useAll(writer.bytes()).parsed, true)
      const tookMs = cpuMs() - started
      assert.ok(tookMs < 2_000, `${tookMs} ms of processor time`)
    }
  })

test('circles through every kind of reference are MALFORMED', () => {
  const circles: Readonly<Record<string, (writer: BtfWriter) => void>> = {
    typedef: writer => writer.typedef('t', 1),
    'typedefs of each other': writer => void [writer.typedef('a', 2), writer.typedef('b', 1)],
    const: writer => writer.const(1),
    array: writer => writer.array(1, 2),
    'array without elements': writer => writer.array(1, 0),
    struct: writer => writer.struct('s', 4, [['again', 1, 0]]),
    union: writer => writer.union('u', 4, [['again', 1, 0]]),
    variable: writer => writer.variable('v', 1),
  }
  for (const [what, write_] of Object.entries(circles)) {
    const writer = new BtfWriter()
    write_(writer)
    const btf = Btf.parse(writer.bytes())
    assert.throws(() => shapeOf(btf, 1), { code: 'MALFORMED' }, what)
  }
  // Nobody asks for the shape of a struct without a name whose members are wanted.
  const wanted = new BtfWriter()
  wanted.struct('', 4, [['', 1, 0]])
  wanted.section('.bpf2ts', [wanted.variable('v', 1)])
  useAll(wanted.bytes())
  // A pointer is as good as any other: eight bytes.
  const writer = new BtfWriter()
  writer.struct('list', 8, [['next', 2, 0]])
  writer.ptr(1)
  assert.equal(shapeOf(Btf.parse(writer.bytes()), 1).size, 8)
})

test('a name of the kernel for something else is that', () => {
  const writer = new BtfWriter()
  const char = writer.int('unsigned char', 1)
  const shape = (type: number): Shape => shapeOf(Btf.parse(writer.bytes()), type)
  const narrow = writer.typedef('__be32', char)
  assert.deepEqual(shape(narrow), { kind: 'scalar', codec: 'u8', size: 1 })
  const wide = writer.typedef('__be32', writer.array(char, 4))
  assert.deepEqual(shape(wide), { kind: 'bytes', size: 4 })
  const own = writer.typedef('__be32', writer.int('unsigned int', 4))
  assert.deepEqual(shape(own), { kind: 'scalar', codec: 'be32', size: 4 })
})

test('what has no size, or odd bits, is said by name', () => {
  const cases: readonly (readonly [what: RegExp, write: (writer: BtfWriter) => number])[] = [
    [/\(fwd\) has no size/, writer => writer.add('elsewhere', 7, 0, 0)],
    [/\(void\) has no size/, writer => writer.const(0)],
    [/lies outside of struct s/, writer => writer.struct('s', 4, [['far', writer.int('int', 4), 64]])],
    [/bitfield of 40 bits/, writer => writer.struct('s', 8, [['wide', writer.int('int', 4), 0, 40]])],
    [
      /overlaps/,
      writer => {
        const int = writer.int('int', 4)
        return writer.struct('s', 8, [
          ['one', int, 0],
          ['two', int, 16],
        ])
      },
    ],
    [/enum e has 3 bytes/, writer => writer.enum('e', { A: 1 }, false, 3)],
  ]
  for (const [message, make] of cases) {
    const writer = new BtfWriter()
    const type = make(writer)
    const btf = Btf.parse(writer.bytes())
    assert.throws(
      () => shapeOf(btf, type),
      (error: unknown) => {
        assert.ok(error instanceof EbpfError && error.code === 'MALFORMED')
        assert.match(error.message, message)
        return true
      },
    )
  }
})
