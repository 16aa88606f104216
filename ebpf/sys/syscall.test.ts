import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interceptSyscalls, syscall, syscallAsync } from './syscall.ts'

const EBADF = 9

test('a failed call gives -errno', () => {
  assert.equal(syscall('close', -1), -EBADF)
})

test('a call on another thread does not hold up this one', async () => {
  assert.equal((await syscallAsync('membarrier', 0)) > 0, true)
  assert.equal(await syscallAsync('close', -1), -1)
})

test('a test sees every call and may answer instead of the kernel', async () => {
  const seen: unknown[] = []
  {
    using _ = interceptSyscalls((name, args) => {
      seen.push([name, args[0]])
      return name === 'flock' ? -4 : undefined
    })
    assert.equal(syscall('flock', 77), -4)
    assert.equal(syscall('close', -1), -EBADF)
    assert.equal(await syscallAsync('flock', 78), -4)
    assert.throws(() => interceptSyscalls(() => 0), { code: 'BUSY' })
  }
  assert.equal(syscall('flock', -1, 2), -EBADF)
  assert.deepEqual(seen, [
    ['flock', 77],
    ['close', -1],
    ['flock', 78],
  ])
})
