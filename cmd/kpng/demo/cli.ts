import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { KpngError } from '@kpng/api'

const kpngPath = join(import.meta.dirname, '../../../bin/kpng')

export interface CommandResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts bin/kpng; the caller owns the process. */
export function start(args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(kpngPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs bin/kpng to its end; `timeoutMs` ends it. */
export async function run(args: readonly string[], timeoutMs = 120_000): Promise<CommandResult> {
  const child = start(args)
  const timer = setTimeout(() => child.kill(), timeoutMs)
  try {
    const ended = new Promise<number | null>((resolve, reject) =>
      child.on('close', resolve).on('error', reject),
    )
    const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    return { exitCode, stdout, stderr }
  } finally {
    clearTimeout(timer)
  }
}

/** Runs bin/kpng; throws, with all that it said, unless it exits with 0. */
export async function runOk(args: readonly string[], timeoutMs?: number): Promise<string> {
  const { exitCode, stdout, stderr } = await run(args, timeoutMs)
  if (exitCode === 0) return stdout
  throw new KpngError('internal', `kpng ${args.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`)
}
