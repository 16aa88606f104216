import { accessSync, constants, readdirSync, readFileSync, statfsSync } from 'node:fs'
import { arch, platform, release } from 'node:os'
import { checkCgroupDirectory, findCgroupRoot } from '@kpng/backend-ebpf'
import { type Feature, features, libbpfVersion, type Outcome, onBpffs, probe } from '@kpng/ebpf'
import { ownCapabilities } from '../capabilities.ts'
import { socketPath } from '../run-dir.ts'
import { callAgent } from '../status-client.ts'

/** Something that was looked for: found, or why not. */
export type Found<T> = { readonly value: T } | { readonly error: string }

/** What an agent has said of itself. */
export interface AgentState {
  readonly pid: number
  readonly synced: boolean
  readonly problems: number
}

/** What the machine is like, as far as the datapath depends on it. */
export interface Facts {
  readonly platform: string
  readonly architecture: string
  readonly release: string
  readonly kernelBtf: Found<true>
  readonly features: Readonly<Record<Feature, Outcome>>
  readonly libbpf: Found<string>
  /** Whether the kernel's files on processes can be read: much of what follows is told there. */
  readonly proc: Found<true>
  /** Effective, one bit each: CapEff of /proc/self/status. */
  readonly capabilities: Found<bigint>
  /** Whether /sys/fs/bpf is a BPF file system. */
  readonly bpffs: Found<boolean>
  readonly cgroupRoot: Found<string>
  /** Mounted hierarchies of cgroup version 1. */
  readonly cgroupV1: Found<number>
  /** Whether the run directory can be made and written. */
  readonly runDirectory: Found<true>
  /** By name; those that the machine does not have are left out. */
  readonly sysctls: ReadonlyMap<string, string>
  /** Other programs that proxy Services, by process name. */
  readonly otherProxies: readonly string[]
  readonly agent: Found<AgentState | undefined>
}

const runRoot = '/run'
const mountinfo = '/proc/self/mountinfo'
const sysctlNames = [
  'net.core.bpf_jit_enable',
  'net.core.bpf_jit_harden',
  'kernel.bpf_stats_enabled',
] as const
const proxyNames: ReadonlySet<string> = new Set(['kube-proxy', 'cilium-agent', 'kube-router'])

/** Looks, changes nothing. `cgroupRoot` undefined: the one that an agent would choose. */
export async function collectFacts(instance: string, cgroupRoot: string | undefined): Promise<Facts> {
  return {
    platform: platform(),
    architecture: arch(),
    release: release(),
    kernelBtf: find(() => {
      accessSync('/sys/kernel/btf/vmlinux', constants.R_OK)
      return true
    }),
    features: Object.fromEntries(features.map(name => [name, probe(name)])) as Record<Feature, Outcome>,
    libbpf: find(libbpfVersion),
    proc: find(() => {
      accessSync(mountinfo, constants.R_OK)
      return true
    }),
    capabilities: find(ownCapabilities),
    bpffs: find(() => onBpffs('/sys/fs/bpf')),
    cgroupRoot: find(() => {
      const directory = cgroupRoot ?? findCgroupRoot()
      checkCgroupDirectory(directory)
      return directory
    }),
    cgroupV1: find(() => cgroupV1Mounts(readFileSync(mountinfo, 'utf8'))),
    runDirectory: find(() => {
      statfsSync(runRoot)
      accessSync(runRoot, constants.W_OK)
      return true
    }),
    sysctls: new Map(
      sysctlNames.flatMap(name => {
        const found = find(() => readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim())
        return 'value' in found ? [[name, found.value]] : []
      }),
    ),
    otherProxies: runningProxies(),
    agent: await agentState(instance),
  }
}

function find<T>(look: () => T): Found<T> {
  try {
    return { value: look() }
  } catch (reason) {
    return { error: messageOf(reason) }
  }
}

/** With what it comes from. */
function messageOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason)
  return reason.cause === undefined ? reason.message : `${reason.message}: ${messageOf(reason.cause)}`
}

/** From the text of /proc/<pid>/mountinfo: the type comes after a lone dash (proc(5)). */
export const cgroupV1Mounts = (text: string): number =>
  text.split('\n').filter(line => / - cgroup /.test(line)).length

/** Names in the own PID namespace. */
function runningProxies(): string[] {
  const names = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      const found = find(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
      return 'value' in found ? [found.value] : []
    })
  return [...new Set(names)].filter(name => proxyNames.has(name)).sort()
}

async function agentState(instance: string): Promise<Found<AgentState | undefined>> {
  try {
    const answer = await callAgent(socketPath(instance), 'GET', '/v1/status')
    if (answer === undefined) return { value: undefined }
    const status = JSON.parse(answer) as { pid: number; synced: boolean; problems: unknown[] }
    return { value: { pid: status.pid, synced: status.synced, problems: status.problems.length } }
  } catch (reason) {
    return { error: messageOf(reason) }
  }
}
