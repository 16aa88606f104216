import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from './duration.ts'

for (const [text, ms] of [
  ['0', 0],
  ['-0', 0],
  ['1s', 1_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['2h22m', 8_520_000],
  ['-1m', -60_000],
  ['+20ms', 20],
  ['1µs', 0.001],
  ['100ns', 0.0001],
] as const) {
  test(`duration: ${text} is ${ms} ms`, () => assert.ok(Math.abs((parseDuration(text) ?? NaN) - ms) < 1e-9))
}

for (const text of ['', '1', '30', 's', '1 s', '1d', '--1s', '1s-', '.s', '1..5s', '9999999999h']) {
  test(`duration: "${text}" is none`, () => assert.equal(parseDuration(text), undefined))
}

for (const [ms, text] of [
  [0, '0s'],
  [86_400_000, '24h0m0s'],
  [30_000, '30s'],
  [900_000, '15m0s'],
  [1_500, '1.5s'],
  [20, '20ms'],
  [1.5, '1.5ms'],
  [0.002, '2µs'],
  [-60_000, '-1m0s'],
] as const) {
  test(`duration: ${ms} ms is printed ${text}`, () => assert.equal(formatDuration(ms), text))
}

test('duration: what is printed is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), ms => {
      assert.ok(Math.abs((parseDuration(formatDuration(ms)) ?? NaN) - ms) < 1e-6)
    }),
  )
})
