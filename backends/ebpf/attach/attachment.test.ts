import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Attachment } from './attachment.ts'

/** An attachment on mocked timers, and what it has done. */
function observed(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const state = { done: [] as string[], fault: undefined as string | undefined, refuse: false }
  const attachment = new Attachment({
    attach: () => {
      state.done.push('attach')
      if (state.refuse) throw new Error('no memory')
      state.fault = undefined
    },
    fault: () => state.fault,
    onAttached: fault => state.done.push(`attached after ${fault}`),
    onFailed: reason => state.done.push(`failed: ${(reason as Error).message}`),
  })
  return { state, attachment }
}

test('programs are put in place once, and left alone while they are', t => {
  const { state, attachment } = observed(t)
  using _ = attachment
  attachment.begin()
  attachment.begin()
  t.mock.timers.tick(60_000)
  assert.deepEqual(state.done, ['attach', 'attached after undefined'])
  assert.equal(attachment.attached, true)
})

test('what failed is tried again without being asked, and told once', t => {
  const { state, attachment } = observed(t)
  using _ = attachment
  state.refuse = true
  attachment.begin()
  assert.deepEqual([attachment.attached, attachment.failure?.message], [false, 'no memory'])
  t.mock.timers.tick(2_000)
  assert.deepEqual(state.done.slice(0, 3), ['attach', 'failed: no memory', 'attach'])
  assert.equal(state.done.filter(word => word.startsWith('failed')).length, 1)
  state.refuse = false
  attachment.begin()
  assert.equal(state.done.at(-1), 'attached after undefined')
  assert.deepEqual([attachment.attached, attachment.failure], [true, undefined])
})

test('[KP-6.3] programs that are gone from their place are put there again', t => {
  const { state, attachment } = observed(t)
  using _ = attachment
  attachment.begin()
  state.fault = 'connect4 is on a cgroup that was removed'
  t.mock.timers.tick(5_000)
  assert.equal(state.done.at(-1), 'attached after connect4 is on a cgroup that was removed')
  assert.equal(attachment.attached, true)
})

test('after dispose nothing is looked at', t => {
  const { state, attachment } = observed(t)
  attachment.begin()
  attachment[Symbol.dispose]()
  state.fault = 'gone'
  t.mock.timers.tick(60_000)
  attachment.begin()
  assert.deepEqual(state.done, ['attach', 'attached after undefined'])
})
