import { join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import { outsideCgroup } from './cgroup.ts'
import { logTail, startDaemon } from './daemon.ts'
import type { ListenFailure, ListenRequest } from './endpoint-server.ts'
import { logPath, serverSocketPath } from './names.ts'
import { podNetnsOf } from './place.ts'
import { formatServed } from './plan.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'
import type { LabState } from './state.ts'
import { callOnceUp } from './unix-http.ts'

const listenTimeoutMs = 120_000

/** Starts the lab's endpoint server unless it runs, and records it in the state. */
export async function startEndpointServer(state: LabState): Promise<void> {
  if (state.server !== undefined && isAlive(state.server)) return
  // One descriptor per port and connection: as many as the kernel lets a process have.
  const raised = 'ulimit -n "$(cat /proc/sys/fs/nr_open)" 2>/dev/null || true; exec "$@"'
  const argv = ['sh', '-c', raised, 'sh', process.execPath, join(import.meta.dirname, 'server-main.ts')]
  state.server = await startDaemon([...argv, serverSocketPath(state.name)], serverLog(state), {
    place: { netns: null, cgroup: outsideCgroup(state.cgroup) },
  })
}

/** Every port of every pod answers on return, but those that are reported. Throws where the server fails. */
export async function serveEndpoints(state: LabState): Promise<Problem[]> {
  // What default/kubernetes leads to is the API server itself.
  const pods = Object.entries(state.pods).filter(([address]) => address !== state.controlPlane?.address)
  const requests: ListenRequest[] = pods.flatMap(([address, pod]) =>
    pod.ports.map(port => ({ ...port, address, netns: podNetnsOf(state, address, pod) })),
  )
  if (requests.length === 0) return []
  const failures = await askServer(state, requests)
  return failures.map(failure => ({
    where: `pod ${failure.address}`,
    field: '',
    message: `${formatServed(failure.address, failure)} cannot be served: ${failure.error}`,
  }))
}

async function askServer(state: LabState, requests: readonly ListenRequest[]): Promise<ListenFailure[]> {
  const server: ProcessIdentity | undefined = state.server
  if (server === undefined) throw new KpngError('internal', `lab ${state.name} has no endpoint server`)
  try {
    const answer = await callOnceUp(server, {
      socketPath: serverSocketPath(state.name),
      method: 'POST',
      path: '/v1/listen',
      body: requests,
      timeoutMs: listenTimeoutMs,
    })
    return answer as ListenFailure[]
  } catch (reason) {
    const said = logTail(serverLog(state))
    throw KpngError.from(reason, 'io', `endpoint server${said === '' ? '' : ` (its log ends: ${said})`}`)
  }
}

const serverLog = (state: LabState): string => logPath(state.name, 'endpoints')
