import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Problem } from '@kpng/api'
import type { Agents } from '../agents.ts'
import { outsideCgroup } from '../cgroup.ts'
import type { ControlPlane } from '../control-plane/control-plane.ts'
import { startDaemon } from '../daemon.ts'
import { serveEndpoints } from '../endpoints.ts'
import { changeState } from '../locked-state.ts'
import { makePlan } from '../make-plan.ts'
import { logPath } from '../names.ts'
import { isAlive } from '../process-identity.ts'
import { type LabState, requireState } from '../state.ts'
import { planFromApi } from './lab-api.ts'

/** What comes within this time is made at once. */
const quietMs = 50
/** After a failure; watches are ended by the API server every few minutes anyway. */
const retryMs = 500

/** Starts the process that runs `follow` for a lab, unless it runs, and records it in the state. */
export async function startFollower(state: LabState, agents: Agents): Promise<void> {
  const { controlPlane } = state
  if (controlPlane === undefined) return
  if (controlPlane.follower !== undefined && isAlive(controlPlane.follower)) return
  const main = join(import.meta.dirname, '../follower-main.ts')
  controlPlane.follower = await startDaemon(
    [process.execPath, main, state.name, ...agents.command],
    logPath(state.name, 'follower'),
    { place: { netns: null, cgroup: outsideCgroup(state.cgroup) } },
  )
}

/**
 * Makes nodes and pods of what changes in a lab's API server, whoever changes it, for as long as the lab is there.
 * Returns when it is gone. Throws nothing: what fails is told and tried again.
 */
export async function follow(
  lab: string,
  plane: ControlPlane,
  agents: Agents,
  tell: (line: string) => void,
): Promise<never> {
  let wake = Promise.withResolvers<void>()
  const onChange = (): void => wake.resolve()
  for (const path of ['/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/nodes'])
    void watchForever(plane, path, onChange, tell)
  for (;;) {
    await wake.promise
    await sleep(quietMs)
    wake = Promise.withResolvers<void>()
    try {
      for (const problem of await makeWhatIsThere(lab, plane, agents))
        tell(`${problem.where}: ${problem.message}`)
    } catch (reason) {
      tell(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason))
      await sleep(retryMs)
      wake.resolve()
    }
  }
}

async function makeWhatIsThere(lab: string, plane: ControlPlane, agents: Agents): Promise<Problem[]> {
  const { nodes } = requireState(lab)
  const known = new Map(Object.entries(nodes).map(([node, { addresses }]) => [node, addresses]))
  const plan = await planFromApi(plane, known)
  const wiring = await changeState(lab, 'following the API server', async state => {
    const failures = await makePlan(state, plan)
    await agents.start(state)
    return failures
  })
  return [...wiring, ...(await serveEndpoints(requireState(lab)))]
}

/** From now on, and once for all that was before: each watch begins with what there is. */
async function watchForever(
  plane: ControlPlane,
  path: string,
  onChange: () => void,
  tell: (line: string) => void,
): Promise<never> {
  for (;;) {
    try {
      const { status } = await plane.watch(`${path}?watch=true`, onChange)
      if (status !== 200) tell(`watch of ${path}: ${status}`)
    } catch (reason) {
      tell(`watch of ${path}: ${reason instanceof Error ? reason.message : reason}`)
    }
    await sleep(retryMs)
  }
}
