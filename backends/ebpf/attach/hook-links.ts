import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { attachCgroup, cgroupId, type Link, type Program, unpin } from '@kpng/ebpf'
import { type Hook, wantedHooks } from './hooks.ts'
import { openLink } from './links.ts'
import { linkPath } from './pin-paths.ts'

export interface HookLinksOptions {
  readonly instance: string
  readonly cgroup: string
  readonly program: (name: string) => Program
  readonly protectNodePorts: boolean
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

  /**
   * Puts the programs in place, readers first. A hook that is attached is updated at once: each connection meets the
   * old program or the new one, none meets neither.
   */
  attach(): void {
    const wanted = cgroupId(this.#options.cgroup)
    for (const hook of wantedHooks(this.#options)) this.#attachHook(hook, wanted)
    this.#cgroup = wanted
    this.#unpinOthers()
  }

  #attachHook({ name, attachType }: Hook, wanted: bigint): void {
    const { cgroup, program } = this.#options
    const link = this.#link(name)
    if (link !== undefined && attachedTo(link) === wanted) {
      link.update(program(name))
      return
    }
    // None yet, detached, or on another cgroup: that one goes when its pin is replaced.
    this.#held.set(name, attachCgroup({ program: program(name), cgroup, attachType }))
    link?.[Symbol.dispose]()
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
    const { cgroup, program } = this.#options
    const info = this.#held.get(name)?.info()
    if (info?.kind !== 'cgroup') return `${name} has no link`
    if (info.cgroupId !== wanted)
      return info.cgroupId === 0n && this.#cgroup === wanted
        ? `the link of ${name} was detached from ${cgroup}`
        : `${name} is attached to a cgroup that is not ${cgroup} any more`
    if (info.programId !== program(name).id) return `${name} is not our program any more`
    return undefined
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

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (reason) {
    if (reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return []
    throw reason
  }
}
