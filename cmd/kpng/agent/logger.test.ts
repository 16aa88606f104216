import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateLimit } from './logger.ts'

test('rate limit: a burst passes, the rest of the interval is counted and told afterwards', () => {
  let now = 0
  const limit = new RateLimit({ burst: 2, intervalMs: 1000, nowMs: () => now })
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limit.admit('a')),
    [0, 0, undefined, undefined],
  )
  assert.equal(limit.admit('b'), 0, 'another kind has its own burst')
  now = 1000
  assert.equal(limit.admit('a'), 2)
  assert.equal(limit.admit('a'), 0)
})
