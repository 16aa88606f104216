import type { Problem } from '@kpng/api'
import type { Manifests, RawObject } from '@kpng/server'
import { copyManifests, type ManifestsCopy } from './manifests-copy.ts'
import { type LabObjects, type LabPlan, planLab } from './plan.ts'

/** What the user's manifests ask for, read once: the copy is what everybody works with. */
export interface Desired {
  readonly copy: ManifestsCopy
  readonly objects: LabObjects & Pick<Manifests, 'serviceCIDRs'>
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
  const madeUp = madeUpNodeObjects(plan)
  if (madeUp.length > 0) copy.add('nodes-made-up', madeUp)
  return {
    copy,
    objects: manifests,
    plan,
    problems: [...copy.problems, ...copy.translate(manifests.problems)],
    notes: [...copy.translate(manifests.notes), ...plan.notes],
  }
}

/** Nodes for the names that have none: so that their agents know their own addresses. */
export const madeUpNodeObjects = (plan: LabPlan): RawObject[] =>
  [...plan.nodes].flatMap(([name, { addresses, madeUp }]) => (madeUp ? [nodeObject(name, addresses)] : []))

const nodeObject = (name: string, addresses: readonly string[]): RawObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: {
    addresses: addresses.map(prefix => ({ type: 'InternalIP', address: prefix.replace(/\/.*/, '') })),
  },
})
