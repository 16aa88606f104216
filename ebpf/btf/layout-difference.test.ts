import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Btf } from './btf.ts'
import { type LayoutOptions, layoutDifference, type TypeOf } from './layout-difference.ts'
import { BtfWriter } from './testing/btf-writer.ts'

const type = (build: (w: BtfWriter) => number): TypeOf => {
  const w = new BtfWriter()
  const id = build(w)
  return { btf: Btf.parse(w.bytes()), id }
}

/** A struct of 12 bytes: `head`, and an array of two records of 4 bytes. */
const record = (first: string, second: string, head = 'head') =>
  type(w => {
    const u16 = w.int('unsigned short', 2)
    const flow = w.struct('flow', 4, [
      [first, u16, 0],
      [second, u16, 16],
    ])
    return w.struct('record', 12, [
      [head, w.int('unsigned int', 4), 0],
      ['slot', w.array(flow, 2), 32],
    ])
  })

const difference = (found: TypeOf, expected: TypeOf, options?: LayoutOptions) =>
  layoutDifference(found, expected, options)

test('two types of one layout do not differ', () => {
  assert.equal(difference(record('port', 'generation'), record('port', 'generation')), undefined)
})

test('a field that moved inside an array of structs is named with its path', () => {
  assert.equal(
    difference(record('generation', 'port'), record('port', 'generation')),
    'field slot[].port is at 2, expected at 0',
  )
})

test('a field that has another type at its place differs', () => {
  const one = (name: string) => type(w => w.typedef(name, w.typedef('__u16', w.int('unsigned short', 2))))
  assert.equal(difference(one('__u16'), one('__be16')), 'it is u16, expected be16')
})

test('arrays and byte strings differ in their length', () => {
  const array = (length: number) => type(w => w.array(w.int('unsigned int', 4), length))
  assert.equal(difference(array(3), array(4)), 'it is an array of 3, expected an array of 4')
  const text = (length: number) => type(w => w.array(w.int('char', 1, 'signed'), length))
  assert.equal(difference(text(3), text(4)), 'it is text of 3 bytes, expected text of 4 bytes')
})

test('reserved bytes may become a field, and the other way round, only where layouts may grow', () => {
  const [old, grown] = [record('port', 'reserved'), record('port', 'generation')]
  assert.equal(difference(old, grown), 'field slot[].generation is missing')
  assert.equal(difference(grown, old), 'field slot[].generation is not known')
  assert.equal(difference(old, grown, { mayGrow: true }), undefined)
  assert.equal(difference(grown, old, { mayGrow: true }), undefined)
})

test('a field in the place of another is never growth', () => {
  const other = record('port', 'weight')
  assert.equal(
    difference(other, record('port', 'generation'), { mayGrow: true }),
    'field slot[].generation is missing',
  )
})
