/** Rules 2 and 3 said once more: which endpoints a service port has, and which of them this node uses for what. */
import type { Family, Protocol } from '@kpng/api'
import type { Hit } from './branches.ts'
import type { RawEndpoint, RawEndpointSlice, RawHint } from './raw-objects.ts'
import { parseAddress } from './sloppy-addresses.ts'

/** Where kpng does on purpose what kube-proxy does not: each is an entry of docs/parity/deviations.yaml. */
export type Departure =
  /** kube-proxy leaves it to the API server that no endpoint has an address that cannot be one. */
  | 'bad endpoint addresses are skipped'
  /** kube-proxy counts what slices say of ports that the Service does not have. */
  | 'health is counted over the ports of the Service'

export interface Place {
  readonly nodeName: string
  /** '' when there is none. */
  readonly zone: string
}

export interface Entry {
  readonly address: string
  readonly port: number
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly zones: readonly string[]
  readonly nodes: readonly string[]
}

export interface PortId {
  readonly namespace: string
  readonly service: string
  readonly port: string
  readonly protocol: Protocol
  readonly family: Family
}

/** What an entry is called in results. */
export const ipPort = ({ address, port }: Entry): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** The slices that count for a Service in a family. */
export function slicesOf(
  { namespace, service, family }: Pick<PortId, 'namespace' | 'service' | 'family'>,
  slices: readonly RawEndpointSlice[],
  hit: Hit,
): RawEndpointSlice[] {
  const found: RawEndpointSlice[] = []
  for (const slice of slices) {
    const labels = slice.metadata.labels ?? {}
    const of = labels['kubernetes.io/service-name'] ?? ''
    if ('service.kubernetes.io/headless' in labels) hit('KP-1.2 slice of a headless Service', of === service)
    else if (of === '') hit('KP-2.2 no label')
    else if (of === service && slice.metadata.namespace !== namespace) hit('KP-2.2 other namespace')
    else if (of !== service) continue
    else if (slice.addressType === 'FQDN') hit('KP-2.1 FQDN')
    else if (slice.addressType !== family) hit('KP-2.1 other family')
    else found.push(slice)
  }
  hit('KP-2.3 several slices', found.length > 1)
  return found
}

/**
 * The endpoints of a service port, sorted by "ip:port". Which of several entries with one address and port counts may
 * be undefined: then there are several answers, and any of them is right.
 */
export function endpointsOf(
  port: PortId,
  slices: readonly RawEndpointSlice[],
  place: Place,
  departures: ReadonlySet<Departure>,
  hit: Hit,
): Entry[][] {
  const entries = new Map<string, Entry[]>()
  const numbers = new Set<number>()
  for (const slice of slicesOf(port, slices, hit)) {
    for (const slicePort of slice.ports ?? []) {
      const { name, port: number, protocol } = slicePort
      if (typeof name !== 'string') hit('KP-2.4 no name')
      else if (number === null || number === undefined) hit('KP-2.4 no number')
      else if (number === 0) hit('KP-2.4 zero')
      // An API server fills in TCP.
      else if (name === port.port && (protocol ?? 'TCP') === port.protocol) {
        hit('KP-2.4 empty name', name === '')
        numbers.add(number)
        for (const endpoint of slice.endpoints ?? []) {
          const entry = entryOf(endpoint, number, port.family, place, departures, hit)
          if (entry !== undefined) entries.set(ipPort(entry), [...(entries.get(ipPort(entry)) ?? []), entry])
        }
      }
    }
  }
  hit('KP-2.3 several numbers', numbers.size > 1)
  return combinations([...entries.keys()].sort().map(key => thatCount(entries.get(key) ?? [], hit)))
}

function entryOf(
  endpoint: RawEndpoint,
  port: number,
  family: Family,
  place: Place,
  departures: ReadonlySet<Departure>,
  hit: Hit,
): Entry | undefined {
  const [first, second] = endpoint.addresses ?? []
  if (first === undefined) {
    hit('KP-2.5 no address')
    return undefined
  }
  hit('KP-2.5 several addresses', second !== undefined)
  const address = parseAddress(first)
  if (departures.has('bad endpoint addresses are skipped') && !canBeAnEndpoint(first, family))
    return undefined
  hit('KP-1.14 leading zeros', address !== undefined && /(^|\.)0\d/.test(first))

  const { ready, serving, terminating } = endpoint.conditions ?? {}
  hit('KP-2.6 ready absent', ready === null || ready === undefined)
  hit('KP-2.6 serving absent', (serving === null || serving === undefined) && ready === false)
  hit('KP-2.6 terminating absent', terminating === null || terminating === undefined)
  hit('KP-2.6 ready, but not serving', ready === true && serving === false)
  hit('KP-2.6 ready and terminating', ready === true && terminating === true)

  const { nodeName } = endpoint
  hit('KP-2.7 no nodeName', nodeName === null || nodeName === undefined)
  hit('KP-2.7 local', nodeName === place.nodeName)
  hit(
    'KP-2.7 nodeName in other letters',
    nodeName !== place.nodeName && nodeName?.toLowerCase() === place.nodeName,
  )

  const names = (hints: readonly RawHint[] | null | undefined) => (hints ?? []).map(hint => hint.name)
  const zones = names(endpoint.hints?.forZones)
  const nodes = names(endpoint.hints?.forNodes)
  hit('KP-2.9 zones', zones.length > 1)
  hit('KP-2.9 nodes', nodes.length > 1)
  hit('KP-2.9 empty hints', endpoint.hints?.forZones?.length === 0 || endpoint.hints?.forNodes?.length === 0)
  return {
    address: address?.text ?? '<nil>',
    port,
    local: nodeName === place.nodeName,
    ready: ready ?? true,
    serving: serving ?? true,
    terminating: terminating ?? false,
    zones,
    nodes,
  }
}

