import { formatAddressPort, type Problem } from '@kpng/api'
import type { EndpointSlice, Manifests, Node } from '@kpng/server'
import { interfaceAddress, whyNotHostAddress } from './address.ts'
import { madeUpAddresses } from './made-up-addresses.ts'
import { isNodeName } from './names.ts'
import type { ServedPort } from './state.ts'

const addressesAnnotation = 'lab.kpng.io/addresses'

export interface PlannedNode {
  /** `address/length`, without duplicates; never empty. */
  readonly addresses: readonly string[]
  /** No Node object says so: its name comes from an endpoint. */
  readonly madeUp: boolean
}

export interface PlannedPod {
  /** null: a host of its own on the fabric. */
  readonly node: string | null
  /** It has an address of `node`: it is served in that node's namespace. */
  readonly inNode: boolean
  /** Sorted, without duplicates. */
  readonly ports: readonly ServedPort[]
}

/** What the manifests ask of a lab. */
export interface LabPlan {
  /** Keyed by node name. */
  readonly nodes: ReadonlyMap<string, PlannedNode>
  /** Keyed by address. */
  readonly pods: ReadonlyMap<string, PlannedPod>
  /** What is wrong with the objects. */
  readonly problems: readonly Problem[]
  /** What the lab does not do, through no fault of theirs. */
  readonly notes: readonly Problem[]
}

export type LabObjects = Pick<Manifests, 'services' | 'slices' | 'nodes'>

/** `known`: the addresses (`address/length`) that nodes were given before; a made-up node keeps its own. */
export function planLab(objects: LabObjects, known: ReadonlyMap<string, readonly string[]>): LabPlan {
  const problems: Problem[] = []
  const owners = new Map<string, string>()
  const nodes = planNodes(objects, owners, known, problems)
  const pods = planPods(objects.slices, nodes, owners, problems)
  return { nodes, pods, problems, notes: objects.slices.flatMap(unservedPorts) }
}

/** Fills `owners`: which node has which address. */
function planNodes(
  objects: LabObjects,
  owners: Map<string, string>,
  known: ReadonlyMap<string, readonly string[]>,
  problems: Problem[],
): Map<string, PlannedNode> {
  const nodes = new Map<string, PlannedNode>()
  const free = madeUpAddresses(usedAddresses(objects, known))
  const makeUp = (name: string): readonly string[] => {
    const addresses = known.get(name) ?? free.next().value
    for (const prefix of addresses) owners.set(bare(prefix), name)
    return addresses
  }
  for (const node of objects.nodes) {
    if (nodes.has(node.name)) continue
    if (!isNodeName(node.name)) {
      problems.push({ where: `Node//${node.name}`, field: 'metadata.name', message: 'is no name for a node' })
      continue
    }
    const own = ownAddresses(node, owners, problems)
    nodes.set(node.name, { addresses: own.length > 0 ? own : makeUp(node.name), madeUp: false })
  }
  for (const name of endpointNodes(objects.slices)) {
    if (name === undefined || nodes.has(name) || !isNodeName(name)) continue
    nodes.set(name, { addresses: makeUp(name), madeUp: true })
  }
  return nodes
}

function ownAddresses(node: Node, owners: Map<string, string>, problems: Problem[]): string[] {
  const where = `Node//${node.name}`
  const found: string[] = []
  const take = (text: string, field: string): void => {
    const prefix = interfaceAddress(text)
    const address = prefix === undefined ? undefined : bare(prefix)
    const complain = (message: string): void => void problems.push({ where, field, message })
    if (prefix === undefined || address === undefined) {
      complain(`${JSON.stringify(text)} is not an address: ignored`)
      return
    }
    const why = whyNotHostAddress(address)
    const owner = owners.get(address)
    if (why !== undefined) complain(`${address} ${why}: ignored`)
    else if (owner !== undefined && owner !== node.name) complain(`${address} is node ${owner}'s: ignored`)
    else if (owner === undefined) {
      owners.set(address, node.name)
      found.push(prefix)
    }
  }
  const more = annotated(node)
  // An annotation for an InternalIP gives it a prefix length.
  for (const text of node.internalIPs) {
    const prefixed = more.find(entry => bare(interfaceAddress(entry) ?? '') === text)
    take(prefixed ?? text, 'status.addresses')
  }
  for (const text of more) take(text, `metadata.annotations[${JSON.stringify(addressesAnnotation)}]`)
  return found
}

