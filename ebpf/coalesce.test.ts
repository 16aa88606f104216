import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coalesce } from './coalesce.ts'

/** Runs that end when told; `log` says which callers were served by how many runs. */
const fixture = () => {
  const ends: PromiseWithResolvers<void>[] = []
  const call = coalesce(() => {
    const end = Promise.withResolvers<void>()
    ends.push(end)
    return end.promise
  })
  const settle = () => new Promise(resolve => setImmediate(resolve))
  return { ends, call, settle }
}

test('a caller never shares a run that began before its call', async () => {
  const { ends, call, settle } = fixture()
  const served: string[] = []
  void call().then(() => served.push('first'))
  void call().then(() => served.push('second'))
  void call().then(() => served.push('third'))
  assert.equal(ends.length, 1)
  ends[0]?.resolve()
  await settle()
  assert.deepEqual(served, ['first'])
  assert.equal(ends.length, 2) // one run for both who waited
  ends[1]?.resolve()
  await settle()
  assert.deepEqual(served, ['first', 'second', 'third'])
  void call()
  assert.equal(ends.length, 3)
})

test('calls during the second run share a third', async () => {
  const { ends, call, settle } = fixture()
  void call()
  const second = call()
  ends[0]?.resolve()
  await settle()
  const third = call()
  assert.notEqual(second, third)
  ends[1]?.resolve()
  await settle()
  assert.equal(ends.length, 3)
  ends[2]?.resolve()
  await third
})

test('a failed run is heard of by its callers alone', async () => {
  const { ends, call, settle } = fixture()
  const first = call()
  const second = call()
  ends[0]?.reject(new Error('no'))
  await assert.rejects(first, /no/)
  await settle()
  ends[1]?.resolve()
  await second
})