/** Not: no IP address, another family's, unspecified, loopback, link-local, multicast. */
function canBeAnEndpoint(text: string, family: Family): boolean {
  const found = parseAddress(text)
  if (found === undefined || found.family !== family) return false
  const { value } = found
  if (family === 'IPv4') {
    return value !== 0n && value >> 24n !== 127n && value >> 16n !== 0xa9fen && value >> 28n !== 0xen
  }
  return value > 1n && value >> 118n !== 0xfe80n >> 6n && value >> 120n !== 0xffn
}

/** Of entries with one address and port, those that may count. */
function thatCount(same: readonly Entry[], hit: Hit): Entry[] {
  const running = same.filter(entry => !entry.terminating)
  hit('KP-2.8 running beats terminating', running.length > 0 && running.length < same.length)
  const candidates = running.length > 0 ? running : same
  const different = new Map(candidates.map(entry => [JSON.stringify(entry), entry]))
  hit('KP-2.8 undefined', different.size > 1)
  return [...different.values()]
}

const combinations = (choices: readonly Entry[][]): Entry[][] =>
  choices.reduce<Entry[][]>((all, choice) => all.flatMap(list => choice.map(entry => [...list, entry])), [[]])

export interface Policies {
  readonly internalLocal: boolean
  readonly externalLocal: boolean
  /** Has a node port, an external IP or a load-balancer address. */
  readonly accessible: boolean
}

/** Rule 3. */
export interface Lists {
  readonly cluster: readonly Entry[]
  readonly local: readonly Entry[]
  readonly anybody: boolean
}

export function listsOf(endpoints: readonly Entry[], policies: Policies, place: Place, hit: Hit): Lists {
  const usesCluster = !policies.internalLocal || policies.accessible
  const usesLocal = policies.internalLocal || (policies.externalLocal && policies.accessible)
  hit('KP-3.1 cluster list only', usesCluster && !usesLocal)
  hit('KP-3.1 local list only', !usesCluster && usesLocal)
  hit('KP-3.1 both lists', usesCluster && usesLocal)

  const last = (entry: Entry) => entry.serving && entry.terminating
  const ready = endpoints.filter(entry => entry.ready)

  let cluster: readonly Entry[] = []
  if (usesCluster) {
    cluster = byHints(endpoints, place, hit)
    hit('KP-3.2 ready', cluster.length > 0)
    if (cluster.length === 0) {
      cluster = endpoints.filter(last)
      hit(cluster.length > 0 ? 'KP-3.2 terminating' : 'KP-3.2 nobody')
    }
  }

  let local: readonly Entry[] = []
  if (usesLocal) {
    local = ready.filter(entry => entry.local)
    hit('KP-3.3 ready', local.length > 0)
    if (local.length === 0) {
      local = endpoints.filter(entry => entry.local && last(entry))
      hit(local.length > 0 ? 'KP-3.3 terminating' : 'KP-3.3 nobody')
      hit('KP-3.3 local terminating beside ready elsewhere', local.length > 0 && ready.length > 0)
    } else {
      hit(
        'KP-3.3 local by hints out of the cluster list',
        usesCluster && local.some(it => !cluster.includes(it)),
      )
    }
  }

  const elsewhere = usesLocal && endpoints.some(entry => entry.ready || last(entry))
  hit('KP-3.4 only elsewhere', elsewhere && local.length === 0)
  hit('KP-3.4 nobody anywhere', !elsewhere && cluster.length === 0)
  return { cluster, local, anybody: cluster.length > 0 || elsewhere }
}

/** Rule 3.5: of the endpoints, the ready ones that their hints leave for this node. */
function byHints(endpoints: readonly Entry[], { nodeName, zone }: Place, hit: Hit): readonly Entry[] {
  const ready = endpoints.filter(entry => entry.ready)
  const unreadyWithout = endpoints.some(
    entry => !entry.ready && entry.zones.length + entry.nodes.length === 0,
  )
  if (ready.length === 0) {
    hit('KP-3.5.1')
    return ready
  }
  const forNode = ready.filter(entry => entry.nodes.includes(nodeName))
  const allHaveNodes = ready.every(entry => entry.nodes.length > 0)
  if (allHaveNodes && forNode.length > 0) {
    hit('KP-3.5.2')
    hit('KP-3.5 unready without hint', unreadyWithout)
    return forNode
  }
  const allHaveZones = ready.every(entry => entry.zones.length > 0)
  const forZone = ready.filter(entry => zone !== '' && entry.zones.includes(zone))
  if (allHaveZones && forZone.length > 0) {
    hit('KP-3.5.3')
    hit('KP-3.5.3 node hints for other nodes', allHaveNodes)
    hit('KP-3.5 unready without hint', unreadyWithout)
    return forZone
  }
  hit('KP-3.5.4 hint missing', !allHaveZones && forZone.length > 0)
  hit('KP-3.5.4 node without zone', allHaveZones && zone === '')
  hit('KP-3.5.4 nobody for the zone', allHaveZones && zone !== '')
  return ready
}
