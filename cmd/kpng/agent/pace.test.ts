import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pace } from './pace.ts'
import { busy } from './testing/busy.ts'

test('a burst of requests is one run at once and one run after the pause', async () => {
  let runs = 0
  using pace = new Pace(() => void runs++, { minIntervalMs: 60, delayMs: 0 })
  pace.request()
  await sleep(10)
  assert.equal(runs, 1)
  for (let round = 0; round < 100; round++) pace.request()
  await sleep(10)
  assert.equal(runs, 1)
  await sleep(120)
  assert.equal(runs, 2)
})

test('work that takes long is done more rarely', async () => {
  const runs: number[] = []
  const work = (): void => {
    busy(20)
    runs.push(performance.now())
  }
  using pace = new Pace(work, { minIntervalMs: 1, pause: 10 })
  while (runs.length < 2) {
    pace.request()
    await sleep(5)
  }
  const [first = 0, second = 0] = runs
  assert.ok(second - first >= 200, `20 ms are followed by a pause of 200, not ${second - first}`)
})

test('waiting is no work', async () => {
  let runs = 0
  const work = async (): Promise<void> => {
    await sleep(300)
    runs++
  }
  using pace = new Pace(work, { minIntervalMs: 1, pause: 10 })
  const startMs = performance.now()
  for (; runs < 3; await sleep(5)) pace.request()
  const tookMs = performance.now() - startMs
  assert.ok(tookMs < 6_000, `three runs took ${tookMs} ms`)
})

test('a flush does what was asked for while a run was under way, and never two at once', async () => {
  const seen: string[] = []
  let asked = 'first'
  using pace = new Pace(
    async () => {
      const mine = asked
      seen.push(`begin ${mine}`)
      await sleep(10)
      seen.push(`end ${mine}`)
    },
    { minIntervalMs: 1000 },
  )
  pace.request()
  const one = pace.flush()
  asked = 'second'
  pace.request()
  await Promise.all([one, pace.flush()])
  assert.deepEqual(seen, ['begin first', 'end first', 'begin second', 'end second'])
})

test('what is more urgent goes first: a run keeps its distance from what asks for it', async () => {
  let ranMs = 0
  using pace = new Pace(
    () => {
      ranMs = performance.now()
    },
    { minIntervalMs: 1, delayMs: 50 },
  )
  const askedMs = performance.now()
  for (pace.request(); ranMs === 0; await sleep(5));
  // Timers may come a millisecond early.
  assert.ok(ranMs - askedMs >= 49, `${ranMs - askedMs} ms`)
})
