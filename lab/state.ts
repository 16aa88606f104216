import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { labDir, labRoot, statePath } from './names.ts'
import type { ProcessIdentity } from './process-identity.ts'

export interface ServedPort {
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
}

export interface NodeState {
  /** Names its devices and its routing table; never given twice in one lab. 0: not plugged in yet. */
  index: number
  /** `address/length` wanted on eth0, in the order of preference. */
  addresses: string[]
  /** Those that it has; null: it has no link. */
  wiredAddresses: string[] | null
  /** The agent's instance. */
  readonly instance: string
  agent?: ProcessIdentity
}

/** A host with one link: it is plugged in where the rest of its state says, or has to be. */
export interface HostState {
  /** Names its devices; never given twice in one lab. 0: not plugged in yet. */
  index: number
  isWired: boolean
}

export interface PodState extends HostState {
  /** null: a host of its own on the fabric. */
  node: string | null
  /** It has the address of `node` and lives in that node's namespace: it has no link of its own. */
  inNode: boolean
  ports: ServedPort[]
}

export interface ClientState extends HostState {
  /** The node it routes everything through; null: the fabric knows the way. */
  via: string | null
}

/** What a lab consists of, written before it is made, so that it can be taken down whatever happened. */
export interface LabState {
  readonly version: 1
  readonly name: string
  readonly createdAt: string
  /** false until the first `up` has finished. */
  complete: boolean
  /** cgroup2 directory of the lab; one directory per node below. */
  readonly cgroup: string
  /** The user's configuration for the agents, copied; null without one. */
  readonly config: string | null
  /** Where the manifests came from. */
  source: string
  nextIndex: number
  /** Keyed by node name. */
  nodes: Record<string, NodeState>
  /** Keyed by address. */
  pods: Record<string, PodState>
  /** Keyed by address. */
  clients: Record<string, ClientState>
  server?: ProcessIdentity
  /** The lab has an API server, and its agents follow that instead of the manifests. */
  controlPlane?: LabControlPlane
}

export interface LabControlPlane {
  /** Of its host on the fabric. */
  readonly address: string
  /** Path of the agents' kubeconfig; '' until there is one. */
  agentKubeconfig: string
  /** Makes the pods of objects that change in the API server. */
  follower?: ProcessIdentity
}

/** undefined when there is no such lab. Throws io where the state cannot be read. */
export function loadState(lab: string): LabState | undefined {
  let text: string
  try {
    text = readFileSync(statePath(lab), 'utf8')
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw KpngError.from(reason, 'io', `state of lab ${lab}`)
  }
  try {
    const state: unknown = JSON.parse(text)
    if (typeof state === 'object' && state !== null && 'version' in state && state.version === 1)
      return state as LabState
  } catch (reason) {
    throw KpngError.from(reason, 'io', statePath(lab))
  }
  throw new KpngError('unsupported', `${statePath(lab)} was written by another version of kpng`)
}

/** Throws not-found. */
export function requireState(lab: string): LabState {
  const state = loadState(lab)
  if (state === undefined)
    throw new KpngError('not-found', `there is no lab ${lab}: kpng lab up --name ${lab} --state DIR`)
  return state
}

/** Readers see the old state or the new. */
export function saveState(state: LabState): void {
  mkdirSync(labDir(state.name), { recursive: true, mode: 0o700 })
  const path = statePath(state.name)
  writeFileSync(`${path}.new`, JSON.stringify(state))
  renameSync(`${path}.new`, path)
}

/** Names of the labs that have a directory, sorted. */
export function knownLabs(): string[] {
  try {
    return readdirSync(labRoot, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name)
      .sort()
  } catch {
    return []
  }
}
