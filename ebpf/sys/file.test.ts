import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockFile, openRead, readInto } from './file.ts'
import { interceptSyscalls } from './syscall.ts'

const scratch = (): Disposable & { path: string } => {
  const path = mkdtempSync(join(tmpdir(), 'kpng-file-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

test('a lock is held by one, and free again after dispose', () => {
  using folder = scratch()
  const path = join(folder.path, 'lock')
  {
    using first = lockFile(path)
    assert.ok(first)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(lockFile(path), undefined)
  }
  using again = lockFile(path)
  assert.ok(again)
})

test('a lock in a directory that is not there is an error, not a held lock', () => {
  assert.throws(() => lockFile('/nowhere/lock'), { code: 'NOT_FOUND' })
})

test('reading goes on after EAGAIN and EINTR and ends at the end', () => {
  using folder = scratch()
  const path = join(folder.path, 'text')
  writeFileSync(path, 'abc')
  using fd = openRead(path)
  const faults = [-11, -4]
  using _ = interceptSyscalls(name => (name === 'read' ? faults.shift() : undefined))
  const buffer = new Uint8Array(8)
  assert.equal(readInto(fd, buffer), 3)
  assert.equal(new TextDecoder().decode(buffer.subarray(0, 3)), 'abc')
  assert.equal(readInto(fd, buffer), 0)
  assert.deepEqual(faults, [])
})
