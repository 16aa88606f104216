import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Btf, codecFromBtf, type DynamicValue, mapDefinitions, type StructCodec } from '@kpng/ebpf'
import fc from 'fast-check'
import * as bindings from './bindings.gen.ts'

const build = join(import.meta.dirname, 'bpf/build')
assert.ok(existsSync(build), `${build} is missing: run make bytecode`)
const objects = readdirSync(build)
  .filter(name => name.endsWith('.bpf.o'))
  .map(name => Btf.fromElf(readFileSync(join(build, name)), name))
assert.ok(objects.length > 0, `${build} holds no objects: run make bytecode`)

type AnyCodec = StructCodec<Record<string, DynamicValue>>
const isCodec = (value: unknown): value is AnyCodec =>
  typeof value === 'object' && value !== null && 'encode' in value && 'offsets' in value
const codecs = Object.values<unknown>(bindings).filter(isCodec)

/** Each object that knows a struct of that name, with its id there. */
const holders = (name: string) =>
  objects.flatMap(btf => {
    const id = btf.find('struct', name)
    return id === undefined ? [] : [{ btf, id }]
  })

test('sizes and offsets of the bindings are those of every object', () => {
  assert.ok(codecs.length >= 20)
  for (const codec of codecs) {
    assert.ok(holders(codec.name).length > 0, `no object has struct ${codec.name}`)
    for (const { btf, id } of holders(codec.name)) {
      const type = btf.type(id)
      assert.ok(type.kind === 'struct')
      assert.equal(codec.size, type.size, `size of struct ${codec.name} in ${btf.origin}`)
      const expected = type.members
        .filter(member => !member.name.startsWith('reserved'))
        .map(member => [camelCase(member.name), member.bitOffset / 8])
      assert.deepEqual(Object.entries(codec.offsets), expected, `struct ${codec.name} in ${btf.origin}`)
    }
  }
})

test('the bindings know every map, with the sizes of its key and value', () => {
  const seen = new Set<string>()
  for (const btf of objects) {
    for (const definition of mapDefinitions(btf)) {
      seen.add(definition.name)
      const binding = Object.values(bindings.maps).find(map => map.name === definition.name)
      assert.ok(binding !== undefined, `map ${definition.name} of ${btf.origin}`)
      assert.equal('key' in binding ? binding.key.size : 0, definition.keySize, definition.name)
      assert.equal('value' in binding ? binding.value.size : 0, definition.valueSize, definition.name)
      const { type, maxEntries, flags } = definition
      assert.deepEqual(
        { type: binding.type, maxEntries: binding.maxEntries, flags: binding.flags },
        { type, maxEntries, flags },
      )
    }
  }
  assert.equal(seen.size, Object.keys(bindings.maps).length)
})

for (const codec of codecs) {
  test(`struct ${codec.name} keeps any value, byte for byte as BTF says`, () => {
    const [holder] = holders(codec.name)
    assert.ok(holder !== undefined)
    const dynamic = codecFromBtf(holder.btf, holder.id)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: codec.size, maxLength: codec.size }), memory => {
        const value = withShortTexts(codec.decode(new DataView(memory.buffer), 0))
        const [ours, theirs] = [Uint8Array.from(memory), new Uint8Array(codec.size).fill(0xff)]
        codec.encode(value, new DataView(ours.buffer), 0)
        dynamic.encode(value, new DataView(theirs.buffer), 0)
        assert.deepEqual(ours, theirs)
        assert.deepEqual(codec.decode(new DataView(ours.buffer), 0), value)
      }),
      { numRuns: 30 },
    )
  })
}

/** Random memory is seldom a text that ends in its field. */
function withShortTexts(value: Record<string, DynamicValue>): Record<string, DynamicValue> {
  const shorten = (part: DynamicValue) =>
    typeof part === 'string' ? part.replace(/[^ -~]/g, '').slice(0, 15) : part
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shorten(part)]))
}

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
}
