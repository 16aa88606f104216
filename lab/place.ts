import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { nodeCgroup, outsideCgroup } from './cgroup.ts'
import { netnsPath, nodeNetns, podNetns } from './names.ts'
import type { LabState, PodState } from './state.ts'

/** Where a process of the lab runs. */
export interface Place {
  /** Name below /run/netns; null is the host's own. */
  readonly netns: string | null
  /** cgroup2 directory. */
  readonly cgroup: string
}

/** The same for processes that need not be in a cgroup of their own: null is that of whoever starts them. */
export type LoosePlace = Pick<Place, 'netns'> & { readonly cgroup: string | null }

export const nodePlace = (state: LabState, node: string): Place => ({
  netns: nodeNetns(state.name, node),
  cgroup: nodeCgroup(state.cgroup, node),
})

export const podPlace = (state: LabState, address: string, pod: PodState): Place => ({
  netns: podNetnsOf(state, address, pod),
  cgroup: pod.node === null ? outsideCgroup(state.cgroup) : nodeCgroup(state.cgroup, pod.node),
})

export const podNetnsOf = (state: LabState, address: string, pod: PodState): string =>
  pod.inNode && pod.node !== null ? nodeNetns(state.name, pod.node) : podNetns(state.name, address)

/** Only the network namespace changes: files, mounts and users stay the host's. */
const enterNetns = (place: LoosePlace, argv: readonly string[]): readonly string[] =>
  place.netns === null ? argv : ['nsenter', `--net=${netnsPath(place.netns)}`, '--', ...argv]

/** The command line that starts argv in that place, for spawn. */
export const enterArgv = (place: LoosePlace, argv: readonly string[]): string[] => [
  ...(place.cgroup === null
    ? []
    : ['sh', '-c', 'echo 0 > "$0" && exec "$@"', join(place.cgroup, 'cgroup.procs')]),
  ...enterNetns(place, argv),
]

/**
 * Node makes pipes and sockets that it has for standard streams non-blocking once anything imports node:process. Others
 * do not expect that of theirs: for them input that has not come yet is its end, and a full pipe is an error.
 */
function makeBlocking(stream: object): void {
  const handle: unknown = Reflect.get(stream, '_handle')
  if (typeof handle !== 'object' || handle === null || !('setBlocking' in handle)) return
  if (typeof handle.setBlocking === 'function') handle.setBlocking(true)
}

/**
 * Becomes argv in that place: this process's own stdin, exit status and signals are the command's. Returns
 * never; throws where it cannot begin.
 */
export function become(place: LoosePlace, argv: readonly string[]): never {
  if (process.execve === undefined) throw new KpngError('unsupported', 'Node 24 is needed: process.execve')
  const path = process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin'
  const file = path
    .split(':')
    .map(directory => join(directory, 'nsenter'))
    .find(existsSync)
  if (file === undefined) throw new KpngError('unsupported', 'there is no nsenter on the PATH')
  if (place.cgroup !== null) writeFileSync(join(place.cgroup, 'cgroup.procs'), `${process.pid}`)
  // Node ignores these two signals for itself, and what is ignored stays so across execve.
  const command = ['env', '--default-signal=PIPE,XFSZ', ...argv]
  process.removeAllListeners('warning')
  for (const stream of [process.stdin, process.stdout, process.stderr]) makeBlocking(stream)
  process.execve(file, [...enterNetns(place, command)], process.env)
  throw new KpngError('internal', 'execve came back')
}
