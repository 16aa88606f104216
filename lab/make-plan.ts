import type { Problem } from '@kpng/api'
import { checkInstances } from './agents.ts'
import { startEndpointServer } from './endpoints.ts'
import type { LabPlan } from './plan.ts'
import { reshape } from './reshape.ts'
import type { LabState } from './state.ts'
import { ipProblem, weave } from './weave.ts'

/** Nodes and pods as the plan asks for, but for what is told; nobody answers there yet. Throws conflict, kernel. */
export async function makePlan(state: LabState, plan: LabPlan): Promise<Problem[]> {
  await checkInstances(
    state.name,
    [...plan.nodes.keys()].filter(node => state.nodes[node] === undefined),
  )
  reshape(state, plan)
  await startEndpointServer(state)
  return (await weave(state)).map(ipProblem)
}
