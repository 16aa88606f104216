import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bpfTraces } from './bpf-objects.ts'
import { processTraces } from './processes.ts'

/** One thing on this machine that kpng, its lab or its tests may have made. */
export interface Trace {
  readonly kind: string
  /** Unique among the traces of its kind for as long as the thing exists. */
  readonly id: string
  /** For people, and where the names of the labs and instances that own it are found. */
  readonly text: string
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return [] // not there: nothing in it
  }
}

const named = (kind: string, dir: string, name: RegExp): Trace[] =>
  entries(dir)
    .filter(entry => name.test(entry))
    .map(entry => ({ kind, id: join(dir, entry), text: join(dir, entry) }))

const mountsOf = (type: string): string[] =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .filter(fields => fields[2] === type)
    .map(fields => fields[1] ?? '')

/** Where the lab keeps what is not in the kernel, one directory a lab. */
const labs = '/run/kpng/lab'

/** Everything that is there now, whoever made it. `root` is the checkout whose processes count. */
export function listTraces(root: string): Trace[] {
  return [
    ...named('network namespace', '/run/netns', /^kpng/),
    ...named('network device', '/sys/class/net', /^kp/),
    ...mountsOf('cgroup2').flatMap(dir => named('cgroup', dir, /^kpng/)),
    ...named('pin', '/sys/fs/bpf', /^kpng.+/),
    ...named('pin', '/sys/fs/bpf/kpng', /./),
    ...named('run directory', '/run/kpng', /./).filter(trace => trace.id !== labs),
    ...named('lab', labs, /./),
    ...named('temporary file', tmpdir(), /^kpng/),
    ...processTraces(root),
    ...bpfTraces(),
  ]
}
