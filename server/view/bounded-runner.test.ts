import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '@kpng/api'
import { BoundedRunner } from './bounded-runner.ts'

function subject(workMs = 0) {
  const clock = new ManualClock()
  const runs: number[] = []
  const runner = new BoundedRunner(
    () => {
      runs.push(clock.nowMs())
      clock.advance(workMs)
      return 'done'
    },
    100,
    clock,
  )
  return { clock, runs, runner }
}

describe('bounded runner', () => {
  it('[KP-6.1] serves the first request after idle at once, but not inside of it', () => {
    const { clock, runs, runner } = subject()
    runner.request()
    assert.deepEqual(runs, [])
    clock.advance(0)
    assert.deepEqual(runs, [0])
    clock.advance(500)
    runner.request()
    clock.advance(0)
    assert.deepEqual(runs, [0, 500])
  })

  it('[KP-6.1] makes one run of many requests, an interval after the end of the last run', () => {
    const { clock, runs, runner } = subject(30)
    runner.request()
    clock.advance(0)
    for (let i = 0; i < 10; i++) runner.request()
    clock.advance(99)
    assert.deepEqual(runs, [0])
    clock.advance(1)
    assert.deepEqual(runs, [0, 130])
    clock.advance(1000)
    assert.deepEqual(runs, [0, 130], 'nothing was asked for')
  })

  it('runs now when told, which serves what was asked for', () => {
    const { clock, runs, runner } = subject()
    runner.request()
    runner.runNow()
    clock.advance(1000)
    assert.deepEqual(runs, [0])
  })

  it('a request during a run is served by another run', () => {
    const clock = new ManualClock()
    let runs = 0
    const runner: BoundedRunner = new BoundedRunner(
      () => {
        if (runs++ === 0) runner.request()
        return 'done'
      },
      100,
      clock,
    )
    runner.request()
    clock.advance(0)
    assert.equal(runs, 1)
    clock.advance(100)
    assert.equal(runs, 2)
  })

  it('work that is not done goes on in the next turn, others have theirs before', () => {
    const clock = new ManualClock()
    const log: string[] = []
    let left = 3
    const runner = new BoundedRunner(
      () => {
        log.push(`run ${left}`)
        return --left > 0 ? 'more' : 'done'
      },
      100,
      clock,
    )
    runner.request()
    clock.after(0, () => log.push('other'))
    clock.advance(0)
    assert.deepEqual(log, ['run 3', 'other', 'run 2', 'run 1'])
    runner.request()
    clock.advance(99)
    assert.equal(log.length, 4, 'the interval counts from the end of all of it')
    clock.advance(1)
    assert.equal(log.length, 5)
  })

  it('asked to be quick, it does not wait for the interval', () => {
    const { clock, runs, runner } = subject()
    runner.request()
    clock.advance(0)
    runner.request()
    runner.requestNow()
    assert.deepEqual(runs, [0], 'but never in the turn of who asks')
    clock.advance(0)
    assert.deepEqual(runs, [0, 0])
    clock.advance(1000)
    assert.deepEqual(runs, [0, 0])
  })

  it('[KP-6.2] goes on after work that threw', () => {
    const clock = new ManualClock()
    let runs = 0
    const runner = new BoundedRunner(
      () => {
        if (runs++ === 0) throw new Error('first')
        return 'done'
      },
      100,
      clock,
    )
    assert.throws(() => runner.runNow(), /first/)
    runner.request()
    clock.advance(100)
    assert.equal(runs, 2)
  })

  it('disposed, it does nothing more and holds no timer', () => {
    const { clock, runs, runner } = subject()
    runner.request()
    runner[Symbol.dispose]()
    runner.request()
    runner.runNow()
    clock.advance(1000)
    assert.deepEqual([runs, clock.pending], [[], 0])
  })
})
