import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import { familyOf } from './address.ts'
import type { Agents } from './agents.ts'
import { labCgroup } from './cgroup.ts'
import { controlPlaneBinaries } from './control-plane/binaries.ts'
import { type Desired, readDesired } from './desired.ts'
import { serveEndpoints } from './endpoints.ts'
import { startFollower } from './kube/follow.ts'
import { controlPlaneAddress, openLabApi, planFromApi, pushManifests, startLabApi } from './kube/lab-api.ts'
import { planServiceRanges, preferredFamilies } from './kube/service-ranges.ts'
import { acquireLock } from './lock.ts'
import { changeState } from './locked-state.ts'
import { makePlan } from './make-plan.ts'
import { checkLabName, labDir } from './names.ts'
import type { LabPlan } from './plan.ts'
import { type LabState, requireState, saveState } from './state.ts'
import { takeDown } from './take-down.ts'
import { weaveFabric } from './weave.ts'

export interface UpOptions {
  readonly name: string
  /** Directory (or file) of manifests. */
  readonly state: string
  /** What the agents follow: the lab's copy of the manifests, or an API server that is told them. Default: file. */
  readonly source?: 'file' | 'kube'
  /** A KubeProxyConfiguration for the agents. */
  readonly config?: string
  readonly agents: Agents
  /** Told what has been done, for people. */
  readonly onProgress?: (line: string) => void
}

export type ApplyOptions = Omit<UpOptions, 'config' | 'source'>

export interface LabReport {
  readonly state: LabState
  /** Bad objects, and what could not be done for them; without duplicates. */
  readonly problems: readonly Problem[]
  /** What the lab does not do, through no fault of the objects. */
  readonly notes: readonly Problem[]
  /** A lab of that name was there and has been taken down first. */
  readonly replaced: boolean
}

/**
 * Makes a lab; on return every pod answers and every agent has synced. What there was of that name is taken
 * down first. When it fails nothing is left.
 */
export async function labUp(options: UpOptions): Promise<LabReport> {
  const name = checkLabName(options.name)
  requireRoot()
  await using _lock = await acquireLock(name, 'operation', 'kpng lab up')
  for (const path of [options.state, options.config])
    if (path !== undefined && !existsSync(path)) throw new KpngError('io', `${path} does not exist`)
  if (options.source === 'kube') controlPlaneBinaries()
  const replaced = await takeDownLocked(name)
  if (replaced) options.onProgress?.('what there was of it is taken down')
  const cgroup = labCgroup(name)
  if (existsSync(cgroup))
    throw new KpngError('conflict', `${cgroup} is there already and is no lab’s: choose another name`)
  try {
    mkdirSync(labDir(name), { recursive: true, mode: 0o700 })
    const desired = await readDesired(name, options.state, new Map())
    saveState(newState(options))
    await changeState(name, 'kpng lab up', weaveFabric)
    if (options.source === 'kube') await startControlPlane(name, desired, options)
    const report = await carryOut(name, desired, options)
    await changeState(name, 'kpng lab up', async state => {
      state.complete = true
    })
    return { ...report, state: requireState(name), replaced }
  } catch (reason) {
    await takeDownLocked(name)
    throw reason
  }
}

/** Replaces the manifests of a lab; returns when every agent has synced them. Throws not-found. */
export async function labApply(options: ApplyOptions): Promise<LabReport> {
  const name = checkLabName(options.name)
  requireRoot()
  await using _lock = await acquireLock(name, 'operation', 'kpng lab apply')
  const { nodes } = requireState(name)
  const known = new Map(Object.entries(nodes).map(([node, { addresses }]) => [node, addresses]))
  const desired = await readDesired(name, options.state, known)
  const report = await carryOut(name, desired, options)
  return { ...report, replaced: false }
}

/** false when there was nothing to take down. */
export async function labDown(name: string): Promise<boolean> {
  checkLabName(name)
  requireRoot()
  await using _lock = await acquireLock(name, 'operation', 'kpng lab down')
  return takeDownLocked(name)
}

