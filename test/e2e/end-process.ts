import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Whether it runs no more: it has exited, was ended by a signal, or never came to be. */
export const hasEnded = ({ pid, exitCode, signalCode }: ChildProcess): boolean =>
  pid === undefined || exitCode !== null || signalCode !== null

/**
 * Waits until a process has ended; `withinMs` at most where given, else for as long as it takes. Gives the exit
 * code, null where a signal ended it, negative where it never came to be. Rejects with an AbortError after `withinMs`.
 */
export async function untilEnded(child: ChildProcess | undefined, withinMs?: number): Promise<number | null> {
  if (child === undefined) return null
  if (!hasEnded(child))
    await once(child, 'exit', withinMs === undefined ? {} : { signal: AbortSignal.timeout(withinMs) })
  return child.exitCode
}

/** Sends the signal unless it has ended, and waits until it has. Gives what untilEnded() gives. */
export async function endProcess(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<number | null> {
  const ended = untilEnded(child)
  if (child !== undefined && !hasEnded(child)) child.kill(signal)
  return await ended
}
