import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { Btf } from '../btf/btf.ts'
import { readElfSection, readElfSections, readElfSymbols } from '../btf/elf.ts'
import { EbpfError } from '../error.ts'
import { testObject } from '../testdata/build.ts'
import { type BindingSource, collectBindings } from './bindings.ts'
import { printBindings } from './print.ts'

/** What the compiler made, with a few bytes of it changed. */
const whole = readFileSync(testObject('kinds'))
const section = readElfSection(whole, '.BTF', 'kinds')
assert.ok(section !== undefined)
const btfBytes = Buffer.from(section.bytes)
const btfAt = whole.indexOf(btfBytes)

function read(name: string, bytes: Uint8Array): BindingSource {
  const sections = readElfSections(bytes, name)
  return { name, btf: Btf.fromElf(bytes, name), sections, symbols: readElfSymbols(sections, name) }
}
const intact = read('intact', whole)

const print = (...sources: BindingSource[]): string =>
  printBindings(collectBindings(sources), { command: 'test', library: 'library' })

/** What bpf2ts makes of an object, alone and beside one that declares the same; undefined where it is refused. */
function bindings(bytes: Uint8Array): string[] {
  return [() => print(read('mutated', bytes)), () => print(intact, read('mutated', bytes))].flatMap(make => {
    try {
      return [make()]
    } catch (error) {
      if (error instanceof EbpfError) return []
      throw error
    }
  })
}

const words = fc.oneof(
  fc.nat(200),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0100_0000, 0x0400_0001, 0x8400_0000, 0xffff),
  fc.nat(0xffff_ffff),
)
/** A word of the BTF, most of which are type ids, offsets of names, kinds and sizes. */
const ofBtf = fc.record({
  at: fc.nat(Math.floor(btfBytes.length / 4) - 1).map(word => btfAt + word * 4),
  value: words,
  width: fc.constant<number>(4),
})
const anywhere = fc.record({
  at: fc.nat(whole.length - 1),
  value: fc.nat(255),
  width: fc.constant<number>(1),
})

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

for (const [where, change, numRuns] of [
  ['of its BTF', ofBtf, 1500],
  ['of the object', anywhere, 500],
] as const)
  test(`whatever words ${where} are, the outcome is a module or an EbpfError, in bounded time`, () => {
    let slowest = 0
    let made = 0
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), changes => {
        const bytes = Buffer.from(whole)
        for (const { at, value, width } of changes) bytes.writeUIntLE(value, at, width)
        const started = cpuMs()
        const texts = bindings(bytes)
        slowest = Math.max(slowest, cpuMs() - started)
        made += texts.length
        for (const text of texts) assert.doesNotThrow(() => stripTypeScriptTypes(text), text)
      }),
      { numRuns },
    )
    assert.ok(slowest < 2000, `${slowest} ms of processor time`)
    // The changes are not so many that all are refused at once.
    assert.ok(made > numRuns / 10, `${made} modules`)
  })
