import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errnoError, errnoName } from './errno.ts'

test('errno numbers have the names that people look up', () => {
  assert.equal(errnoName(22), 'EINVAL')
  assert.equal(errnoName(11), 'EAGAIN') // and not EWOULDBLOCK
  assert.equal(errnoName(95), 'EOPNOTSUPP') // and not ENOTSUP
  assert.equal(errnoName(67), 'ENOLINK')
  assert.equal(errnoName(524), 'ENOTSUPP') // the kernel's own
  assert.equal(errnoName(4000), 'errno 4000')
})

test('an error says what failed, keeps the name and gets a code to decide by', () => {
  const error = errnoError(7, 'map svc4: updating', { written: 3 })
  assert.equal(error.message, 'map svc4: updating: E2BIG')
  assert.deepEqual([error.code, error.errno, error.written], ['MAP_FULL', 'E2BIG', 3])
  assert.equal(errnoError(999, 'x').code, 'KERNEL')
})

test('a hint and another code come from who knows more', () => {
  const error = errnoError(22, 'attaching', { code: 'UNSUPPORTED', hint: 'needs kernel 5.7' })
  assert.deepEqual([error.code, error.message], ['UNSUPPORTED', 'attaching: EINVAL (needs kernel 5.7)'])
})
