import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockDirectory, lockFile, openRead, readInto } from './file.ts'
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

test('a file that its holder removed is no lock: a new one is made', () => {
  using folder = scratch()
  const path = join(folder.path, 'lock')
  using old = lockFile(path)
  assert.ok(old)
  // The holder removes it between the moments at which another opens it and locks it.
  using hook = interceptSyscalls(name => {
    if (name !== 'flock') return undefined
    hook[Symbol.dispose]()
    rmSync(path)
    old[Symbol.dispose]()
    return undefined
  })
  using next = lockFile(path)
  assert.ok(next)
  assert.equal(lockFile(path), undefined, 'who comes third meets the lock of the second')
})

test('a directory is locked by one', () => {
  using folder = scratch()
  using first = lockDirectory(folder.path)
  assert.ok(first)
  assert.equal(lockDirectory(folder.path), undefined)
  assert.throws(() => lockDirectory(join(folder.path, 'nowhere')), { code: 'NOT_FOUND' })
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
