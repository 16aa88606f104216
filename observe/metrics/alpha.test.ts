import assert from 'node:assert/strict'
import { test } from 'node:test'
import { programmingBuckets, syncBuckets } from './alpha.ts'

test('[KP-9.1] syncs are told apart from 1 ms to 16 s, by doubling', () => {
  assert.deepEqual(syncBuckets.slice(0, 4), [0.001, 0.002, 0.004, 0.008])
  assert.deepEqual([syncBuckets.length, syncBuckets.at(-1)], [15, 16.384])
})

test('[KP-9.4] network programming is told apart up to 5 minutes, with the buckets of its objective', () => {
  assert.deepEqual(programmingBuckets.slice(0, 5), [0, 0.25, 0.5, 1, 2])
  for (const at of [59, 60, 65, 115, 120, 150, 300]) assert.ok(programmingBuckets.includes(at), `${at}`)
  assert.deepEqual(
    programmingBuckets,
    programmingBuckets.toSorted((a, b) => a - b),
  )
  assert.deepEqual([programmingBuckets.length, new Set(programmingBuckets).size], [81, 81])
})
