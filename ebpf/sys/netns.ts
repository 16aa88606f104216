import { fstatSync } from 'node:fs'
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'
import { EbpfError } from '../error.ts'
import { errnoError, errnoName } from './errno.ts'
import type { Fd } from './fd.ts'
import { openRead } from './file.ts'
import { syscall } from './syscall.ts'

const CLONE_NEWNET = 0x4000_0000

/** What a thread exits with that could not go back to its own network namespace. */
export const LOST_EXIT_CODE = 70

/** The network namespace that the calling thread is in. */
export const openOwnNetns = (): Fd => openRead('/proc/thread-self/ns/net')

/** Inode number of an open namespace, and of the file system that it is on: the same for all namespaces. */
export const netnsIdentity = (fd: Fd): { readonly inode: number; readonly device: number } => {
  const { ino, dev } = fstatSync(fd.number)
  return { inode: ino, device: dev }
}

/**
 * Runs `work` with the calling thread inside a network namespace, and takes it back to `own`. Only in a worker
 * thread: threads that the main thread happens to start meanwhile would stay inside for ever. `work` must be
 * synchronous and use system calls of this package only, not libuv's pool, for the same reason. If the way back
 * fails the thread ends, for nothing that it did from then on could be trusted.
 */
export const withinNetns = <T>(own: Fd, target: Fd, work: () => T): T => {
  if (isMainThread) throw new EbpfError('INVALID', 'the main thread never changes its network namespace')
  const result = syscall('setns', target.number, CLONE_NEWNET)
  if (result < 0) throw errnoError(-result, `entering ${target.what}`)
  try {
    return work()
  } finally {
    const back = syscall('setns', own.number, CLONE_NEWNET)
    if (back < 0) {
      process.stderr.write(`kpng: cannot leave ${target.what}: ${errnoName(-back)}; this thread ends\n`)
      process.exit(LOST_EXIT_CODE)
    }
  }
}