function planPods(
  slices: readonly EndpointSlice[],
  nodes: ReadonlyMap<string, PlannedNode>,
  owners: ReadonlyMap<string, string>,
  problems: Problem[],
): Map<string, PlannedPod> {
  const places = new Map<string, { node: string | null; slice: string }>()
  const ports = new Map<string, Map<string, ServedPort>>()
  for (const slice of slices) {
    const where = sliceKey(slice)
    const served = slice.ports.flatMap(({ port, protocol }) =>
      protocol === 'SCTP' ? [] : [{ port, protocol }],
    )
    for (const [index, { address, nodeName }] of slice.endpoints.entries()) {
      const field = `endpoints[${index}]`
      const why = whyNotHostAddress(address)
      if (why !== undefined) {
        problems.push({ where, field, message: `${address} ${why}: not served in the lab` })
        continue
      }
      const node = nodeName !== undefined && nodes.has(nodeName) ? nodeName : null
      if (nodeName !== undefined && node === null)
        problems.push({ where, field: `${field}.nodeName`, message: `${nodeName} is no name for a node` })
      const place = places.get(address)
      if (place === undefined) places.set(address, { node, slice: where })
      else if (place.node !== node && !owners.has(address))
        problems.push({
          where,
          field: `${field}.nodeName`,
          message: `${address} is on ${place.node ?? 'no node'} in ${place.slice}: it is left there`,
        })
      const mine = ports.get(address) ?? new Map<string, ServedPort>()
      for (const port of served) mine.set(`${port.port}/${port.protocol}`, port)
      ports.set(address, mine)
    }
  }
  const pods = new Map<string, PlannedPod>()
  for (const [address, { node }] of places) {
    const owner = owners.get(address)
    const sorted = [...(ports.get(address)?.values() ?? [])].sort(byPort)
    pods.set(address, { node: owner ?? node, inNode: owner !== undefined, ports: sorted })
  }
  return pods
}

const unservedPorts = (slice: EndpointSlice): Problem[] =>
  slice.ports.flatMap(({ protocol }, index) =>
    protocol === 'SCTP'
      ? [
          {
            where: sliceKey(slice),
            field: `ports[${index}].protocol`,
            message: 'SCTP is not served in the lab',
          },
        ]
      : [],
  )

const sliceKey = ({ namespace, name }: EndpointSlice): string => `EndpointSlice/${namespace}/${name}`

/** Every address that the manifests speak of: none of them may be made up for a node. */
export function usedAddresses(
  { services, slices, nodes }: LabObjects,
  known: ReadonlyMap<string, readonly string[]>,
): ReadonlySet<string> {
  return new Set([
    ...[...known.values()].flat().map(bare),
    ...services.flatMap(({ clusterIPs, externalIPs, loadBalancerIPs }) => [
      ...Object.values(clusterIPs),
      ...externalIPs,
      ...loadBalancerIPs,
    ]),
    ...slices.flatMap(slice => slice.endpoints.map(endpoint => endpoint.address)),
    ...nodes.flatMap(node => [
      ...node.addresses,
      ...annotated(node).map(text => bare(interfaceAddress(text) ?? '')),
    ]),
  ])
}

const endpointNodes = (slices: readonly EndpointSlice[]): ReadonlySet<string | undefined> =>
  new Set(slices.flatMap(slice => slice.endpoints.map(endpoint => endpoint.nodeName)))

/** What the annotation says, in pieces; not checked. */
const annotated = (node: Node): string[] =>
  (node.annotations[addressesAnnotation] ?? '')
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')

const bare = (prefix: string): string => prefix.replace(/\/.*$/, '')

const byPort = (a: ServedPort, b: ServedPort): number =>
  a.port - b.port || (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0)

/** `10.0.0.1:80/TCP` */
export const formatServed = (address: string, port: ServedPort): string =>
  `${formatAddressPort(address, port.port)}/${port.protocol}`
