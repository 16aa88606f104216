import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that a later one with the same pid is not taken for. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks after boot: field 22 of /proc/PID/stat. */
  readonly startTime: string
}

interface ProcessStat {
  readonly state: string
  readonly startTime: string
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name, in parentheses, may itself hold blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

/** undefined when there is no such process. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid)
  return stat === undefined ? undefined : { pid, startTime: stat.startTime }
}

/** A zombie is not alive, unless threads of it are still on their way out: they hold its sockets and files. */
export function isAlive(process: ProcessIdentity): boolean {
  const stat = readStat(process.pid)
  if (stat === undefined || stat.startTime !== process.startTime) return false
  return (stat.state !== 'Z' && stat.state !== 'X') || countThreads(process.pid) > 1
}

function countThreads(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length
  } catch {
    return 0
  }
}

/** false when it was gone already. */
function signal(target: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false
  try {
    return process.kill(target.pid, name)
  } catch {
    return false
  }
}

/** true once none of them lives. */
async function waitForEnd(targets: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (targets.some(isAlive)) {
    if (Date.now() >= deadline) return false
    await sleep(10)
  }
  return true
}

/** Gently at first; on return none of them runs, unless the kernel holds one. */
export async function endProcesses(targets: readonly ProcessIdentity[]): Promise<void> {
  for (const each of targets) signal(each, 'SIGTERM')
  if (!(await waitForEnd(targets, 3_000))) await killProcesses(targets)
}

/** At once; on return none of them runs, unless the kernel holds one. */
export async function killProcesses(targets: readonly ProcessIdentity[]): Promise<void> {
  for (const each of targets) signal(each, 'SIGKILL')
  await waitForEnd(targets, 3_000)
}
