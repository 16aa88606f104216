import { constants } from 'node:os'
import { errnoError } from './errno.ts'
import { syscall } from './syscall.ts'

const SIG_BLOCK = 0
const SIG_SETMASK = 2
const SIGSET_BYTES = 8

/**
 * Runs `work` with the profiler's signal held back from the calling thread. The verifier gives up with EAGAIN when a
 * signal comes, and libbpf after five of those: under a profiler, which sends one each millisecond, no larger program
 * would ever load.
 */
export const withoutProfiling = <T>(work: () => T): T => {
  const profiling = new Uint8Array(SIGSET_BYTES)
  new DataView(profiling.buffer).setBigUint64(0, 1n << BigInt(constants.signals.SIGPROF - 1), true)
  const before = new Uint8Array(SIGSET_BYTES)
  const result = syscall('rt_sigprocmask', SIG_BLOCK, profiling, before, SIGSET_BYTES, 0, 0)
  if (result < 0) throw errnoError(-result, 'holding back SIGPROF')
  try {
    return work()
  } finally {
    syscall('rt_sigprocmask', SIG_SETMASK, before, 0, SIGSET_BYTES, 0, 0)
  }
}
