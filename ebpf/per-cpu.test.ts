import assert from 'node:assert/strict'
import { test } from 'node:test'
import { u32 } from './codec.ts'
import { countCpus, perCpu, possibleCpus } from './per-cpu.ts'

test('CPU lists are counted as the kernel writes them', () => {
  assert.equal(countCpus('0\n'), 1)
  assert.equal(countCpus('0-3\n'), 4)
  assert.equal(countCpus('0-3,8,10-11'), 7)
  assert.ok(possibleCpus() >= 1)
})

test('each CPU has its value at a multiple of 8 bytes', () => {
  const codec = perCpu(u32, 3)
  assert.equal(codec.size, 24)
  const view = new DataView(new ArrayBuffer(24))
  codec.encode([1, 2, 3], view, 0)
  assert.deepEqual(
    [0, 4, 8, 12, 16, 20].map(at => view.getUint32(at, true)),
    [1, 0, 2, 0, 3, 0],
  )
  assert.deepEqual(codec.decode(view, 0), [1, 2, 3])
})

test('another number of values than CPUs is refused', () => {
  assert.throws(() => perCpu(u32, 2).encode([1], new DataView(new ArrayBuffer(16)), 0), { code: 'INVALID' })
})
