import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EbpfError } from '../error.ts'
import { Btf } from './btf.ts'
import { codecFromBtf } from './dynamic-codec.ts'
import { mapDefinitions } from './map-definitions.ts'
import { parseBtf } from './parse-btf.ts'
import { BtfWriter, btfOfEveryKind } from './testing/btf-writer.ts'

const malformed = (pattern: RegExp) => (error: unknown) =>
  error instanceof EbpfError && error.code === 'MALFORMED' && pattern.test(error.message)

test('every kind of type is read', () => {
  const kinds = new Set(parseBtf(btfOfEveryKind()).map(type => type.kind))
  assert.deepEqual([...kinds].sort(), [
    ...['array', 'const', 'datasec', 'decl-tag', 'enum', 'float', 'func', 'func-proto', 'fwd', 'int', 'ptr'],
    ...['restrict', 'struct', 'type-tag', 'typedef', 'union', 'var', 'void', 'volatile'],
  ])
})

test('enums keep negative values and those beyond 2^53', () => {
  const btf = Btf.parse(btfOfEveryKind())
  const values = (name: string) => {
    const type = btf.type(btf.idOf(name))
    return type.kind === 'enum' ? type.values.map(value => value.value) : undefined
  }
  assert.deepEqual(values('kind'), [1, -1])
  assert.deepEqual(values('wide'), [1, 0x8000_0000_0000_0000n])
})

test('a header that is none is refused with the reason', () => {
  const good = btfOfEveryKind()
  const changed = (offset: number, ...bytes: number[]) => {
    const copy = Uint8Array.from(good)
    copy.set(bytes, offset)
    return copy
  }
  assert.throws(() => parseBtf(new Uint8Array()), malformed(/outside/))
  assert.throws(() => parseBtf(changed(0, 0xeb, 0x9f)), malformed(/big-endian/))
  assert.throws(() => parseBtf(changed(0, 1, 2)), malformed(/magic/))
  assert.throws(() => parseBtf(changed(2, 2)), malformed(/version 2/))
  assert.throws(() => parseBtf(changed(4, 8, 0, 0, 0)), malformed(/header of only 8/))
  assert.throws(() => parseBtf(changed(12, 0xff, 0xff, 0xff, 0xff)), malformed(/outside/))
  assert.throws(() => parseBtf(changed(good.length - 1, 65)), malformed(/does not end/))
})

test('a type that refers to one that is not there is refused', () => {
  const w = new BtfWriter()
  w.ptr(7)
  assert.throws(() => parseBtf(w.bytes()), malformed(/type 1 \(ptr\) refers to type 7/))
})

test('a section may hold variables only', () => {
  const w = new BtfWriter()
  w.section('.data', [w.int('int', 4, 'signed')])
  assert.throws(() => parseBtf(w.bytes()), malformed(/no variable/))
})

test('an unknown kind is refused, since nothing behind it can be read', () => {
  const w = new BtfWriter()
  w.add('', 31, 0, 0)
  assert.throws(() => parseBtf(w.bytes()), malformed(/kind 31/))
})

test('BTF cut off anywhere is refused', () => {
  const whole = btfOfEveryKind()
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseBtf(whole.subarray(0, length)), malformed(/./), `cut to ${length} bytes`)
  }
})

test('whatever the bytes, the outcome is types or an EbpfError, in bounded time', () => {
  const whole = btfOfEveryKind()
  const mutation = fc.record({ offset: fc.nat(whole.length - 1), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), mutations => {
      const bytes = Uint8Array.from(whole)
      for (const { offset, byte } of mutations) bytes[offset] = byte
      useAll(bytes)
    }),
    { numRuns: 3000 },
  )
})

/** Reads each type in every way that there is, and lets only EbpfErrors pass. */
function useAll(bytes: Uint8Array): void {
  const btf = expectEbpfError(() => Btf.parse(bytes))
  if (btf === undefined) return
  expectEbpfError(() => mapDefinitions(btf))
  btf.types.forEach((_, id) => {
    expectEbpfError(() => btf.sizeOf(id))
    const codec = expectEbpfError(() => codecFromBtf(btf, id))
    if (codec === undefined || codec.size > 4096) return
    codec.decode(new DataView(new ArrayBuffer(codec.size)), 0)
  })
}

function expectEbpfError<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof EbpfError) return undefined
    throw error
  }
}
