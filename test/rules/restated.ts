/**
 * kube-proxy's rules said once more, the slow and obvious way, for what one node does with each destination. Written
 * from the rules alone: it shares no code with server/select and takes the objects as they are in JSON.
 */
import type { Family, Protocol } from '@kpng/api'
import type { Hit } from './branches.ts'
import type { RawEndpointSlice, RawNode, RawObject, RawService } from './raw-objects.ts'
import {
  type Client,
  type Decision,
  type Decisions,
  type FamilyPolicies,
  inside,
  outside,
} from './restated-decisions.ts'
import {
  type Departure,
  type Entry,
  endpointsOf,
  listsOf,
  type Place,
  slicesOf,
} from './restated-endpoints.ts'
import { type Detector, hasDetector, type StatedNode, stateNode } from './restated-node.ts'
import { type StatedService, serviceIn } from './restated-services.ts'
import { contains } from './sloppy-addresses.ts'

export interface NodePolicies {
  readonly masqueradeAll: boolean
  readonly detector: Detector | undefined
  /** Gate AllowServiceExternalIPs. */
  readonly externalIPs: boolean
  readonly bindAddress: string | undefined
}

export interface Destination {
  readonly kind: 'ClusterIP' | 'external' | 'load balancer' | 'node port'
  /** '' for a node port. */
  readonly address: string
  readonly port: number
  /** Who may call a load balancer; empty: everybody. */
  readonly sourceRanges: readonly string[]
}

/** `ClusterIP 10.0.0.1:80`, `external …`, `load balancer … from …`, `node port 30080`. */
export function destinationText({ kind, address, port, sourceRanges }: Destination): string {
  if (kind === 'node port') return `${kind} ${port}`
  const from = sourceRanges.length > 0 ? ` from ${[...new Set(sourceRanges)].sort().join(' ')}` : ''
  return `${kind} ${address.includes(':') ? `[${address}]` : address}:${port}${from}`
}

export interface StatedPort {
  /** `namespace/name port/protocol family` */
  readonly key: string
  readonly family: Family
  readonly protocol: Protocol
  readonly destinations: readonly Destination[]
  readonly affinitySeconds: number
  /** What may become of a connection; more than one where the rules leave it open. `outside` without a way in: absent. */
  readonly answers: readonly { readonly inside: Decisions; readonly outside?: Decisions }[]
}

export interface StatedHealth {
  /** `namespace/name family` */
  readonly key: string
  readonly nodePort: number
  /** undefined where the rules leave it open. */
  readonly count: number | undefined
}

export interface Statement {
  readonly node: StatedNode
  readonly ports: readonly StatedPort[]
  readonly health: readonly StatedHealth[]
}

/** Rule 4.2.1, for a load balancer; `own` are those of the same Service in this family. */
export function admits(
  { sourceRanges }: Destination,
  source: string,
  own: readonly string[],
  nodeIP: string,
): boolean {
  const allowed = (address: string) => sourceRanges.some(range => contains(range, address))
  return sourceRanges.length === 0 || allowed(source) || (own.includes(source) && allowed(nodeIP))
}

/** Rules 4.11 to 4.14: of what is sent to an address, but to no destination. */
export function otherwise({ ports, node }: Statement, address: string): 'refuse' | 'drop' | 'untouched' {
  const known = ports.some(port =>
    port.destinations.some(it => it.kind === 'ClusterIP' && it.address === address),
  )
  if (known) return 'refuse'
  return node.serviceCIDRs.some(cidr => contains(cidr, address)) ? 'drop' : 'untouched'
}

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6']

export function restate(
  objects: readonly RawObject[],
  nodeName: string,
  policies: NodePolicies,
  departures: ReadonlySet<Departure>,
  hit: Hit,
): Statement {
  const slices = objects.filter(object => object.kind === 'EndpointSlice')
  const services = objects.filter(object => object.kind === 'Service')
  const own = nodeName.trim().toLowerCase()
  const ownNode = objects.find(object => object.kind === 'Node' && object.metadata.name === own) as
    | RawNode
    | undefined
  const node = stateNode(objects, ownNode, policies.bindAddress, hit)
  const place: Place = { nodeName: own, zone: node.zone }

  const ports: StatedPort[] = []
  const health: StatedHealth[] = []
  for (const service of services) {
    for (const family of FAMILIES) {
      const stated = serviceIn(family, service, hit)
      const detector = hasDetector(family, policies.detector, ownNode, hit)
      if (stated === undefined) continue
      const context = { service, stated, family, slices, place, departures, hit }
      ports.push(...stated.ports.map(port => statePort(port, context, { ...policies, detector })))
      if (stated.healthCheckNodePort !== 0 && stated.ports.length > 0) health.push(stateHealth(context))
    }
  }
  for (const slice of slices) {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''
    const known = services.some(
      it => it.metadata.name === name && it.metadata.namespace === slice.metadata.namespace,
    )
    hit('KP-2.11 slice without Service', name !== '' && !known)
  }
  return { node, ports, health }
}

