import { syscall } from './syscall.ts'

const RLIMIT_MEMLOCK = 8

/** Removes this process's limit on locked memory. Gives 0 or -errno. */
export const unlimitMemlock = (): number => {
  const infinite = new Uint8Array(16).fill(0xff) // soft and hard: RLIM_INFINITY
  return syscall('prlimit64', 0, RLIMIT_MEMLOCK, infinite, 0, 0, 0)
}
