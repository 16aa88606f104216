import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { dump } from 'js-yaml'
import { Locator, parseYaml } from './yaml.ts'

const whole = (text: string) => ({ start: 0, end: text.length })
const parse = (text: string) => parseYaml(text, whole(text))

describe('YAML', () => {
  const values: [string, string, unknown][] = [
    ['nothing', '', null],
    ['comments only', '# a\n', null],
    [
      'the core schema of YAML 1.2',
      'a: yes\nb: 0o17\nc: 1_000\nd: 2026-11-23T05:53:03Z\ne: ~\nf: True\ng: 0x1F\nh: 1e3',
      { a: 'yes', b: 15, c: '1_000', d: '2026-11-23T05:53:03Z', e: null, f: true, g: 31, h: 1000 },
    ],
    ['addresses', 'a: ::1\nb: 10.0.0.1\nc: fd00::/8\n', { a: '::1', b: '10.0.0.1', c: 'fd00::/8' }],
    [
      'anchors and merge keys',
      'a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n',
      { a: { x: 1, y: 2 }, b: { x: 1, y: 3 } },
    ],
    ['directives', '%YAML 1.2\n---\na: 1\n', { a: 1 }],
    ['what Secrets may hold', 'a: !!binary aGk=\n', { a: new Uint8Array([104, 105]) }],
  ]
  for (const [title, text, value] of values)
    it(`reads ${title}`, () => assert.deepEqual(parse(text), { value, error: undefined }))

  it('__proto__ is a key like others', () => {
    const { value } = parse('__proto__: {polluted: 1}\n')
    assert.deepEqual(Object.keys(value ?? {}), ['__proto__'])
    assert.equal((value as { polluted?: number }).polluted, undefined)
  })

  it('a part of a text: errors are placed in the whole', () => {
    const text = 'x: [\na: 1\nb: c: d\ny'
    assert.deepEqual(parseYaml(text, { start: 5, end: 10 }), { value: { a: 1 }, error: undefined })
    const { error } = parseYaml(text, { start: 5, end: 18 })
    assert.deepEqual(error, { offset: 14, message: 'bad indentation of a mapping entry', fatal: true })
  })

  it('a key twice is a remark, whatever else is wrong is not', () => {
    assert.deepEqual(parse('a: 1\na: 2\n'), {
      value: { a: 2 },
      error: { offset: 5, message: 'duplicated mapping key', fatal: false },
    })
    assert.deepEqual(parse('a: 1\na: *b\n'), {
      value: undefined,
      error: { offset: 9, message: 'unidentified alias "b"', fatal: true },
    })
  })

  it('two documents in one are refused', () => {
    assert.equal(parse('a: 1\n---\nb: 2\n').error?.fatal, true)
  })
})

describe('places in YAML and JSON', () => {
  const json = ' {"a": [1, {"b\\"": "x,]}", "c" : [ ]}, [[2]]], "d": {"e": null}, "a2": -1.5e3}'
  const yaml =
    'a:\n- 1\n- b: "x"\n  c: |\n    y\n? d\n: &anchor [e, *anchor]\nf: {g: \'\'}\nf: {g: !!str h}\ni:\n'
  const cases: [string, (string | number)[], string][] = [
    [json, [], '{"a"'],
    [json, ['a'], '[1, {'],
    [json, ['a', 0], '1, {'],
    [json, ['a', 1, 'b"'], '"x,]}"'],
    [json, ['a', 1, 'c'], '[ ]}'],
    [json, ['a', 2, 0, 0], '2]]'],
    [json, ['d', 'e'], 'null}'],
    [json, ['a2'], '-1.5e3'],
    [json, ['d', 'missing'], '{"e"'],
    [json, ['a', 9, 'x'], '[1, {'],
    ['{"a":1,"a":2}', ['a'], '2}'],
    ['{\n\t"a":\t1}', ['a'], '1}'],
    [yaml, [], 'a:'],
    [yaml, ['a'], '- 1'],
    [yaml, ['a', 1], 'b: "x"'],
    [yaml, ['a', 1, 'b'], '"x"'],
    [yaml, ['a', 1, 'c'], '    y'],
    [yaml, ['d', 0], 'e, '],
    [yaml, ['d', 1], '*anchor'],
    [yaml, ['f', 'g'], 'h}'],
    [yaml, ['i'], 'a:'],
    ['', ['a'], ''],
  ]
  for (const [text, path, expected] of cases) {
    it(`[${path}] of ${JSON.stringify(text.slice(0, 12))} is at ${JSON.stringify(expected)}`, () => {
      const at = new Locator(text).locate(whole(text), path)
      assert.equal(text.slice(at, at + expected.length), expected)
    })
  }

  it('finds each value of any JSON, and of the same as YAML', () => {
    const property = fc.property(
      fc.jsonValue({ maxDepth: 4 }),
      fc.constantFrom(undefined, 1, '\t'),
      fc.nat(5),
      (value, indent, start) => {
        const text = ' '.repeat(start) + JSON.stringify(value, null, indent)
        const other = dump(value)
        const [inJson, inYaml] = [new Locator(text), new Locator(other)]
        for (const [path, inner] of leaves(value)) {
          const at = inJson.locate({ start, end: text.length }, path)
          assert.ok(text.startsWith(JSON.stringify(inner), at), `${text} ${path}`)
          const rest = other.slice(inYaml.locate(whole(other), path))
          if (typeof inner === 'number')
            assert.ok(Object.is(Number.parseFloat(rest), inner), `${other} ${path}`)
        }
      },
    )
    fc.assert(property, { numRuns: 200 })
  })

  it('JSON that is no YAML has its beginning', () => {
    const text = `${'['.repeat(200)}${']'.repeat(200)}`
    assert.equal(new Locator(`  ${text}`).locate({ start: 2, end: 402 }, [0, 0]), 2)
  })
})

function* leaves(value: unknown, path: (string | number)[] = []): Generator<[(string | number)[], unknown]> {
  if (typeof value !== 'object' || value === null) yield [path, value]
  else
    for (const [key, inner] of Object.entries(value))
      yield* leaves(inner, [...path, Array.isArray(value) ? Number(key) : key])
}
