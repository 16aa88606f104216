import { constants, fstatSync, statSync } from 'node:fs'
import { errnoError } from './errno.ts'
import { Fd } from './fd.ts'
import { cString } from './memory.ts'
import { syscall } from './syscall.ts'

const AT_FDCWD = -100
const O_RDONLY = 0
const O_RDWR = 2
const O_CREAT = 0o100
const O_CLOEXEC = 0o2000000
const LOCK_EX = 2
const LOCK_NB = 4
const EAGAIN = 11
const EINTR = 4

const openFile = (path: string, flags: number, mode: number): Fd => {
  const result = syscall('openat', AT_FDCWD, cString(path), flags | O_CLOEXEC, mode, 0, 0)
  return Fd.from(result, path, `opening ${path}`)
}

/** Opens a file or directory for reading. Throws NOT_FOUND, PERMISSION. */
export const openRead = (path: string): Fd => openFile(path, O_RDONLY, 0)

/** read(2) into a buffer: how many bytes, 0 at the end. Tries again when the kernel asks for it. */
export const readInto = (fd: Fd, buffer: Uint8Array): number => {
  for (;;) {
    const count = syscall('read', fd.number, buffer, buffer.length)
    if (count >= 0) return count
    // An iterator gives EAGAIN when it has worked long enough without a row.
    if (count !== -EAGAIN && count !== -EINTR) throw errnoError(-count, `reading ${fd.what}`)
  }
}

/**
 * flock(2), exclusive, without waiting: held until dispose or the end of the process. undefined when
 * somebody holds it. Makes the file (0600) if there is none; never removes it. Whoever holds it may: a file
 * that is not at its path any more is no lock.
 */
export const lockFile = (path: string): Fd | undefined => {
  for (;;) {
    const fd = lock(path, openFile(path, O_RDWR | O_CREAT, 0o600))
    if (fd === undefined || isAt(fd, path)) return fd
    fd[Symbol.dispose]()
  }
}

/** The same for a directory that is there. Throws NOT_FOUND. */
export const lockDirectory = (path: string): Fd | undefined =>
  lock(path, openFile(path, constants.O_DIRECTORY, 0))

const lock = (path: string, fd: Fd): Fd | undefined => {
  const result = syscall('flock', fd.number, LOCK_EX | LOCK_NB)
  if (result === 0) return fd
  fd[Symbol.dispose]()
  if (result === -EAGAIN) return undefined
  throw errnoError(-result, `locking ${path}`)
}

const isAt = (fd: Fd, path: string): boolean => {
  const [open, found] = [fstatSync(fd.number), statSync(path, { throwIfNoEntry: false })]
  return open.ino === found?.ino && open.dev === found.dev
}
