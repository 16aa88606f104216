import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Fd, openFds, traceFds } from './fd.ts'
import { openRead } from './file.ts'
import { interceptSyscalls } from './syscall.ts'

const isOpen = (fd: number): boolean => existsSync(`/proc/self/fd/${fd}`)

test('a descriptor is closed by dispose, once, and not usable afterwards', () => {
  const fd = openRead('/proc/self/status')
  const { number } = fd
  assert.ok(isOpen(number))
  fd[Symbol.dispose]()
  assert.ok(!isOpen(number))
  const calls: string[] = []
  {
    using _ = interceptSyscalls(name => void calls.push(name))
    fd[Symbol.dispose]()
  }
  assert.deepEqual(calls, [])
  assert.throws(() => fd.number, { code: 'CLOSED', message: '/proc/self/status is closed' })
})

test('open descriptors are listed, with the place where they were opened when traced', () => {
  traceFds(true)
  using fd = openRead('/proc/self/status')
  traceFds(false)
  using untraced = openRead('/proc/self/stat')
  const find = (number: number) => openFds().find(one => one.fd === number)
  assert.match(find(fd.number)?.openedAt ?? '', /fd\.test\.ts/)
  assert.equal(find(untraced.number)?.openedAt, undefined)
})

test('a copy is a descriptor of its own that exec closes', () => {
  using fd = openRead('/proc/self/status')
  using copy = Fd.copyOf(fd.number, 'copy')
  assert.notEqual(copy.number, fd.number)
  assert.match(readFileSync(`/proc/self/fdinfo/${copy.number}`, 'utf8'), /flags:\s+0?2\d{6}/) // O_CLOEXEC
})

test('a failed open is an error with path and reason', () => {
  assert.throws(() => openRead('/nowhere'), { code: 'NOT_FOUND', message: 'opening /nowhere: ENOENT' })
})
