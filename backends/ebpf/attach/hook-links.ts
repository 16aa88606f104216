import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { attachCgroup, cgroupId, type Link, type Program, queryCgroup, unpin } from '@kpng/ebpf'
import { type Hook, wantedHooks } from './hooks.ts'
import { openLink } from './links.ts'
import type { MapLayouts } from './map-set.ts'
import { linkPath, namesIn } from './pin-paths.ts'
import { findProgram } from './program-owner.ts'

export interface HookLinksOptions {
  readonly instance: string
  readonly cgroup: string
  readonly program: (name: string) => Program
  readonly protectNodePorts: boolean
  /** Tells the programs of former agents from those of others. */
  readonly layouts: Pick<MapLayouts, 'versionsOf'>
}

/**
 * The links of an instance's hooks. An agent holds them open, so that a program stays attached when its pin is taken
 * away or the file system of the pins is unmounted; a pin keeps it when the agent goes.
 */
export class HookLinks implements Disposable {
  readonly #options: HookLinksOptions
  readonly #held = new Map<string, Link>()
  /** Where they were attached last. */
  #cgroup: bigint | undefined

  constructor(options: HookLinksOptions) {
    this.#options = options
  }

  /** Holds what a former agent has pinned: until `attach` its programs serve, whatever becomes of the pins. */
  hold(): void {
    for (const { name } of wantedHooks(this.#options)) this.#link(name)
  }

  /**
   * Puts the programs in place, readers first. A hook that is attached is updated at once: each connection meets the
   * old program or the new one, none meets neither. Throws conflict where a link carries a program that is not this
   * instance's: that one is left alone, and all others are in place.
   */
  attach(): void {
    const { instance, cgroup } = this.#options
    const wanted = cgroupId(cgroup)
    const left = wantedHooks(this.#options).filter(hook => !this.#attachHook(hook, wanted))
    this.#cgroup = wanted
    this.#unpinOthers()
    const [first] = left.flatMap(({ name }) => this.#faultOf(name, wanted) ?? [])
    if (first === undefined) return
    const others = left.length > 1 ? `, and so for ${left.length - 1} more hooks` : ''
    const path = join(linkPath(instance), left[0]?.name ?? '')
    throw new KpngError(
      'conflict',
      `${first}${others}: it was not put there by kpng and is left alone, nothing is translated there; bpftool link detach pinned ${path} gives the hook back`,
    )
  }

  /** False where somebody else's program is there. */
  #attachHook({ name, attachType }: Hook, wanted: bigint): boolean {
    const { cgroup, program } = this.#options
    const link = this.#link(name)
    if (link !== undefined && attachedTo(link) === wanted) return this.#replace(link, program(name))
    // None yet, detached, or on another cgroup: that one goes when its pin is replaced.
    this.#held.set(name, attachCgroup({ program: program(name), cgroup, attachType }))
    link?.[Symbol.dispose]()
    return true
  }

  #replace(link: Link, by: Program): boolean {
    using resources = new DisposableStack()
    const id = link.info().programId
    if (id === by.id) return true
    const found = findProgram(id, this.#options.instance, this.#options.layouts, resources)
    // Somebody is at it: the link has another program now.
    if (found === undefined) return this.#replace(link, by)
    if (!found.isOurs) return false
    // Not over what somebody puts there meanwhile: the next look sees what that is.
    link.update(by, { expected: found.program })
    return true
  }

  /** The one that is held, or that a former agent has pinned. */
  #link(name: string): Link | undefined {
    const held = this.#held.get(name)
    if (held !== undefined) return held
    const pinned = openLink(this.#options.instance, name)
    if (pinned !== undefined) this.#held.set(name, pinned)
    return pinned
  }

  /**
   * The last reference to a link is its pin: without it the program is detached. Not wanted are hooks of another
   * setting, and what an agent left that died between pinning a link and putting it in its place.
   */
  #unpinOthers(): void {
    const directory = linkPath(this.#options.instance)
    const names = new Set(wantedHooks(this.#options).map(hook => hook.name))
    for (const name of namesIn(directory)) if (!names.has(name)) unpin(join(directory, name))
  }

  /** What is not attached as `attach` would have it, as a sentence on the first hook. Throws NOT_FOUND. */
  fault(): string | undefined {
    const wanted = cgroupId(this.#options.cgroup)
    const faults = wantedHooks(this.#options).flatMap(({ name }) => this.#faultOf(name, wanted) ?? [])
    const [first] = faults
    return faults.length > 1 ? `${first}, and so for ${faults.length - 1} more hooks` : first
  }

  #faultOf(name: string, wanted: bigint): string | undefined {
    const { instance, cgroup, program, layouts } = this.#options
    const info = this.#held.get(name)?.info()
    if (info?.kind !== 'cgroup') return `${name} has no link`
    if (info.cgroupId !== wanted)
      return info.cgroupId === 0n && this.#cgroup === wanted
        ? `the link of ${name} was detached from ${cgroup}`
        : `${name} is attached to a cgroup that is not ${cgroup} any more`
    if (info.programId === program(name).id) return undefined
    using resources = new DisposableStack()
    const found = findProgram(info.programId, instance, layouts, resources)
    return `the link of ${name} carries ${found?.text ?? `program ${info.programId}`}, not ours`
  }

  /**
   * Programs of others at the same hooks of the cgroup, in the order in which they run: `connect4: program 42 (name)
   * runs before ours`. They are nobody's business but their owner's. Throws NOT_FOUND.
   */
  neighbours(): string[] {
    const { instance, cgroup, program, layouts } = this.#options
    return wantedHooks(this.#options).flatMap(({ name, attachType }) => {
      const { programIds } = queryCgroup(cgroup, attachType)
      const ours = programIds.indexOf(program(name).id)
      if (ours === -1) return []
      return programIds.flatMap((id, place) => {
        if (place === ours) return []
        using resources = new DisposableStack()
        const found = findProgram(id, instance, layouts, resources)
        return found === undefined
          ? []
          : [`${name}: ${found.text} runs ${place < ours ? 'before' : 'after'} ours`]
      })
    })
  }

  /** Where each link is to be pinned. */
  *pins(): Generator<readonly [path: string, link: Link]> {
    for (const [name, link] of this.#held) yield [join(linkPath(this.#options.instance), name), link]
  }

  /** Closes descriptors; what is pinned stays attached. */
  [Symbol.dispose](): void {
    for (const link of this.#held.values()) link[Symbol.dispose]()
    this.#held.clear()
  }
}

/** undefined where the cgroup is gone or the link was detached. */
function attachedTo(link: Link): bigint | undefined {
  const info = link.info()
  return info.kind === 'cgroup' && info.cgroupId !== 0n ? info.cgroupId : undefined
}
