import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { attachCgroup, cgroupId, EbpfError, type Link, openPinnedLink, type Program, unpin } from '@kpng/ebpf'
import { bindHooks, type Hook, hooks } from './hooks.ts'
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
 * Two instances on one cgroup would translate each other's connections in an order that nobody chose. Throws
 * where another one is there.
 */
export function refuseSharedCgroup(instance: string, cgroup: string): void {
  const wanted = cgroupId(cgroup)
  const other = pinnedInstances().find(
    name => name !== instance && attachedCgroup(name, 'connect4') === wanted,
  )
  if (other === undefined) return
  throw new KpngError(
    'conflict',
    `cgroup ${cgroup} is served by instance ${other}: stop its agent and run kpng cleanup --instance ${other}, or choose another --cgroup-root`,
  )
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
  mkdirSync(linkPath(options.instance), { recursive: true, mode: 0o700 })
  for (const hook of options.protectNodePorts ? [...hooks, ...bindHooks] : hooks) attachHook(options, hook)
  // The last reference to a link is its pin: without it the program is detached.
  if (!options.protectNodePorts)
    for (const hook of bindHooks) unpin(join(linkPath(options.instance), hook.name))
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
