import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { enterArgv, type LoosePlace } from './place.ts'
import { identify, type ProcessIdentity } from './process-identity.ts'

/**
 * Starts a process that outlives this one, in a session of its own, with its output appended to a file.
 * Throws io where it cannot be started.
 */
export async function startDaemon(
  argv: readonly string[],
  log: string,
  { place, env }: { place: LoosePlace; env?: NodeJS.ProcessEnv },
): Promise<ProcessIdentity> {
  const [command = '', ...args] = enterArgv(place, argv)
  const output = openSync(log, 'a', 0o640)
  try {
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', output, output],
      cwd: '/',
      ...(env !== undefined && { env }),
    })
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    const identity = child.pid === undefined ? undefined : identify(child.pid)
    if (identity === undefined) throw new KpngError('io', `${argv.join(' ')} ended at once`)
    return identity
  } catch (reason) {
    throw KpngError.from(reason, 'io', argv[0])
  } finally {
    closeSync(output)
  }
}

/** The last lines of a log, for a message; '' when there are none. */
export function logTail(log: string, lines = 15): string {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  } catch {
    return ''
  }
}
