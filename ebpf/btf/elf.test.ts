import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EbpfError } from '../error.ts'
import { Btf } from './btf.ts'
import { readElfSections, readElfSymbols } from './elf.ts'

const NAMES = Buffer.from('\0.names\0.BTF\0')

/** An ELF file with a section of names and a section .BTF that holds `content`. */
function elf(content: Uint8Array): Buffer {
  const header = Buffer.alloc(64)
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  header.writeUInt16LE(1, 16)
  header.writeUInt16LE(247, 18)
  const tableAt = 64 + NAMES.length + content.length
  header.writeBigUInt64LE(BigInt(tableAt), 40)
  header.writeUInt16LE(64, 58)
  header.writeUInt16LE(3, 60)
  header.writeUInt16LE(1, 62)
  const section = (name: number, type: number, at: number, length: number) => {
    const bytes = Buffer.alloc(64)
    bytes.writeUInt32LE(name, 0)
    bytes.writeUInt32LE(type, 4)
    bytes.writeBigUInt64LE(BigInt(at), 24)
    bytes.writeBigUInt64LE(BigInt(length), 32)
    return bytes
  }
  return Buffer.concat([
    header,
    NAMES,
    content,
    section(0, 0, 0, 0),
    section(1, 3, 64, NAMES.length),
    section(8, 1, 64 + NAMES.length, content.length),
  ])
}

const malformed = (pattern: RegExp) => (error: unknown) =>
  error instanceof EbpfError && error.code === 'MALFORMED' && pattern.test(error.message)

test('sections are found by name', () => {
  const sections = readElfSections(elf(Buffer.from('hello')), 'x.o')
  assert.deepEqual(
    sections.map(section => [section.name, Buffer.from(section.bytes).toString()]),
    [
      ['', ''],
      ['.names', NAMES.toString()],
      ['.BTF', 'hello'],
    ],
  )
  assert.deepEqual(readElfSymbols(sections, 'x.o'), [])
})

test('what is no BPF object is refused with the reason', () => {
  const changed = (offset: number, byte: number) => {
    const bytes = elf(Buffer.from('hello'))
    bytes[offset] = byte
    return bytes
  }
  assert.throws(() => readElfSections(Buffer.from('#!/bin/sh'), 'x.o'), malformed(/x\.o: is no ELF file/))
  assert.throws(() => readElfSections(changed(4, 1), 'x.o'), malformed(/64 bit/))
  assert.throws(() => readElfSections(changed(5, 2), 'x.o'), malformed(/little endian/))
  assert.throws(() => readElfSections(changed(18, 62), 'x.o'), malformed(/not compiled for BPF/))
  assert.throws(() => readElfSections(changed(62, 9), 'x.o'), malformed(/names/))
})

test('an object without BTF says how to get it', () => {
  const bytes = elf(Buffer.from('hello'))
  bytes.write('.XXX', 64 + 8)
  assert.throws(() => Btf.fromElf(bytes, 'x.o'), malformed(/x\.o has no \.BTF section: compile it with -g/))
})

test('whatever the bytes, the outcome is sections or an EbpfError', () => {
  const whole = elf(Buffer.from('hello'))
  const mutation = fc.record({ offset: fc.nat(whole.length - 1), byte: fc.nat(255) })
  const input = fc.record({ mutations: fc.array(mutation, { maxLength: 5 }), length: fc.nat(whole.length) })
  fc.assert(
    fc.property(input, ({ mutations, length }) => {
      const bytes = Uint8Array.from(whole)
      for (const { offset, byte } of mutations) bytes[offset] = byte
      try {
        readElfSymbols(readElfSections(bytes.subarray(0, length), 'x.o'), 'x.o')
      } catch (error) {
        assert.ok(error instanceof EbpfError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
