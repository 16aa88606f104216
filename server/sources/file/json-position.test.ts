import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { jsonErrorOffset, locateJson } from './json-position.ts'

describe('places in JSON', () => {
  const text = ' {"a": [1, {"b\\"": "x,]}", "c" : [ ]}, [[2]]], "d": {"e": null}, "a2": -1.5e3}'
  const cases: [(string | number)[], string][] = [
    [[], '{"a"'],
    [['a'], '[1, {'],
    [['a', 0], '1, {'],
    [['a', 1, 'b"'], '"x,]}"'],
    [['a', 1, 'c'], '[ ]}'],
    [['a', 2, 0, 0], '2]]'],
    [['d', 'e'], 'null}'],
    [['a2'], '-1.5e3'],
    [['d', 'missing'], '{"e"'],
    [['a', 9, 'x'], '[1, {'],
  ]
  for (const [path, expected] of cases) {
    it(`[${path}] is at ${expected}`, () =>
      assert.ok(text.slice(locateJson(text, 0, path)).startsWith(expected)))
  }

  it('the last of several members with one name counts, as with JSON.parse', () => {
    assert.equal(locateJson('{"a":1,"a":2}', 0, ['a']), 11)
  })

  it('finds each value of any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1), (value, indent) => {
        const whole = JSON.stringify(value, null, indent)
        const visit = (inner: unknown, path: (string | number)[]) => {
          const at = whole.slice(locateJson(whole, 0, path))
          if (typeof inner !== 'object' || inner === null) {
            assert.ok(at.startsWith(JSON.stringify(inner)), `${whole} ${path}`)
          } else {
            for (const [key, next] of Object.entries(inner))
              visit(next, [...path, Array.isArray(inner) ? Number(key) : key])
          }
        }
        visit(value, [])
      }),
    )
  })

  const broken: [string, number][] = [
    ['{"a": x}', 6],
    ['{"a": 1', 7],
    ['{"a": 1}}', 8],
    ['[1 2]', 3],
    ['[1,]', 3],
    ['{"a" 1}', 5],
    ['{1: 2}', 1],
    ['{"a": 1]', 7],
    ['["a\nb"]', 1],
    ['', 0],
    ['  ', 2],
    ['[01]', 2],
  ]
  for (const [text, offset] of broken) {
    it(`${JSON.stringify(text)} is wrong at ${offset}`, () => {
      assert.throws(() => JSON.parse(text))
      assert.equal(jsonErrorOffset(text), offset)
    })
  }

  it('what JSON.parse takes is wrong only at its end', () => {
    fc.assert(fc.property(fc.json(), json => assert.equal(jsonErrorOffset(json), json.length)))
  })
})