interface Context {
  readonly service: RawService
  readonly stated: StatedService
  readonly family: Family
  readonly slices: readonly RawEndpointSlice[]
  readonly place: Place
  readonly departures: ReadonlySet<Departure>
  readonly hit: Hit
}

const portId = ({ service: { metadata }, family }: Context, port: string, protocol: Protocol) => ({
  namespace: metadata.namespace ?? '',
  service: metadata.name,
  port,
  protocol,
  family,
})

function statePort(
  port: StatedService['ports'][number],
  context: Context,
  policies: FamilyPolicies,
): StatedPort {
  const { service, stated, family, slices, place, departures, hit } = context
  const { clusterIP, externalIPs, loadBalancerIPs, sourceRanges, internalLocal, externalLocal } = stated
  hit('(KP-4.10)', loadBalancerIPs.length > 0 && sourceRanges.length > 0)

  const accessible = port.nodePort !== 0 || loadBalancerIPs.length > 0 || externalIPs.length > 0
  const at = (kind: Destination['kind'], address: string): Destination => ({
    kind,
    address,
    port: kind === 'node port' ? port.nodePort : port.port,
    sourceRanges: kind === 'load balancer' ? sourceRanges : [],
  })
  const outer = [
    ...(policies.externalIPs ? externalIPs.map(ip => at('external', ip)) : []),
    ...loadBalancerIPs.map(ip => at('load balancer', ip)),
    ...(port.nodePort === 0 ? [] : [at('node port', '')]),
  ]
  hit('KP-1.10 gate off', !policies.externalIPs && externalIPs.length > 0)
  const endpoints = endpointsOf(portId(context, port.name, port.protocol), slices, place, departures, hit)
  return {
    key: `${service.metadata.namespace}/${service.metadata.name} ${port.name}/${port.protocol} ${family}`,
    family,
    protocol: port.protocol,
    destinations: [at('ClusterIP', clusterIP), ...outer],
    affinitySeconds: stated.affinitySeconds,
    answers: endpoints.map(list => {
      const lists = listsOf(list, { internalLocal, externalLocal, accessible }, place, hit)
      const decide = (rule: (client: Client) => Decision): Decisions => ({
        pod: rule('pod'),
        node: rule('node'),
        elsewhere: rule('elsewhere'),
      })
      return {
        inside: decide(client => inside(client, internalLocal, lists, policies, hit)),
        ...(outer.length > 0 && {
          outside: decide(client => outside(client, stated, lists, policies.detector, hit)),
        }),
      }
    }),
  }
}

/** Rule 8.2.3: distinct addresses, whatever the ports. */
function stateHealth(context: Context): StatedHealth {
  const { service, stated, family, slices, place, departures, hit } = context
  const ofService = departures.has('health is counted over the ports of the Service')
  const ids = new Map<string, { name: string; protocol: Protocol }>()
  for (const { name, protocol } of stated.ports) ids.set(`${name}/${protocol}`, { name, protocol })
  const id = { namespace: service.metadata.namespace ?? '', service: service.metadata.name, family }
  for (const slice of ofService ? [] : slicesOf(id, slices, hit)) {
    for (const port of slice.ports ?? []) {
      if (typeof port.name !== 'string') continue
      const protocol = (port.protocol ?? 'TCP') as Protocol
      ids.set(`${port.name}/${protocol}`, { name: port.name, protocol })
    }
  }
  const found: Entry[] = []
  let open = false
  for (const { name, protocol } of ids.values()) {
    const answers = endpointsOf(portId(context, name, protocol), slices, place, departures, hit)
    open ||= answers.length > 1
    found.push(...(answers[0] ?? []))
  }
  const counted = found.filter(entry => entry.local && entry.ready)
  const count = new Set(counted.map(entry => entry.address)).size
  hit('(KP-8.2.3) one IP at two ports', count < counted.length)
  hit('(KP-8.2.3) terminating', count === 0 && found.some(it => it.local && it.serving && it.terminating))
  return {
    key: `${service.metadata.namespace}/${service.metadata.name} ${family}`,
    nodePort: stated.healthCheckNodePort,
    count: open ? undefined : count,
  }
}
