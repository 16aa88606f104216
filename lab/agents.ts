import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import { logTail, startDaemon } from './daemon.ts'
import { agentRoot, instanceName, logPath, manifestsPath } from './names.ts'
import { nodePlace } from './place.ts'
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts'
import { mapLimit } from './run-command.ts'
import type { LabState, NodeState } from './state.ts'
import { call, callOnceUp } from './unix-http.ts'

const syncTimeoutMs = 120_000

/** What runs on the nodes of a lab. A test of the lab itself may do without. */
export interface Agents {
  /** How kpng is started; empty: no agents. */
  readonly command: readonly string[]
  /** Starts an agent on each node that has none alive, and records it in the state. */
  start(state: LabState): Promise<void>
  /** Has every agent look at its source now; returns what they complain about. Throws where one fails. */
  sync(state: LabState): Promise<Problem[]>
}

/** No agents: only the fabric and its endpoints. */
export const noAgents: Agents = {
  command: [],
  start: async () => undefined,
  sync: async () => [],
}

/** One `kpng file to-ebpf`, or `kpng kube to-ebpf`, per node; `command` is how kpng is started. */
export function realAgents(command: readonly string[]): Agents {
  return {
    command,
    async start(state) {
      await Promise.all(Object.keys(state.nodes).map(name => startAgent(state, name, command)))
    },
    async sync(state) {
      const problems = await mapLimit(Object.keys(state.nodes), 8, name => syncAgent(state, name))
      return problems.flat()
    },
  }
}

/**
 * Labs run beside each other and beside the machine’s own proxy: nobody waits for their answers, and where memory is
 * short they go before what the machine is for.
 */
const asGuests = ['--healthz-bind-address=', '--metrics-bind-address=', '--oom-score-adj=0']

async function startAgent(state: LabState, name: string, command: readonly string[]): Promise<void> {
  const node = state.nodes[name]
  if (node === undefined) return
  const running = await findAgent(node)
  if (running !== undefined) {
    node.agent = running
    return
  }
  const place = nodePlace(state, name)
  const argv = [
    ...command,
    ...agentSource(state),
    'to-ebpf',
    '--node-name',
    name,
    '--instance',
    node.instance,
    '--cgroup-root',
    place.cgroup,
    ...asGuests,
    ...(state.config === null ? [] : ['--config', state.config]),
  ]
  node.agent = await startDaemon(argv, agentLog(state, name), { place })
}

const agentSource = ({ name, controlPlane }: LabState): string[] =>
  controlPlane === undefined
    ? ['file', '-i', manifestsPath(name)]
    : ['kube', '--kubeconfig', controlPlane.agentKubeconfig]

async function syncAgent(state: LabState, name: string): Promise<Problem[]> {
  const node = state.nodes[name]
  if (node?.agent === undefined) throw new KpngError('internal', `node ${name} has no agent`)
  const socketPath = statusSocket(node.instance)
  try {
    const sync = { socketPath, method: 'POST', path: '/v1/sync', timeoutMs: syncTimeoutMs } as const
    return readProblems(await callOnceUp(node.agent, sync))
  } catch (reason) {
    const said = logTail(agentLog(state, name))
    throw KpngError.from(
      reason,
      'io',
      `agent of node ${name}${said === '' ? '' : ` (its log ends: ${said})`}`,
    )
  }
}

/** The one that the lab started, or that somebody else started in its place; undefined when none runs. */
export async function findAgent(node: NodeState): Promise<ProcessIdentity | undefined> {
  if (node.agent !== undefined && isAlive(node.agent)) return node.agent
  const status = { socketPath: statusSocket(node.instance), method: 'GET', path: '/v1/status' } as const
  try {
    const answer = await call({ ...status, timeoutMs: 2_000 })
    const hasPid = typeof answer === 'object' && answer !== null && 'pid' in answer
    return hasPid && typeof answer.pid === 'number' ? identify(answer.pid) : undefined
  } catch {
    return undefined
  }
}

const statusSocket = (instance: string): string => join(agentRoot, instance, 'status.sock')

const agentLog = (state: LabState, name: string): string => logPath(state.name, `agent-${name}`)

/** The one thing the lab reads of an agent's answer. */
function readProblems(answer: unknown): Problem[] {
  if (typeof answer !== 'object' || answer === null || !('problems' in answer)) return []
  return Array.isArray(answer.problems) ? (answer.problems as Problem[]) : []
}

/** Removes what agents that have ended pinned and wrote; without the pins their programs are gone. */
export async function removeInstances(state: LabState): Promise<void> {
  const { removePins } = await import('@kpng/backend-ebpf')
  for (const { instance } of Object.values(state.nodes)) {
    removePins(instance)
    rmSync(join(agentRoot, instance), { recursive: true, force: true })
  }
}

/** Throws conflict where an instance that one of the nodes needs is somebody else's. */
export async function checkInstances(lab: string, nodes: Iterable<string>): Promise<void> {
  const { pinnedInstances } = await import('@kpng/backend-ebpf')
  const taken = new Set([...pinnedInstances(), ...(existsSync(agentRoot) ? readdirSync(agentRoot) : [])])
  for (const node of nodes) {
    const instance = instanceName(lab, node)
    if (taken.has(instance))
      throw new KpngError(
        'conflict',
        `node ${node} needs the instance ${instance}, which is there already, another lab’s or agent’s: choose another name, or kpng cleanup --instance ${instance}`,
      )
  }
}
