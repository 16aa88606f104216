import type { Problem } from '@kpng/api'
import { copyManifests, type ManifestsCopy } from './manifests-copy.ts'
import { type LabPlan, planLab } from './plan.ts'

/** What the user's manifests ask for, read once: the copy is what everybody works with. */
export interface Desired {
  readonly copy: ManifestsCopy
  readonly plan: LabPlan
  readonly problems: readonly Problem[]
  /** What is passed over and is no mistake. */
  readonly notes: readonly Problem[]
}

/** `known`: the addresses of the nodes there are. Throws io. */
export async function readDesired(
  lab: string,
  source: string,
  known: ReadonlyMap<string, readonly string[]>,
): Promise<Desired> {
  // Loaded only here: probe and exec are started often.
  const { readManifests } = await import('@kpng/server')
  const copy = copyManifests(lab, source)
  const manifests = await readManifests([copy.directory])
  const plan = planLab(manifests, known)
  const madeUp = [...plan.nodes].filter(([, node]) => node.madeUp)
  if (madeUp.length > 0)
    copy.add(
      'nodes-made-up',
      madeUp.map(([name, node]) => nodeObject(name, node.addresses)),
    )
  return {
    copy,
    plan,
    problems: [...copy.problems, ...copy.translate(manifests.problems)],
    notes: [...copy.translate(manifests.notes), ...plan.notes],
  }
}

/** So that the agent of a node that has no Node object knows its own addresses. */
const nodeObject = (name: string, addresses: readonly string[]): unknown => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: {
    addresses: addresses.map(prefix => ({ type: 'InternalIP', address: prefix.replace(/\/.*/, '') })),
  },
})
