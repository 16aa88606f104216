import { spawnSync } from 'node:child_process'
import type { Trace } from './traces.ts'

/** What bpftool lists; the kernel never gives an id twice while it runs. */
interface BpfObject {
  readonly id: number
  readonly name?: string
  readonly type?: string
  readonly prog_id?: number
  readonly map_ids?: readonly number[]
  readonly pinned?: readonly string[]
  readonly pids?: ReadonlyArray<{ readonly pid: number; readonly comm: string }>
}

function list(kind: 'prog' | 'map' | 'link'): BpfObject[] {
  const result = spawnSync('bpftool', ['-j', '-f', kind, 'show'], { encoding: 'utf8', maxBuffer: 64 << 20 })
  if (result.status !== 0) {
    throw new Error(`bpftool ${kind} show failed: ${result.error?.message ?? result.stderr + result.stdout}`)
  }
  const objects = JSON.parse(result.stdout || '[]') as BpfObject[]
  // systemd's own programs on cgroups (sd_devices, sd_fw_egress…) come and go with its units.
  return objects.filter(object => !object.name?.startsWith('sd_'))
}

/**
 * All BPF links, programs and maps. The text says where they are pinned, which processes hold them and through
 * which link or program they are in use, so that their owner can be told.
 */
export function bpfTraces(processes: ReadonlyMap<number, string>): Trace[] {
  const users = new Map<string, string>()
  const trace = (kind: string, object: BpfObject): Trace => {
    const holders = object.pids?.map(({ pid, comm }) => `held by ${processes.get(pid) ?? `${pid} ${comm}`}`)
    const user = users.get(`${kind} ${object.id}`)
    const words = [object.id, object.type, object.name, ...(object.pinned ?? []), ...(holders ?? [])]
    if (user !== undefined) words.push(`used by ${user}`)
    const text = words.filter(word => word !== undefined && word !== '').join(' ')
    if (object.prog_id !== undefined) users.set(`prog ${object.prog_id}`, `link ${text}`)
    for (const map of object.map_ids ?? []) users.set(`map ${map}`, `prog ${text}`)
    return { kind: `BPF ${kind}`, id: String(object.id), text }
  }
  // In the order of use: a link holds a program, a program its maps.
  return (['link', 'prog', 'map'] as const).flatMap(kind => list(kind).map(object => trace(kind, object)))
}
