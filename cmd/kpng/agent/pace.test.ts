import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pace } from './pace.ts'

test('a burst of requests is one run at once and one run after the pause', async () => {
  let runs = 0
  using pace = new Pace(() => void runs++, { minIntervalMs: 60 })
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
  let runs = 0
  const busy = (): void => {
    runs++
    const end = performance.now() + 20
    while (performance.now() < end);
  }
  using pace = new Pace(busy, { minIntervalMs: 1, pause: 20 })
  for (let round = 0; round < 30; round++) {
    pace.request()
    await sleep(5)
  }
  assert.equal(runs, 1, 'a run of 20 ms is followed by a pause of 400')
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
