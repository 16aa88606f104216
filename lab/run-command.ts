import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { KpngError } from '@kpng/api'

export interface CommandResult {
  /** null when a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a command to its end, input as stdin; `hold` keeps stdin open, so that the command can tell by its end that
 * this process has died. Throws unsupported when there is no such command.
 */
export async function runCommand(
  argv: readonly string[],
  { input = '', hold = false }: { input?: string; hold?: boolean } = {},
): Promise<CommandResult> {
  const [command = '', ...args] = argv
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reason =>
      reject(new KpngError('unsupported', `${command} cannot be run`, { cause: reason })),
    )
  })
  // A command that ends early does not read its input: its exit code says why.
  child.stdin.on('error', () => undefined)
  child.stdin.write(input)
  if (!hold) child.stdin.end()
  const [exitCode, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)])
  return { exitCode, stdout, stderr }
}

/** Like Promise.all over map, with at most `limit` at a time. */
export async function mapLimit<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  const queue = items.entries()
  const drain = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, drain))
  return results
}
