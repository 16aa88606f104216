import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Btf } from '../btf/btf.ts'
import { BtfWriter } from '../btf/testing/btf-writer.ts'
import { EbpfError } from '../error.ts'
import { type BindingSource, collectBindings } from './bindings.ts'
import { printBindings } from './print.ts'

/** An object without programs, whose types `build` writes. */
function source(name: string, build: (w: BtfWriter) => void): BindingSource {
  const w = new BtfWriter()
  build(w)
  return { name, btf: Btf.parse(w.bytes(), name), sections: [], symbols: [] }
}

/** A map called `name` with a u32 key; the value is a struct with fields of the given sizes in bytes. */
function withMap(name: string, maxEntries: number, sizes: readonly number[]) {
  return (w: BtfWriter) => {
    const u32 = w.int('unsigned int', 4)
    let offset = 0
    const members = sizes.map((size, index) => {
      const member = [`field${index}`, w.int(`u${size}`, size), offset * 8] as const
      offset += size
      return member
    })
    const value = w.struct(`${name}_value`, offset, members)
    const number = (value: number) => w.ptr(w.array(u32, value))
    const parts = [number(1), number(maxEntries), w.ptr(u32), w.ptr(value)]
    const names = ['type', 'max_entries', 'key', 'value']
    const definition = w.struct(
      '',
      32,
      parts.map((part, index) => [names[index] ?? '', part, index * 64] as const),
    )
    w.section('.maps', [w.variable(name, definition)])
  }
}

const print = (...sources: BindingSource[]) =>
  printBindings(collectBindings(sources), { command: 'test', library: 'library' })

test('objects that share a map make one of it', () => {
  const [a, b] = [source('a', withMap('m', 5, [4])), source('b', withMap('m', 5, [4]))]
  assert.equal(print(a, b), print(a))
  assert.equal(collectBindings([a, b]).maps.length, 1)
})

test('what is declared differently in two objects is refused with both names', () => {
  const refuses = (b: (w: BtfWriter) => void, pattern: RegExp) =>
    assert.throws(
      () => print(source('a', withMap('m', 5, [4])), source('b', b)),
      error => error instanceof EbpfError && error.code === 'LAYOUT' && pattern.test(error.message),
    )
  refuses(withMap('m', 6, [4]), /map m of b differs from that of a/)
  refuses(withMap('m', 5, [4, 4]), /struct m_value of b differs from that of a/)
})

test('the order of the objects and of their types does not matter', () => {
  const [a, b] = [source('a', withMap('x', 5, [4])), source('b', withMap('y', 5, [8]))]
  assert.equal(print(a, b), print(b, a))
})

test('only the types that are asked for are there', () => {
  const text = print(
    source('a', w => {
      const u32 = w.int('unsigned int', 4)
      w.struct('unwanted', 4, [['a', u32, 0]])
      const wanted = w.struct('', 8, [
        ['row', w.struct('row', 4, [['a', u32, 0]]), 0],
        ['color', w.enum('color', { COLOR_RED: 1 }), 32],
      ])
      w.section('.bpf2ts', [w.variable('bindings', wanted)])
    }),
  )
  assert.match(text, /export const row: StructCodec<Row>/)
  assert.match(text, /export const Color = {\n {2}RED: 1,\n} as const/)
  assert.doesNotMatch(text, /unwanted/i)
})

test('two things that would get one name are refused', () => {
  const both = source('a', w => {
    const u32 = w.int('unsigned int', 4)
    const wanted = w.struct('', 8, [
      ['one', w.struct('color', 4, [['a', u32, 0]]), 0],
      ['two', w.enum('color', { COLOR_RED: 1 }), 32],
    ])
    w.section('.bpf2ts', [w.variable('bindings', wanted)])
  })
  assert.throws(
    () => print(both),
    error => error instanceof EbpfError && error.code === 'INVALID' && /called Color/.test(error.message),
  )
})

test('an object without anything gives empty tables', () => {
  const text = print(source('a', () => {}))
  assert.match(text, /export const maps = {} as const/)
  assert.match(text, /export const programs = {} as const/)
})

for (const [what, name] of [
  ['no name', ''],
  ['a name of another language', 'core::option'],
  ['a name that begins with a digit', '4th'],
  ['a name that would be code', "a: 0 } as const; globalThis.x = '"],
] as const)
  test(`an object with ${what} is refused`, () => {
    assert.throws(
      () => print(source('odd', withMap(name, 1, [4]))),
      (error: unknown) => {
        assert.ok(error instanceof EbpfError)
        assert.equal(error.code, 'MALFORMED')
        assert.match(error.message, /is no identifier of C: "/)
        return true
      },
    )
  })
