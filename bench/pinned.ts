import { cpus } from 'node:os'

/**
 * Begins a command that runs on one processor. Whether client and server share one makes a third of the time: it is
 * chosen here, not by the scheduler.
 */
export const pinned = (processor: number): string[] => [
  ...['taskset', '-c'],
  `${Math.min(processor, cpus().length - 1)}`,
]
