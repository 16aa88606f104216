import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import { KpngError } from '@kpng/api'

/** Of the first cgroup namespace of a kernel (include/linux/proc_ns.h, PROC_CGROUP_INIT_INO). */
const initialCgroupNamespace = 'cgroup:[4026531835]'
/** CGROUP2_SUPER_MAGIC. */
const cgroup2Magic = 0x63677270

export interface CgroupFacts {
  /** Text of /proc/self/mountinfo. */
  readonly mountinfo: string
  /** Link text of /proc/self/ns/cgroup and, where it can be read, of /proc/1/ns/cgroup. */
  readonly ownNamespace: string
  readonly initNamespace: string | undefined
  /** Whether the directory has children that only a node's root has (kubepods, system.slice, init.scope). */
  readonly looksLikeNode: (directory: string) => boolean
}

/**
 * Chooses the cgroup2 directory below which every pod of the node lives. mountinfo shows a mount's root as seen
 * from the reader's cgroup namespace: "/" is the namespace's own root, "/.." is above it, which only a bind mount
 * of the host's tree has (cgroup_namespaces(7)).
 */
export function chooseCgroupRoot(facts: CgroupFacts): string {
  const mounts = facts.mountinfo
    .split('\n')
    .map(line => line.split(' '))
    .filter(fields => fields[fields.indexOf('-') + 1] === 'cgroup2')
    .map(fields => ({ root: fields[3] ?? '', directory: unescapeMountPath(fields[4] ?? '') }))
  if (mounts.length === 0)
    throw new KpngError(
      'unsupported',
      'no cgroup2 mount here: mount one (mount -t cgroup2 none /sys/fs/cgroup/unified) or, in a pod, mount the host’s /sys/fs/cgroup, and name it with --cgroup-root',
    )
  const above = mounts.find(mount => mount.root.startsWith('/..'))
  if (above !== undefined) return above.directory
  const whole = mounts.find(mount => mount.root === '/')
  if (whole === undefined)
    throw new KpngError(
      'unsupported',
      `the cgroup2 mounts here show only a part of the tree (${mounts.map(mount => `${mount.root} on ${mount.directory}`).join(', ')}); name the node’s root with --cgroup-root`,
    )
  const initial = facts.ownNamespace === initialCgroupNamespace
  const shared = facts.initNamespace === facts.ownNamespace && facts.looksLikeNode(whole.directory)
  if (initial || shared) return whole.directory
  throw new KpngError(
    'unsupported',
    `this process is in a private cgroup namespace, so ${whole.directory} is not the node’s root and programs attached there would serve nobody else: mount the host’s /sys/fs/cgroup (hostPath) and name it with --cgroup-root`,
  )
}

/** The node's cgroup2 root, from this process's own view. */
export function findCgroupRoot(): string {
  return chooseCgroupRoot({
    mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    ownNamespace: readlinkSync('/proc/self/ns/cgroup'),
    initNamespace: readLink('/proc/1/ns/cgroup'),
    looksLikeNode: directory =>
      readdirSync(directory).some(name => /^(kubepods|system\.slice|init\.scope|kubelet)/.test(name)),
  })
}

/** Throws unless the directory is one of a cgroup2 file system. */
export function checkCgroupDirectory(directory: string): void {
  let magic: number
  try {
    magic = statfsSync(directory).type
  } catch (reason) {
    throw new KpngError('usage', `cgroup root ${directory} cannot be used`, { cause: reason })
  }
  if (magic !== cgroup2Magic)
    throw new KpngError(
      'usage',
      `cgroup root ${directory} is not on a cgroup2 file system (type 0x${magic.toString(16)})`,
    )
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** mountinfo writes space, tab, newline and backslash as octal escapes (proc(5)). */
const unescapeMountPath = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
