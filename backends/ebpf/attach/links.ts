import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import {
  attachCgroup,
  cgroupId,
  EbpfError,
  type Link,
  lockDirectory,
  openPinnedLink,
  type Program,
  unpin,
} from '@kpng/ebpf'
import { allHooks, type Hook, wantedHooks } from './hooks.ts'
import { linkPath, pinnedInstances } from './pin-paths.ts'

/** undefined where nothing is pinned. */
function openLink(instance: string, hook: string): Link | undefined {
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

export interface AttachOptions {
  readonly instance: string
  readonly cgroup: string
  readonly program: (name: string) => Program
  readonly protectNodePorts: boolean
}

/**
 * Puts the programs in place, readers first. A hook that is attached is updated at once: each connection meets the
 * old program or the new one, none meets neither.
 */
export function attachHooks(options: AttachOptions): void {
  const directory = linkPath(options.instance)
  const wanted = wantedHooks(options)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const hook of wanted) attachHook(options, hook)
  // The last reference to a link is its pin: without it the program is detached. Not wanted are hooks of another
  // setting, and what an agent left that died between pinning a link and putting it in its place.
  const names = new Set(wanted.map(hook => hook.name))
  for (const name of readdirSync(directory)) if (!names.has(name)) unpin(join(directory, name))
}

/** The first hook that is not attached as `attachHooks` would have it, as a sentence. Throws NOT_FOUND. */
export function attachFault(options: AttachOptions): string | undefined {
  const wanted = cgroupId(options.cgroup)
  for (const { name } of wantedHooks(options)) {
    using link = openLink(options.instance, name)
    if (link === undefined) return `the link of ${name} is not pinned any more`
    const info = link.info()
    if (info.kind !== 'cgroup' || info.cgroupId !== wanted)
      return `${name} is attached to a cgroup that is not ${options.cgroup} any more`
    if (info.programId !== options.program(name).id) return `${name} is not our program any more`
  }
  return undefined
}

function attachHook({ instance, cgroup, program }: AttachOptions, hook: Hook): void {
  using link = openLink(instance, hook.name)
  const info = link?.info()
  if (link !== undefined && info?.kind === 'cgroup' && info.cgroupId === cgroupId(cgroup)) {
    link.update(program(hook.name))
    return
  }
  // None yet, or on another cgroup: the pin moves to the new link, and with it the old link goes.
  using fresh = attachCgroup({ program: program(hook.name), cgroup, attachType: hook.attachType })
  const path = join(linkPath(instance), hook.name)
  const scratch = join(linkPath(instance), `new_${hook.name}`)
  unpin(scratch)
  fresh.pin(scratch)
  renameSync(scratch, path)
}
