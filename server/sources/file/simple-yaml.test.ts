import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseDocument, stringify } from 'yaml'
import { NOT_SIMPLE, parseSimpleYaml } from './simple-yaml.ts'

/** What the complete parser makes of it; NOT_SIMPLE where it finds an error. */
function complete(text: string): unknown {
  const document = parseDocument(text, { logLevel: 'silent' })
  return document.errors.length > 0 ? NOT_SIMPLE : document.toJS()
}

/** The two agree wherever the simple one gives an answer; says whether it did. */
function agree(text: string): boolean {
  const simple = parseSimpleYaml(text)
  if (simple === NOT_SIMPLE) return false
  assert.deepEqual(simple, complete(text), JSON.stringify(text))
  return true
}

describe('simple YAML', () => {
  const simple: [string, string, unknown][] = [
    ['nothing', '', null],
    ['comments only', '# a\n\n  # b\n', null],
    ['a mapping', 'a: 1\nb: x\n', { a: 1, b: 'x' }],
    ['the items of a sequence as far left as its key', 'a:\n- 1\n- 2\nb: 3\n', { a: [1, 2], b: 3 }],
    [
      'the items of a sequence further right',
      'a:\n  - b: 1\n    c: 2\n  - b: 3\n',
      { a: [{ b: 1, c: 2 }, { b: 3 }] },
    ],
    ['sequences in sequences', '- - 1\n  - 2\n- 3\n', [[1, 2], 3]],
    ['absent values', 'a:\nb:\n- \n-\n', { a: null, b: [null, null] }],
    [
      'addresses',
      'a: fd00::1\nb: ::1\nc: 10.0.0.1\nd: 10.0.0.0/8\n',
      { a: 'fd00::1', b: '::1', c: '10.0.0.1', d: '10.0.0.0/8' },
    ],
    ['quotes', `a: "x: # \\"y\\""\nb: 'it''s'\n"c d": 1\n`, { a: 'x: # "y"', b: "it's", 'c d': 1 }],
    ['comments after values', 'a: 1 # one\nb: "x" # y\nc: # z\n  d: e\n', { a: 1, b: 'x', c: { d: 'e' } }],
    [
      'literal blocks',
      'a: |\n  x\n    y\n\n  z\n\nb: |-\n  {"k": 1}\n',
      { a: 'x\n  y\n\nz\n', b: '{"k": 1}' },
    ],
    ['flow on one line', 'a: [1, "x", {b: c, d: []}]\ne: {}\n', { a: [1, 'x', { b: 'c', d: [] }], e: {} }],
    [
      'JSON on one line',
      'a: {"b":[1,-2.5e3,"x\\n",{"c":null}],"d":{}}\n',
      { a: { b: [1, -2500, 'x\n', { c: null }], d: {} } },
    ],
    ['no line feed at the end', 'a: b', { a: 'b' }],
  ]
  for (const [title, text, expected] of simple) {
    it(`reads ${title}`, () => {
      assert.deepEqual(parseSimpleYaml(text), expected)
      assert.deepEqual(complete(text), expected)
    })
  }

  const others: [string, string][] = [
    ['anchors', 'a: &x 1\nb: *x\n'],
    ['tags', 'a: !!str 1\n'],
    ['merge keys', '<<: {a: 1}\n'],
    ['folded blocks', 'a: >\n  x\n  y\n'],
    ['scalars over several lines', 'a: x\n  y\n'],
    ['a key twice', 'a: 1\na: 2\n'],
    ['bad indentation', 'a:\n    b: 1\n  c: 2\n'],
    ['tabs for indentation', 'a:\n\tb: 1\n'],
    ['two colons', 'a: b: c\n'],
    ['an unclosed quote', 'a: "b\n'],
    ['an unclosed bracket', 'a: [1, 2\n'],
    ['document markers', 'a: 1\n---\nb: 2\n'],
    ['__proto__', '__proto__: {a: 1}\n'],
    ['names that objects inherit', 'constructor: 1\n'],
    ['CRLF', 'a: 1\r\nb: 2\r\n'],
    ['absurd nesting', '['.repeat(500) + ']'.repeat(500)],
  ]
  for (const [title, text] of others) {
    it(`leaves to the complete parser: ${title}`, () => assert.equal(parseSimpleYaml(text), NOT_SIMPLE))
  }

  it('passes over the values of keys to skip', () => {
    const text =
      'a: 1\nskip:\n- x: |\n    # no comment\n  y: "a\n    b"\n# c\nb:\n  skip: &x [1,\n    2]\n  c: {skip: 1, d: 2}\n'
    const expected = { a: 1, b: { c: { d: 2 } } }
    assert.deepEqual(parseSimpleYaml(text, 0, text.length, new Set(['skip'])), expected)
  })

  it('reads a part of a text', () => {
    const text = 'x: [\n- a: 1\n  b: 2\n- c: 3\n'
    assert.deepEqual(parseSimpleYaml(text, 5, 19), [{ a: 1, b: 2 }])
  })

  const scalar = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ unit: fc.constantFrom(...'ab1.-+:# \'"\n\\eExo0_'), maxLength: 8 }),
    fc.stringMatching(/^[-+]?(0x|0o)?[0-9.eE]{1,6}$/),
    fc.constantFrom(
      '10.0.0.1',
      'fd00::1',
      '::',
      'yes',
      '2026-11-23T05:53:03Z',
      'None',
      'a b',
      '{"a":"b c"}\n',
    ),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  )
  const key = fc.oneof(
    fc.stringMatching(/^[a-z][a-zA-Z./-]{0,6}$/),
    fc.string({ maxLength: 5 }),
    fc.constantFrom('a', 'b', 'true', '1'),
  )
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      scalar,
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
      fc.array(tie('value'), { maxLength: 4 }),
    ),
  }))
  const style = fc.record({
    indentSeq: fc.boolean(),
    defaultStringType: fc.constantFrom('PLAIN' as const, 'QUOTE_DOUBLE' as const, 'QUOTE_SINGLE' as const),
    lineWidth: fc.constantFrom(0, 80),
    collectionStyle: fc.constantFrom('block' as const, 'flow' as const, 'any' as const),
    singleQuote: fc.boolean(),
  })

  it('agrees with the complete parser on whatever that one writes', () => {
    let read = 0
    fc.assert(
      fc.property(value, style, (it, options) => {
        if (agree(stringify(it, options))) read++
      }),
      { numRuns: 400 },
    )
    assert.ok(read > 100, `${read} of 400 were simple`)
  })

  it('agrees with the complete parser on damaged text', () => {
    const edit = fc.record({
      at: fc.nat(400),
      remove: fc.nat(3),
      insert: fc.string({ unit: fc.constantFrom(...'ab1 \n:-#\'"|>[]{},&*!?\t.~%'), maxLength: 3 }),
    })
    let read = 0
    fc.assert(
      fc.property(value, style, fc.array(edit, { minLength: 1, maxLength: 3 }), (it, options, edits) => {
        let text = stringify(it, options)
        for (const { at, remove, insert } of edits) {
          const place = at % (text.length + 1)
          text = text.slice(0, place) + insert + text.slice(place + remove)
        }
        if (agree(text)) read++
      }),
      { numRuns: 1000 },
    )
    assert.ok(read > 50, `${read} of 1000 were simple`)
  })

  it('agrees with the complete parser on JSON with a bit missing', () => {
    let read = 0
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(60), fc.nat(1), (it, at, remove) => {
        const json = JSON.stringify({ a: it })
        const text = `k: ${json.slice(0, at)}${json.slice(at + remove)}\n`
        if (agree(text)) read++
      }),
      { numRuns: 600 },
    )
    assert.ok(read > 30, `${read} of 600 were simple`)
  })

  it('agrees with the complete parser on short random text', () => {
    const line = fc
      .tuple(
        fc.constantFrom('', ' ', '  ', '    ', '- ', '  - ', '-  '),
        fc.constantFrom('a: b', 'a:', 'b: |', 'c', '1', '# x', '', 'b: "x"', 'd: [a, b]', '-', 'e: {a: 1}'),
      )
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), lines => {
        agree(lines.join('\n'))
        agree(`${lines.join('\n')}\n`)
      }),
      { numRuns: 1500 },
    )
  })
})
