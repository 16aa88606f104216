import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { Btf } from '../btf/btf.ts'
import { codecFromBtf, type DynamicValue } from '../btf/dynamic-codec.ts'
import type { Codec } from '../map.ts'
import { testObject } from '../testdata/build.ts'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'kpng-bpf2ts-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const object = join(folder, 'kinds.bpf.o')
copyFileSync(testObject('kinds'), object)
const output = join(folder, 'kinds.gen.ts')

function bpf2ts(...args: string[]) {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    encoding: 'utf8',
  })
  return { status: run.status, stderr: run.stderr }
}

const library = ['--library', join(root, 'ebpf/index.ts')]
assert.deepEqual(bpf2ts(...library, '-o', output, object), { status: 0, stderr: '' })

interface Generated {
  readonly kinds: Codec<DynamicValue> & { readonly offsets: Readonly<Record<string, number>> }
  readonly point: Codec<DynamicValue>
  readonly maps: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly programs: unknown
  readonly constants: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly Color: unknown
  readonly Big: unknown
}
const generated = (await import(output)) as Generated
const btf = Btf.fromElf(readFileSync(object))

test('bindings need no formatter', () => {
  // Under the name of a file that Biome does not ignore, from standard input: nothing is written there.
  const run = spawnSync(
    join(root, 'node_modules/.bin/biome'),
    ['check', '--write', '--stdin-file-path=ebpf/kinds.gen.ts'],
    { cwd: root, encoding: 'utf8', input: readFileSync(output, 'utf8') },
  )
  assert.equal(run.status, 0, run.stderr)
  assert.equal(run.stdout, readFileSync(output, 'utf8'))
})

test('generated codecs agree with those made from BTF at run time, to the byte', () => {
  for (const name of ['kinds', 'point'] as const) {
    const codec = generated[name]
    const dynamic = codecFromBtf(btf, name)
    assert.equal(codec.size, dynamic.size)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: codec.size, maxLength: codec.size }), memory => {
        const value = withShortTexts(dynamic.decode(new DataView(memory.buffer), 0))
        const [ours, theirs] = [Uint8Array.from(memory), Uint8Array.from(memory).reverse()]
        codec.encode(value, new DataView(ours.buffer), 0)
        dynamic.encode(value, new DataView(theirs.buffer), 0)
        assert.deepEqual(ours, theirs)
        assert.deepEqual(codec.decode(new DataView(ours.buffer), 0), value)
      }),
    )
  }
})

test('offsets are those of the compiler', () => {
  const { kinds } = generated
  assert.equal(kinds.size, btf.sizeOf(btf.idOf('kinds')))
  const type = btf.type(btf.idOf('kinds'))
  assert.ok(type.kind === 'struct')
  for (const member of type.members) {
    if (member.name === '' || ['reserved', 'tail'].includes(member.name)) continue
    assert.equal(kinds.offsets[member.name], Math.floor(member.bitOffset / 8), member.name)
  }
  assert.ok(!('reserved' in kinds.offsets))
})

test('tables tell maps, programs, constants and enums', () => {
  const { maps, programs, constants, Color, Big } = generated
  assert.deepEqual(Object.keys(maps), ['byAddress', 'pairs', 'plain', 'ring'])
  assert.equal(maps.byAddress?.value, generated.kinds)
  assert.deepEqual(maps.ring, { name: 'ring', type: 27, maxEntries: 4096, flags: 0 })
  assert.deepEqual(maps.plain, { name: 'plain', type: 2, maxEntries: 3, flags: (1 << 10) | (1 << 7) })
  assert.deepEqual(programs, {
    first: { name: 'first', object: 'kinds', section: 'socket' },
    second: { name: 'second', object: 'kinds', section: 'socket/second' },
  })
  assert.deepEqual(Object.keys(constants), ['limit', 'origin'])
  assert.equal(constants.origin?.codec, generated.point)
  assert.deepEqual(Color, { RED: 1, GREEN: 2 })
  assert.deepEqual(Big, { SMALL: 1, LARGE: 0x7fffffff })
})

test('--check is content with what is current and shows what is not', () => {
  assert.deepEqual(bpf2ts(...library, '--check', '-o', output, object), { status: 0, stderr: '' })
  const stale = join(folder, 'stale.gen.ts')
  writeFileSync(stale, readFileSync(output, 'utf8').replace('  GREEN: 2,\n', ''))
  const before = readFileSync(stale, 'utf8')
  const { status, stderr } = bpf2ts(...library, '--check', '-o', stale, object)
  assert.equal(status, 1)
  assert.match(
    stderr,
    /stale\.gen\.ts is not what .*kinds\.bpf\.o would give:\nexport const Color = {\n\+ {3}GREEN: 2,\n/,
  )
  assert.equal(readFileSync(stale, 'utf8'), before, 'nothing is written')
})

test('bad usage exits with 2, files that cannot be used with 1 and a reason', () => {
  assert.equal(bpf2ts(object).status, 2)
  assert.equal(bpf2ts('--bogus', '-o', output, object).status, 2)
  const missing = bpf2ts('-o', output, join(folder, 'missing.o'))
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /^bpf2ts: ENOENT.*missing\.o/)
  const noObject = bpf2ts('-o', output, join(import.meta.dirname, 'main.ts'))
  assert.equal(noObject.status, 1)
  assert.match(noObject.stderr, /^bpf2ts: .*main\.ts: is no ELF file\n$/)
})

/** Random memory is seldom a text that ends in its field. */
function withShortTexts(value: DynamicValue): DynamicValue {
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      typeof part === 'string' ? part.replace(/[^ -~]/g, '').slice(0, 3) : part,
    ]),
  )
}
