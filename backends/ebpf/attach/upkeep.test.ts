import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Upkeep } from './upkeep.ts'

/** An upkeep on mocked timers, and what it has done. */
function observed(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const state = { done: [] as string[], fault: undefined as string | undefined, refuse: false }
  const upkeep = new Upkeep({
    put: () => {
      state.done.push('put')
      if (state.refuse) throw new Error('no memory')
      state.fault = undefined
    },
    fault: () => state.fault,
    onPut: fault => state.done.push(`in place after ${fault}`),
    onFailed: reason => state.done.push(`failed: ${(reason as Error).message}`),
  })
  return { state, upkeep }
}

test('programs are put in place once, and left alone while they are', t => {
  const { state, upkeep } = observed(t)
  using _ = upkeep
  upkeep.begin()
  upkeep.begin()
  t.mock.timers.tick(60_000)
  assert.deepEqual(state.done, ['put', 'in place after undefined'])
  assert.equal(upkeep.state.inPlace, true)
})

test('what failed is tried again without being asked, and told once', t => {
  const { state, upkeep } = observed(t)
  using _ = upkeep
  state.refuse = true
  upkeep.begin()
  assert.deepEqual([upkeep.state.inPlace, upkeep.failure?.message], [false, 'no memory'])
  t.mock.timers.tick(2_000)
  assert.deepEqual(state.done.slice(0, 3), ['put', 'failed: no memory', 'put'])
  assert.equal(state.done.filter(word => word.startsWith('failed')).length, 1)
  state.refuse = false
  upkeep.begin()
  assert.equal(state.done.at(-1), 'in place after undefined')
  assert.deepEqual([upkeep.state.inPlace, upkeep.failure], [true, undefined])
})

test('[KP-6.3] what is gone from its place is put there again within two seconds, and counted', t => {
  const { state, upkeep } = observed(t)
  using _ = upkeep
  upkeep.begin()
  state.fault = 'connect4 is on a cgroup that was removed'
  t.mock.timers.tick(2_000)
  assert.equal(state.done.at(-1), 'in place after connect4 is on a cgroup that was removed')
  assert.deepEqual(upkeep.state, { inPlace: true, repairs: 1 })
})

test('what could not be put in place again, and then could, is told as what was wrong', t => {
  const { state, upkeep } = observed(t)
  using _ = upkeep
  upkeep.begin()
  state.refuse = true
  state.fault = 'the pin is gone'
  t.mock.timers.tick(60_000)
  assert.deepEqual(upkeep.state, { inPlace: false, repairs: 0 })
  state.refuse = false
  // Somebody else has put it back.
  state.fault = undefined
  t.mock.timers.tick(2_000)
  assert.equal(state.done.at(-1), 'in place after no memory')
  assert.deepEqual([upkeep.state, upkeep.failure], [{ inPlace: true, repairs: 1 }, undefined])
})

test('what is renewed is put in place again without a fault', t => {
  const { state, upkeep } = observed(t)
  using _ = upkeep
  upkeep.renew()
  upkeep.renew()
  assert.deepEqual(state.done, ['put', 'in place after undefined', 'put', 'in place after undefined'])
  assert.deepEqual(upkeep.state, { inPlace: true, repairs: 0 })
})

test('after dispose nothing is looked at', t => {
  const { state, upkeep } = observed(t)
  upkeep.begin()
  upkeep[Symbol.dispose]()
  state.fault = 'gone'
  t.mock.timers.tick(60_000)
  upkeep.begin()
  upkeep.renew()
  assert.deepEqual(state.done, ['put', 'in place after undefined'])
})
