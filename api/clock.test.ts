import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { backgroundClock, systemClock } from './clock.ts'

for (const [name, clock] of Object.entries({ systemClock, backgroundClock })) {
  describe(name, () => {
    it('calls in a turn of its own where there is nothing to wait for, and does not wait for a timer', async () => {
      const calls: string[] = []
      clock.after(0, () => calls.push('after 0'))
      clock.after(-1, () => calls.push('after -1'))
      assert.deepEqual(calls, [])
      await nextTurn()
      assert.deepEqual(calls, ['after 0', 'after -1'])
    })

    it('calls after the delay, once', async () => {
      const startedMs = clock.nowMs()
      const calls: number[] = []
      clock.after(5, () => calls.push(clock.nowMs()))
      while (calls.length === 0) await sleep(1)
      await sleep(10)
      assert.equal(calls.length, 1)
      // Timers count whole milliseconds.
      assert.ok((calls[0] ?? 0) - startedMs >= 4)
    })

    it('does not call what was called off', async () => {
      const calls: number[] = []
      for (const delayMs of [0, 1]) clock.after(delayMs, () => calls.push(delayMs))[Symbol.dispose]()
      await sleep(5)
      assert.deepEqual(calls, [])
    })
  })
}
