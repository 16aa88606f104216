import { unlimitMemlock } from './sys/rlimit.ts'

let raised: boolean | undefined

/**
 * Removes the limit on locked memory, once: before 5.11 maps and programs count against it. True if that
 * was news and worked, so that what failed is worth another try.
 */
export const raiseMemlock = (): boolean => {
  if (raised !== undefined) return false
  raised = unlimitMemlock() === 0
  return raised
}