/** Nobody makes a client or a pod meanwhile. */
async function takeDownLocked(name: string): Promise<boolean> {
  await using _lock = await acquireLock(name, 'fabric', 'taking down')
  return takeDown(name)
}

async function startControlPlane(
  name: string,
  { objects, plan }: Desired,
  { onProgress = () => undefined }: UpOptions,
): Promise<void> {
  const { services, serviceCIDRs } = objects
  const address = controlPlaneAddress(objects, plan, preferredFamilies(serviceCIDRs))
  const ranges = planServiceRanges(services, serviceCIDRs, familyOf(address))
  await changeState(name, 'kpng lab up', state => startLabApi(state, address, ranges))
  onProgress(`an API server answers on ${address}`)
}

async function carryOut(
  name: string,
  desired: Desired,
  { agents, state: source, onProgress = () => undefined }: ApplyOptions,
): Promise<Omit<LabReport, 'replaced'>> {
  const { copy, notes } = desired
  const { plan, problems } = await tellApi(name, desired)
  const wiring = await changeState(name, 'kpng lab', async state => {
    state.source = source
    const failures = await makePlan(state, plan)
    onProgress(`${describeCount(state)} are wired`)
    copy.publish()
    await agents.start(state)
    if (state.controlPlane !== undefined) await startFollower(state, agents)
    return failures
  })
  const state = requireState(name)
  const [serving, complaints] = await Promise.all([serveEndpoints(state), agents.sync(state)])
  onProgress('every pod answers, every agent has synced')
  copy.removeOthers()
  const all = [...problems, ...wiring, ...serving, ...copy.translate(complaints)]
  return { state, problems: distinct(all), notes }
}

/** With an API server what it has counts, from the manifests and from others; without one the manifests do. */
async function tellApi(
  name: string,
  { copy, objects, plan, problems }: Desired,
): Promise<{ plan: LabPlan; problems: readonly Problem[] }> {
  const { controlPlane, nodes } = requireState(name)
  if (controlPlane === undefined) return { plan, problems: [...problems, ...plan.problems] }
  const plane = openLabApi(name)
  try {
    await plane.startApiServer()
    const refused = await pushManifests(plane, copy.directory, objects.services)
    const known = new Map([...plan.nodes].map(([node, { addresses }]) => [node, addresses]))
    for (const [node, { addresses }] of Object.entries(nodes)) known.set(node, addresses)
    const made = await planFromApi(plane, known)
    // Of the files themselves: what is wrong with an object, the server says.
    const unread = problems.filter(({ field }) => field === '')
    return { plan: made, problems: [...unread, ...refused, ...made.problems] }
  } finally {
    await plane.close()
  }
}

function newState({ name, state: source, config }: UpOptions): LabState {
  const copied = config === undefined ? null : join(labDir(name), 'config.yaml')
  if (config !== undefined && copied !== null)
    try {
      copyFileSync(config, copied)
    } catch (reason) {
      throw KpngError.from(reason, 'io', `configuration ${config}`)
    }
  return {
    version: 1,
    name,
    createdAt: new Date().toISOString(),
    complete: false,
    cgroup: labCgroup(name),
    config: copied,
    source,
    nextIndex: 1,
    nodes: {},
    pods: {},
    clients: {},
  }
}

function describeCount({ nodes, pods }: LabState): string {
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
  return `${count(Object.keys(nodes).length, 'node')} and ${count(Object.keys(pods).length, 'pod')}`
}

function distinct(problems: readonly Problem[]): Problem[] {
  const seen = new Map(
    problems.map(problem => [JSON.stringify([problem.where, problem.field, problem.message]), problem]),
  )
  return [...seen.values()]
}

function requireRoot(): void {
  if (process.getuid?.() !== 0)
    throw new KpngError('unsupported', 'kpng lab needs root: it makes network namespaces and cgroups')
}
