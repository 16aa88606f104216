import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Trace } from './traces.ts'

/** What bpftool lists; the kernel never gives an id twice while it runs. */
interface BpfObject {
  readonly id: number
  readonly name?: string
  readonly type?: string
  readonly prog_id?: number
  readonly map_ids?: readonly number[]
  readonly pinned?: readonly string[]
}

type Kind = 'link' | 'prog' | 'map'

function list(kind: Kind): BpfObject[] {
  const result = spawnSync('bpftool', ['-j', '-f', kind, 'show'], { encoding: 'utf8', maxBuffer: 64 << 20 })
  if (result.status !== 0) {
    throw new Error(`bpftool ${kind} show failed: ${result.error?.message ?? result.stderr + result.stdout}`)
  }
  const objects = JSON.parse(result.stdout || '[]') as BpfObject[]
  // systemd's own programs on cgroups (sd_devices, sd_fw_egress…) come and go with its units.
  return objects.filter(object => !object.name?.startsWith('sd_'))
}

/**
 * BPF links, programs and maps that no process has open: those are there only because something in the kernel uses
 * them, and stay. What a process holds goes with it. The text says where an object is pinned and through which link
 * or program it is in use, so that its owner can be told.
 */
export function bpfTraces(): Trace[] {
  // First: an object that appears meanwhile is in no list, one that is closed meanwhile is left out for once.
  const lists = (['link', 'prog', 'map'] as const).map(kind => ({ kind, objects: list(kind) }))
  const held = openBpfObjects()
  const users = new Map<string, string>()
  const trace = (kind: Kind, object: BpfObject): Trace => {
    const name = `${kind} ${object.id}`
    const words = [object.id, object.type, object.name, ...(object.pinned ?? [])]
    const user = users.get(name)
    if (user !== undefined) words.push(`used by ${user}`)
    const text = words.filter(word => word !== undefined && word !== '').join(' ')
    // In the order of use: a link holds a program, a program its maps.
    const used = [
      ...(object.prog_id === undefined ? [] : [`prog ${object.prog_id}`]),
      ...(object.map_ids ?? []).map(id => `map ${id}`),
    ]
    for (const other of used) {
      users.set(other, `${kind} ${text}`)
      if (held.has(name)) held.add(other)
    }
    return { kind: `BPF ${kind}`, id: String(object.id), text }
  }
  return lists.flatMap(({ kind, objects }) =>
    objects.map(object => trace(kind, object)).filter(one => !held.has(`${kind} ${one.id}`)),
  )
}

/** `prog 12`, `map 7`, … of all processes. */
function openBpfObjects(): Set<string> {
  const found = new Set<string>()
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const kind = /^anon_inode:\[?bpf[-_](link|prog|map)/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]
        if (kind === undefined) continue
        const id = new RegExp(`^${kind}_id:\\s*(\\d+)`, 'm').exec(
          readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'),
        )
        if (id !== null) found.add(`${kind} ${id[1]}`)
      }
    } catch {
      // The process or the descriptor ended meanwhile.
    }
  }
  return found
}
