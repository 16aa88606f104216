import { existsSync, rmSync } from 'node:fs'
import { findAgent, removeInstances } from './agents.ts'
import { isLabCgroup, labCgroup, removeCgroup } from './cgroup.ts'
import { removeControlPlane } from './control-plane/remove.ts'
import { controlPlaneDir, labDir } from './names.ts'
import { deleteNamespaces, namespacesOf } from './network-namespaces.ts'
import { endProcesses } from './process-identity.ts'
import { type LabState, loadState } from './state.ts'

/**
 * Removes everything of a lab, also one that was only half made, or whose state is lost: processes, agents'
 * pins, cgroups, namespaces, files. false when there was nothing.
 */
export async function takeDown(lab: string): Promise<boolean> {
  const state = readWhatIsThere(lab)
  const cgroup = state?.cgroup ?? labCgroup(lab)
  const namespaces = namespacesOf(lab)
  const ours = state !== undefined || namespaces.length > 0 || isLabCgroup(cgroup)
  if (!ours && !existsSync(labDir(lab))) return false
  if (state !== undefined) {
    // First who would start others.
    if (state.controlPlane?.follower !== undefined) await endProcesses([state.controlPlane.follower])
    const agents = await Promise.all(Object.values(state.nodes).map(findAgent))
    await endProcesses([state.server, ...agents].filter(process => process !== undefined))
    await removeInstances(state)
  }
  await removeControlPlane(controlPlaneDir(lab))
  if (ours) await removeCgroup(cgroup)
  await deleteNamespaces(namespaces)
  rmSync(labDir(lab), { recursive: true, force: true })
  return true
}

/** A state that cannot be read is no reason to leave the rest behind. */
function readWhatIsThere(lab: string): LabState | undefined {
  try {
    return loadState(lab)
  } catch {
    return undefined
  }
}
