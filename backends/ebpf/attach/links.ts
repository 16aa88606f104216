import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { cgroupId, EbpfError, type Link, lockDirectory, openPinnedLink } from '@kpng/ebpf'
import { allHooks } from './hooks.ts'
import { linkPath, pinnedInstances } from './pin-paths.ts'

/** undefined where nothing is pinned. */
export function openLink(instance: string, hook: string): Link | undefined {
  try {
    return openPinnedLink(join(linkPath(instance), hook))
  } catch (reason) {
    if (reason instanceof EbpfError && reason.code === 'NOT_FOUND') return undefined
    throw reason
  }
}

/** Id of the program that an instance has at a hook; undefined where it has none. */
export function attachedProgram(instance: string, hook: string): number | undefined {
  using link = openLink(instance, hook)
  return link?.info().programId
}

/** Where an instance's hook is attached; undefined where it is not, or where that cgroup is gone. */
function attachedCgroup(instance: string, hook: string): bigint | undefined {
  using link = openLink(instance, hook)
  const info = link?.info()
  return info?.kind === 'cgroup' && info.cgroupId !== 0n ? info.cgroupId : undefined
}

/**
 * Two instances on one cgroup would translate each other's connections in an order that nobody chose. Gives the lock
 * of the cgroup, which its agent holds: until the first sync is written nothing else tells that it is there. Throws
 * conflict where another one is.
 */
export function lockCgroup(instance: string, cgroup: string): Disposable {
  const lock = lockDirectory(cgroup)
  try {
    const wanted = cgroupId(cgroup)
    const other = pinnedInstances().find(
      name => name !== instance && allHooks.some(hook => attachedCgroup(name, hook.name) === wanted),
    )
    if (other === undefined && lock !== undefined) return lock
    const owner = other === undefined ? 'another agent, which is starting' : `instance ${other}`
    const advice = other === undefined ? 'stop it' : `stop its agent and run kpng cleanup --instance ${other}`
    throw new KpngError(
      'conflict',
      `cgroup ${cgroup} is served by ${owner}: ${advice}, or choose another --cgroup-root`,
    )
  } catch (reason) {
    lock?.[Symbol.dispose]()
    throw reason
  }
}
