import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EbpfError } from '../error.ts'
import { socketAddress } from './socket.ts'

test('addresses are written as the kernel reads them', () => {
  assert.deepEqual([...socketAddress('10.0.0.1', 443)], [2, 0, 1, 187, 10, 0, 0, 1, ...new Array(8).fill(0)])
  const v6 = socketAddress('fd00::1', 443)
  assert.equal(v6.length, 28)
  assert.deepEqual([...v6.subarray(0, 10)], [10, 0, 1, 187, 0, 0, 0, 0, 0xfd, 0])
  assert.equal(v6[23], 1)
})

test('what is no address or no port is refused', () => {
  for (const [address, port] of [
    ['localhost', 80],
    ['10.0.0', 80],
    ['fe80::1%lo', 80],
    ['10.0.0.1', -1],
    ['10.0.0.1', 65536],
    ['10.0.0.1', 1.5],
  ] as const) {
    assert.throws(
      () => socketAddress(address, port),
      error => error instanceof EbpfError && error.code === 'INVALID',
      `${address} ${port}`,
    )
  }
})
