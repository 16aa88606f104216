import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import { type Agents, checkInstances } from './agents.ts'
import { labCgroup } from './cgroup.ts'
import { type Desired, readDesired } from './desired.ts'
import { serveEndpoints, startEndpointServer } from './endpoints.ts'
import { acquireLock } from './lock.ts'
import { changeState } from './locked-state.ts'
import { checkLabName, labDir } from './names.ts'
import { reshape } from './reshape.ts'
import { type LabState, requireState, saveState } from './state.ts'
import { takeDown } from './take-down.ts'
import { ipProblem, weave, weaveFabric } from './weave.ts'

export interface UpOptions {
  readonly name: string
  /** Directory (or file) of manifests. */
  readonly state: string
  /** A KubeProxyConfiguration for the agents. */
  readonly config?: string
  readonly agents: Agents
  /** Told what has been done, for people. */
  readonly onProgress?: (line: string) => void
}

export type ApplyOptions = Omit<UpOptions, 'config'>

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
  const report = await carryOut(name, await readDesired(name, options.state, known), options)
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

async function carryOut(
  name: string,
  { plan, copy, problems, notes }: Desired,
  { agents, state: source, onProgress = () => undefined }: ApplyOptions,
): Promise<Omit<LabReport, 'replaced'>> {
  const wiring = await changeState(name, 'kpng lab', async state => {
    await checkInstances(
      name,
      [...plan.nodes.keys()].filter(node => state.nodes[node] === undefined),
    )
    state.source = source
    reshape(state, plan)
    await startEndpointServer(state)
    const failures = await weave(state)
    onProgress(`${describeCount(state)} are wired`)
    copy.publish()
    await agents.start(state)
    return failures.map(ipProblem)
  })
  const state = requireState(name)
  const [serving, complaints] = await Promise.all([serveEndpoints(state), agents.sync(state)])
  onProgress('every pod answers, every agent has synced')
  copy.removeOthers()
  const all = [...problems, ...plan.problems, ...wiring, ...serving, ...copy.translate(complaints)]
  return { state, problems: distinct(all), notes }
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
