import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError, type Problem } from '@kpng/api'
import { familyOf } from '../address.ts'
import { outsideCgroup } from '../cgroup.ts'
import { ControlPlane } from '../control-plane/control-plane.ts'
import { madeUpNodeObjects } from '../desired.ts'
import { madeUpAddresses } from '../made-up-addresses.ts'
import { controlPlaneDir, podNetns } from '../names.ts'
import { type LabObjects, type LabPlan, planLab, usedAddresses } from '../plan.ts'
import { placePod } from '../reshape.ts'
import type { LabState } from '../state.ts'
import { describeIpFailure, weave } from '../weave.ts'
import { type ApiObject, apiObjects, listPaths } from './api-objects.ts'
import { pullLists, pushObjects } from './push.ts'
import { missingRanges, type RangeService, type ServiceRanges } from './service-ranges.ts'

/** An address for the API server's host, of the first family that all nodes have. Throws usage where there is none. */
export function controlPlaneAddress(
  objects: LabObjects,
  plan: LabPlan,
  families: readonly (4 | 6)[],
): string {
  const nodes = [...plan.nodes.values()]
  const used = new Set([
    ...usedAddresses(objects, new Map()),
    ...nodes.flatMap(node => node.addresses.map(bare)),
  ])
  const addresses = (madeUpAddresses(used).next().value ?? []).map(bare)
  const found = families
    .filter(family => nodes.every(node => node.addresses.some(own => familyOf(bare(own)) === family)))
    .map(family => addresses.find(address => familyOf(address) === family))[0]
  if (found !== undefined) return found
  throw new KpngError(
    'usage',
    'the nodes have no family of addresses in common: no API server can be reached by all',
  )
}

const bare = (prefix: string): string => prefix.replace(/\/.*$/, '')

/** Plugs a host into the fabric and starts etcd and an API server on it. Throws kernel, io, unsupported. */
export async function startLabApi(state: LabState, address: string, ranges: ServiceRanges): Promise<void> {
  state.controlPlane = { address, agentKubeconfig: '' }
  placePod(state, address, { node: null, inNode: false, ports: [] })
  const [failure] = await weave(state)
  if (failure !== undefined) throw new KpngError('kernel', describeIpFailure(failure))
  const directory = controlPlaneDir(state.name)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const plane = await ControlPlane.start({
    directory,
    outlives: true,
    netns: podNetns(state.name, address),
    address,
    serviceCIDRs: ranges.cidrs,
    nodePorts: ranges.nodePorts,
    cgroup: outsideCgroup(state.cgroup),
  })
  try {
    state.controlPlane.agentKubeconfig = await plane.kubeconfigFor({ user: 'system:kube-proxy' })
  } finally {
    await plane.close()
  }
}

/** Throws not-found where the lab has none. */
export function openLabApi(lab: string): ControlPlane {
  const plane = ControlPlane.open(controlPlaneDir(lab))
  if (plane === undefined)
    throw new KpngError('not-found', `lab ${lab} has no API server: kpng lab up --source kube makes one`)
  return plane
}

/**
 * Tells the API server what the manifests of a directory say, and what they no longer say. `services`: those that are
 * there, for the ServiceCIDRs that their ClusterIPs need.
 */
export async function pushManifests(
  plane: ControlPlane,
  directory: string,
  services: readonly RangeService[],
): Promise<Problem[]> {
  const { readRawObjects } = await import('@kpng/server')
  const objects = apiObjects(readRawObjects(directory))
  const pushedPath = join(plane.directory, 'pushed.json')
  const before = readKeys(pushedPath)
  const now = objects.map(object => object.key)
  // Ahead: what is begun and not finished is deleted all the same when the manifests drop it.
  writeFileSync(pushedPath, JSON.stringify([...new Set([...before, ...now])]))
  const own = objects.filter(({ kind }) => kind === 'ServiceCIDR')
  const problems = await pushObjects(plane, [...own, ...(await moreServiceCIDRs(plane, own, services))], [])
  const others = objects.filter(({ kind }) => kind !== 'ServiceCIDR')
  const gone = before.filter(key => !now.includes(key))
  problems.push(...(await pushObjects(plane, others, gone)))
  writeFileSync(pushedPath, JSON.stringify(now))
  return problems
}

/** For ClusterIPs that lie neither in a ServiceCIDR that the server has, nor in one of the manifests. */
async function moreServiceCIDRs(
  plane: ControlPlane,
  own: readonly ApiObject[],
  services: readonly RangeService[],
): Promise<ApiObject[]> {
  const [list] = await pullLists(plane, ['/apis/networking.k8s.io/v1/servicecidrs'])
  const there = (list as { items: readonly ServiceCIDRObject[] }).items
  const cidrs = [...there, ...own.map(({ body }) => body as ServiceCIDRObject)].flatMap(
    ({ spec }) => spec?.cidrs ?? [],
  )
  return apiObjects(
    missingRanges(services, cidrs).map(cidr => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: `lab-${cidr.replace(/[.:/]+/g, '-')}` },
      spec: { cidrs: [cidr] },
    })),
  )
}

interface ServiceCIDRObject {
  readonly spec?: { readonly cidrs?: readonly string[] }
}

function readKeys(path: string): string[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as string[]
  } catch {
    return [] // the first time
  }
}

/** What the objects in the API server ask of the lab, whoever put them there. Nodes that it makes up get a Node. */
export async function planFromApi(
  plane: ControlPlane,
  known: ReadonlyMap<string, readonly string[]>,
): Promise<LabPlan> {
  const { readManifests } = await import('@kpng/server')
  const path = join(plane.directory, `objects-${process.pid}.json`)
  const lists = await pullLists(plane, listPaths)
  writeFileSync(path, lists.map(list => `${JSON.stringify(list)}\n`).join('---\n'))
  const plan = planLab(await readManifests([path]), known)
  const made = madeUpNodeObjects(plan)
  const problems = await pushObjects(plane, apiObjects(made), [])
  return { ...plan, problems: [...plan.problems, ...problems] }
}
