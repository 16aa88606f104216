import { readdirSync, readFileSync } from 'node:fs'
import type { Trace } from './traces.ts'

/** The kind of a process that somebody waits for. */
export const attended = 'attended'

interface Process {
  readonly pid: number
  readonly parent: number
  readonly session: number
  readonly command: string
  readonly cgroup: string
}

function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name, in parentheses, may hold anything: count from its end.
    const [, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
    const cgroup = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .split('\n')
      .find(line => line.startsWith('0::'))
    return { pid, parent: Number(parent), session: Number(session), command, cgroup: cgroup?.slice(3) ?? '' }
  } catch {
    return undefined // ended meanwhile
  }
}

/**
 * Processes that run code of the checkout `root`, live in one of our cgroups or are a test's etcd or API server. Kind
 * `attended` when somebody waits for it: the first of its ancestors that is not ours lives, is not the init process,
 * and has a session that is not ours either (a shell, another test run). All others will be there until somebody ends
 * them. A test's etcd and API server have sessions of their own, but end with their parent.
 */
export function processTraces(root: string): Trace[] {
  const processes = new Map<number, Process>()
  for (const name of readdirSync('/proc')) {
    const found = /^\d+$/.test(name) ? readProcess(Number(name)) : undefined
    if (found !== undefined) processes.set(found.pid, found)
  }
  const mine = ancestors(processes, process.pid)
  const inOurCgroup = (one: Process): boolean => one.cgroup.includes('/kpng-')
  const isOurs = (one: Process | undefined): boolean =>
    one !== undefined &&
    !mine.has(one.pid) &&
    (inOurCgroup(one) || isOfControlPlane(one) || one.command.includes(`${root}/`))
  const isAttended = (one: Process): boolean => {
    const parent = processes.get(one.parent)
    if (parent === undefined || parent.pid <= 1) return false
    if (isOurs(parent)) return isAttended(parent)
    if (isOfControlPlane(one)) return true
    return processes.has(one.session) && !isOurs(processes.get(one.session))
  }
  return [...processes.values()].filter(isOurs).map(one => ({
    kind: isAttended(one) ? attended : 'process',
    id: String(one.pid),
    text: `${one.pid} ${one.command}${inOurCgroup(one) ? ` (cgroup ${one.cgroup})` : ''}`,
  }))
}

const isOfControlPlane = (one: Process): boolean => one.command.includes('/kpng-control-plane-')

function ancestors(processes: ReadonlyMap<number, Process>, start: number): Set<number> {
  const found = new Set<number>()
  for (let pid = start; pid > 0 && !found.has(pid); pid = processes.get(pid)?.parent ?? 0) found.add(pid)
  return found
}
