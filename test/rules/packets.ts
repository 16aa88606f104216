/** Packets to every destination of a cluster from every kind of client, and near misses, with what becomes of them. */
import type { Family, Protocol } from '@kpng/api'
import { admits, type Destination, otherwise, type StatedPort, type Statement } from './restated.ts'
import type { Client, Decision } from './restated-decisions.ts'

export interface Packet {
  readonly family: Family
  readonly source: string
  readonly protocol: Protocol
  readonly destination: string
  readonly port: number
}

export type Fate = Decision | { readonly verdict: 'untouched' }

export interface Question {
  readonly packet: Packet
  readonly client: Client
  /** 'other': an address of a Service or a ServiceCIDR, but no destination. */
  readonly kind: Destination['kind'] | 'other'
  /** By source ranges. */
  readonly blocked: boolean
  /** Any of them is right. */
  readonly expected: readonly Fate[]
}

/** Where the node has its addresses; a family without one has no node ports. */
export type NodeIPs = { readonly [F in Family]?: string }

export const POD_CIDRS: Readonly<Record<Family, string>> = { IPv4: '10.1.0.0/16', IPv6: 'fd01::/48' }
const POD: Readonly<Record<Family, string>> = { IPv4: '10.1.0.200', IPv6: 'fd01::200' }
const ELSEWHERE: Readonly<Record<Family, string>> = { IPv4: '203.0.113.50', IPv6: '2001:db9::50' }
const UNALLOCATED: Readonly<Record<Family, string>> = { IPv4: '10.96.77.77', IPv6: 'fd96::7777' }
/** No Service has it. */
const OTHER_PORT = 9

const placeText = (family: Family, protocol: Protocol, address: string, port: number) =>
  `${family} ${protocol} ${address} ${port}`

export function questions(statement: Statement, nodeIPs: NodeIPs): Question[] {
  const claims = new Map<string, number>()
  for (const { family, protocol, destinations } of statement.ports) {
    for (const { address, port } of destinations) {
      const place = placeText(family, protocol, address, port)
      claims.set(place, (claims.get(place) ?? 0) + 1)
    }
  }
  const found: Question[] = []
  for (const port of statement.ports) {
    for (const destination of port.destinations) {
      const { family, protocol } = port
      // Which of two counts is not said.
      if (claims.get(placeText(family, protocol, destination.address, destination.port)) === 1)
        found.push(...atDestination(port, destination, nodeIPs))
      if (destination.address === '') continue
      const expected = [{ verdict: otherwise(statement, destination.address) }]
      const miss = (protocol: Protocol, number: number) => ({
        packet: { family, source: POD[family], protocol, destination: destination.address, port: number },
        client: 'pod' as const,
        kind: 'other' as const,
        blocked: false,
        expected,
      })
      found.push(miss(protocol, OTHER_PORT))
      for (const other of ['TCP', 'UDP', 'SCTP'] as const)
        if (!claims.has(placeText(family, other, destination.address, destination.port)))
          found.push(miss(other, destination.port))
    }
  }
  for (const family of ['IPv4', 'IPv6'] as const) {
    const destination = UNALLOCATED[family]
    found.push({
      packet: { family, source: POD[family], protocol: 'TCP', destination, port: 80 },
      client: 'pod',
      kind: 'other',
      blocked: false,
      expected: [{ verdict: otherwise(statement, destination) }],
    })
  }
  return found
}

function atDestination(
  { family, protocol, destinations, answers }: StatedPort,
  destination: Destination,
  nodeIPs: NodeIPs,
): Question[] {
  const { kind, address, port } = destination
  const nodeIP = nodeIPs[family]
  const to = address === '' ? nodeIP : address
  if (to === undefined) return []
  const balancers = destinations.filter(it => it.kind === 'load balancer').map(it => it.address)
  const ask = (client: Client, source: string): Question => {
    const blocked = !admits(destination, source, balancers, nodeIP ?? '')
    const fates = answers.map(it => {
      const fate = kind === 'ClusterIP' ? it.inside[client] : it.outside?.[client]
      if (fate === undefined) throw new Error('a way in without a decision')
      return fate
    })
    const packet = { family, source, protocol, destination: to, port }
    return { packet, client, kind, blocked, expected: blocked ? [{ verdict: 'drop' }] : fates }
  }
  return [
    ask('pod', POD[family]),
    ...(nodeIP === undefined ? [] : [ask('node', nodeIP)]),
    ask('elsewhere', ELSEWHERE[family]),
    ...(kind === 'load balancer' ? balancers.map(balancer => ask('elsewhere', balancer)) : []),
  ]
}
