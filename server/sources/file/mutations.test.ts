import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { dump, load } from 'js-yaml'
import { identity, mutate, mutation } from '../../objects/mutate-json.ts'
import { type KubeObject, objectKey } from '../../objects/types.ts'
import { TemporaryDirectory } from './fixtures.ts'
import { readManifest } from './manifest.ts'
import { ManifestFiles } from './manifest-files.ts'

/**
 * A real cluster's dump in which one object after the other has something else in place of some of its fields: the
 * objects beside it are read as before, and what is said names it.
 */
const DUMP = fileURLToPath(new URL('../../../examples/cluster/dump.yaml', import.meta.url))
const { items } = load(readFileSync(DUMP, 'utf8')) as { items: Json[] }

type Json = Record<string, unknown>

const nameOf = (item: Json): string => {
  const { kind, metadata } = item as { kind: string; metadata: { name: string; namespace?: string } }
  return metadata.namespace === undefined
    ? `${kind} ${metadata.name}`
    : `${kind} ${metadata.namespace}/${metadata.name}`
}
const nameOfObject = (object: KubeObject): string =>
  'namespace' in object
    ? `${object.kind} ${object.namespace}/${object.name}`
    : `${object.kind} ${object.name}`

/** Each object by its name. */
function objectsOf(text: string): { read: Map<string, KubeObject>; problems: readonly string[] } {
  const { objects, problems, damaged } = readManifest(text, 'f')
  assert.equal(damaged, false, JSON.stringify(problems))
  for (const { where } of problems) assert.match(where, /^f(?::\d+:\d+)?$/)
  const read = objects.map(it => {
    assert.ok('object' in it)
    return [nameOfObject(it.object), it.object] as const
  })
  return { read: new Map(read), problems: problems.map(({ message }) => message) }
}

const shapes: Readonly<Record<string, (objects: readonly unknown[]) => string>> = {
  'a List in YAML': objects => dump({ apiVersion: 'v1', kind: 'List', items: objects }, { noRefs: true }),
  'a List in JSON': objects => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  documents: objects => objects.map(it => dump(it, { noRefs: true })).join('---\n'),
}

const { read: expected } = objectsOf(readFileSync(DUMP, 'utf8'))

describe('a real dump with fields that are anything', () => {
  for (const [shape, write] of Object.entries(shapes))
    it(`as ${shape}: the other objects are read as before, and problems name the object`, () => {
      const changes = fc.array(fc.tuple(fc.nat(items.length - 1), mutation), { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(changes, all => {
          const changed = new Set<string>()
          const objects: Json[] = [...items]
          for (const [index, change] of all) {
            const item = objects[index]
            assert.ok(item !== undefined)
            objects[index] = mutate(item, change, identity).value as Json
            changed.add(nameOf(item))
          }
          const { read, problems } = objectsOf(write(objects))
          for (const [name, object] of expected)
            if (!changed.has(name)) assert.deepEqual(read.get(name), object)
          for (const name of read.keys()) assert.ok(expected.has(name), name)
          for (const problem of problems)
            assert.ok(
              [...changed].some(name => problem.startsWith(`${name}: `)) ||
                /^and \d+ more problems/.test(problem),
              problem,
            )
        }),
        { numRuns: 60 },
      )
    })
})

describe('a directory with a real dump in three files, damaged and mended again', () => {
  const parts = [0, 1, 2].map(part =>
    items
      .filter((_, index) => index % 3 === part)
      .map(it => dump(it, { noRefs: true }))
      .join('---\n'),
  )
  const step = fc.record({
    part: fc.nat(parts.length - 1),
    at: fc.nat(20_000),
    remove: fc.oneof(fc.nat(4), fc.nat(5000)),
    insert: fc.string({ unit: fc.constantFrom(...'a1 \n:-#\'"|>[]{},&*!?\t%\0\u{1F600}'), maxLength: 4 }),
    mend: fc.boolean(),
  })
  const keysOf = (text: string): Set<string> =>
    new Set(readManifest(text, 'f').objects.flatMap(it => ('object' in it ? [objectKey(it.object)] : [])))

  it('the other files lose nothing, a file that makes no sense keeps what it had, and mended all is as before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async steps => {
        using directory = new TemporaryDirectory()
        await using files = new ManifestFiles([directory.path])
        const write = (part: number, text: string): string => directory.write(`${part}.yaml`, text)
        for (const [part, text] of parts.entries()) write(part, text)
        await files.refresh()
        const original = new Map([...files.objects()].map(it => [objectKey(it), it]))
        assert.equal(original.size, expected.size)
        const now = [...parts]
        const kept = parts.map(keysOf)
        for (const { part, at, remove, insert, mend } of steps) {
          const whole = parts[part] ?? ''
          const from = at % whole.length
          const text = mend ? whole : whole.slice(0, from) + insert + whole.slice(from + remove)
          write(part, text)
          now[part] = text
          if (!readManifest(text, 'f').damaged) kept[part] = keysOf(text)
          await files.refresh()
          const elsewhere = new Set(now.flatMap((it, index) => (it === parts[index] ? [] : [...keysOf(it)])))
          for (const [index, keys] of kept.entries())
            for (const key of keys) {
              assert.ok(files.get(key) !== undefined, key)
              // Damage can make one object into another of a good file: then the last file's counts.
              if (now[index] === parts[index] && !elsewhere.has(key))
                assert.deepEqual(files.get(key), original.get(key))
            }
        }
        for (const [part, text] of parts.entries()) write(part, text)
        await files.refresh()
        assert.deepEqual(new Map([...files.objects()].map(it => [objectKey(it), it])), original)
        assert.deepEqual(files.problems(), [])
      }),
      { numRuns: 20 },
    )
  })
})
