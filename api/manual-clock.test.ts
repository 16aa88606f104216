import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from './manual-clock.ts'

test('what falls due runs in order of time, and what is added meanwhile too', () => {
  const clock = new ManualClock()
  const ran: Array<[string, number]> = []
  const note = (name: string) => () => ran.push([name, clock.nowMs()])
  clock.after(20, note('late'))
  clock.after(10, () => {
    note('first')()
    clock.after(5, note('added'))
    clock.after(50, note('after all'))
  })
  clock.after(10, note('second'))
  clock.advance(20)
  assert.deepEqual(ran, [
    ['first', 10],
    ['second', 10],
    ['added', 15],
    ['late', 20],
  ])
  assert.equal(clock.pending, 1)
  clock.advance(39)
  assert.equal(ran.length, 4)
  clock.advance(1)
  assert.deepEqual(ran.at(-1), ['after all', 60])
})

test('what is called off does not run, also by what runs before it', () => {
  const clock = new ManualClock()
  let ran = 0
  const later = clock.after(2, () => ran++)
  clock.after(1, () => later[Symbol.dispose]())
  clock.after(3, () => ran++)[Symbol.dispose]()
  clock.advance(10)
  assert.equal(ran, 0)
  assert.equal(clock.pending, 0)
})

test('both times go on together, also where a call moves them', () => {
  const clock = new ManualClock('2026-11-01T00:00:00Z')
  clock.after(5, () => clock.advance(100))
  clock.advance(10)
  assert.equal(clock.nowMs(), 105)
  assert.equal(new Date(clock.wallMs()).toISOString(), '2026-11-01T00:00:00.105Z')
  assert.equal(clock.runNext(1_000), false)
})
