import { apiServerUrl } from './control-plane/processes.ts'
import { readRecord } from './control-plane/record.ts'
import { checkLabName, controlPlaneDir } from './names.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'
import { knownLabs, type LabState, loadState } from './state.ts'

/** One lab as `kpng lab ls` shows it. */
export interface LabSummary {
  readonly name: string
  /** `partial`: an `up` was interrupted or is still at it; `broken`: a process of it has died. */
  readonly status: 'up' | 'partial' | 'broken'
  readonly source: string
  readonly createdAt: string
  /** URL of its API server, for its own namespaces only; null where it has none. */
  readonly api: string | null
  readonly nodes: ReadonlyArray<{
    readonly name: string
    readonly addresses: readonly string[]
    /** Name its agent goes by: kpng get … --instance. */
    readonly instance: string
    readonly agentPid: number | null
  }>
  readonly pods: ReadonlyArray<{ readonly address: string; readonly node: string | null }>
  readonly clients: ReadonlyArray<{ readonly address: string; readonly via: string | null }>
}

/** All labs of this machine, or one, sorted by name. */
export function listLabs(only?: string): LabSummary[] {
  const names = only === undefined ? knownLabs() : [checkLabName(only)]
  return names
    .map(loadState)
    .filter(state => state !== undefined)
    .map(summarize)
}

function summarize(state: LabState): LabSummary {
  const nodes = Object.entries(state.nodes).map(([name, { addresses, instance, agent }]) => ({
    name,
    addresses,
    instance,
    agentPid: agent !== undefined && isAlive(agent) ? agent.pid : null,
  }))
  const record = state.controlPlane === undefined ? undefined : readRecord(controlPlaneDir(state.name))
  const api = record === undefined ? [] : [record.etcd, record.apiServer, state.controlPlane?.follower]
  const isWhole = [state.server, ...api].every(lives) && nodes.every(node => node.agentPid !== null)
  return {
    name: state.name,
    status: !state.complete ? 'partial' : isWhole ? 'up' : 'broken',
    source: state.source,
    createdAt: state.createdAt,
    api: record === undefined ? null : apiServerUrl(record),
    nodes,
    pods: Object.entries(state.pods).map(([address, { node }]) => ({ address, node })),
    clients: Object.entries(state.clients).map(([address, { via }]) => ({ address, via })),
  }
}

const lives = (process: ProcessIdentity | undefined): boolean => process !== undefined && isAlive(process)
