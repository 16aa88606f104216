import { readFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'

/** Bit numbers of linux/capability.h. */
const bits = { NET_ADMIN: 12, SYS_PTRACE: 19, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 } as const
type Name = keyof typeof bits

export interface CapabilityUse {
  readonly name: Name
  /** Whether an agent can do without. */
  readonly needed: boolean
  /** What goes wrong without it. */
  readonly without: string
}

/** What an agent uses. */
export const capabilityUses: readonly CapabilityUse[] = [
  { name: 'BPF', needed: true, without: 'maps and programs cannot be made' },
  {
    name: 'NET_ADMIN',
    needed: true,
    without: 'programs cannot be loaded for sockets, nor attached to a cgroup',
  },
  { name: 'PERFMON', needed: true, without: 'programs that read kernel memory cannot be loaded' },
  {
    name: 'SYS_ADMIN',
    needed: true,
    without:
      'what an earlier agent has left in the kernel cannot be adopted, and the network namespaces of pods cannot be entered',
  },
  {
    name: 'SYS_PTRACE',
    needed: false,
    without:
      'network namespaces that only processes of others hold are not found: their stale UDP sockets stay',
  },
]

/** From the text of /proc/<pid>/status: the effective set, a bit each. */
export function effectiveCapabilities(status: string): bigint {
  const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  return digits === undefined ? 0n : BigInt(`0x${digits}`)
}

/** CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON (capabilities(7)). */
export function holds(capabilities: bigint, name: Name): boolean {
  const has = (one: Name): boolean => (capabilities >> BigInt(bits[one])) % 2n === 1n
  return has(name) || ((name === 'BPF' || name === 'PERFMON') && has('SYS_ADMIN'))
}

export const ownCapabilities = (): bigint => effectiveCapabilities(readFileSync('/proc/self/status', 'utf8'))

/** Throws unsupported, naming all that are missing. Gives those that are only missed. */
export function requireCapabilities(capabilities = ownCapabilities()): CapabilityUse[] {
  const missing = capabilityUses.filter(({ name }) => !holds(capabilities, name))
  const needed = missing.filter(use => use.needed)
  if (needed.length === 0) return missing
  const list = needed.map(({ name, without }) => `CAP_${name} (without it ${without})`).join(', ')
  throw new KpngError(
    'unsupported',
    `the agent lacks ${list}: run it as root, or in a pod add them to securityContext.capabilities`,
  )
}
