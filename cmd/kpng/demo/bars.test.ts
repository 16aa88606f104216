import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bars, outcome } from './bars.ts'

test('bars are in proportion, sorted by address as people count', () => {
  assert.deepEqual(bars({ '10.0.0.10:80': 4, '10.0.0.9:80': 2, '10.0.0.11:80': 0 }, '#', 4), [
    '10.0.0.9:80   ##    2',
    '10.0.0.10:80  ####  4',
    '10.0.0.11:80        0',
  ])
})

test('what happened once among many can be seen', () => {
  assert.match(bars({ a: 1, b: 1000 }, '#', 10)[0] ?? '', /^a {2}# /)
})

test('an outcome names only what happened', () => {
  const none = { answered: {}, refused: 0, unreachable: 0, timedOut: 0, errors: {} }
  assert.equal(
    outcome({ ...none, answered: { a: 2, b: 1 }, timedOut: 1 }),
    '3 answered by 2 backends, 1 timed out',
  )
  assert.equal(outcome({ ...none, refused: 5, errors: { EPERM: 1 } }), '5 refused, 1 EPERM')
  assert.equal(outcome(none), 'nothing sent')
})
