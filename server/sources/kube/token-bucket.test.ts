import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '@kpng/api'
import { TokenBucket } from './token-bucket.ts'

test('a burst at once, then so many a second, and a burst again after a pause', async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket({ qps: 5, burst: 3 }, clock)
  const { signal } = new AbortController()
  let taken = 0
  const take = (n: number): void => {
    for (let i = 0; i < n; i++)
      void bucket.take(signal).then(() => {
        taken++
      })
  }
  const after = async (ms: number): Promise<number> => {
    clock.advance(ms)
    await turn()
    return taken
  }
  take(6)
  assert.equal(await after(0), 3)
  assert.equal(await after(199), 3)
  assert.equal(await after(1), 4)
  assert.equal(await after(400), 6)
  await after(10_000)
  take(5)
  assert.equal(await after(0), 9, 'no more than a burst was saved')
  assert.equal(await after(400), 11)
  assert.equal(clock.pending, 0)
})

test('who gives up does not wait, and nobody waits for it', async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket({ qps: 1, burst: 1 }, clock)
  const abort = new AbortController()
  await bucket.take(abort.signal)
  const waiting = [bucket.take(abort.signal), bucket.take(abort.signal)]
  abort.abort(new Error('enough'))
  for (const one of waiting) await assert.rejects(one, /enough/)
  await assert.rejects(bucket.take(abort.signal), /enough/)
  assert.equal(clock.pending, 0)
  const next = bucket.take(new AbortController().signal)
  clock.advance(1000)
  await next
})
