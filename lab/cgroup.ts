import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError } from '@kpng/api'

/** For what runs on no node. No node's name has an underscore. */
const outside = '_outside'

/**
 * The cgroup2 directory of a lab, below the mount that this process sees: any will do, because all processes of
 * a lab are put there. Throws unsupported where there is none.
 */
export function labCgroup(lab: string): string {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .find(fields => fields[fields.indexOf('-') + 1] === 'cgroup2')
  if (mount?.[4] === undefined)
    throw new KpngError(
      'unsupported',
      'no cgroup2 mount here: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified',
    )
  return join(mount[4], `kpng-${lab}`)
}

export const nodeCgroup = (cgroup: string, node: string): string => join(cgroup, node)
/** Of clients, of hosts without a node, and of the endpoint server: below no agent's root. */
export const outsideCgroup = (cgroup: string): string => join(cgroup, outside)

/** Whether a directory of that name was made by a lab, and not by somebody who likes the same names. */
export const isLabCgroup = (cgroup: string): boolean => existsSync(outsideCgroup(cgroup))

export const makeCgroup = (directory: string): void => void mkdirSync(directory, { recursive: true })

/** Kills whatever runs in the lab's cgroup and removes the tree. */
export async function removeCgroup(cgroup: string, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (existsSync(cgroup)) {
    killAll(cgroup)
    try {
      removeTree(cgroup)
    } catch (reason) {
      // EBUSY while the processes go; see also verified behaviour of 5.10: once more after the last one went.
      if (Date.now() >= deadline)
        throw new KpngError('kernel', `${cgroup} cannot be removed`, { cause: reason })
      await sleep(10)
    }
  }
}

function killAll(cgroup: string): void {
  try {
    writeFileSync(join(cgroup, 'cgroup.kill'), '1')
    return
  } catch {
    // Before kernel 5.14, or it has just gone.
  }
  for (const directory of subtree(cgroup)) {
    for (const pid of readPids(directory)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // gone already
      }
    }
  }
}

function readPids(directory: string): number[] {
  try {
    return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Deepest first. */
function subtree(directory: string): string[] {
  const children = readdirSync(directory, { withFileTypes: true }).filter(entry => entry.isDirectory())
  return [...children.flatMap(entry => subtree(join(directory, entry.name))), directory]
}

const removeTree = (directory: string): void => {
  for (const each of subtree(directory)) rmdirSync(each)
}
