import { type EndpointView, type NodeView, type ServiceView, serviceKey } from '@kpng/api'
import { compareClaims, decisionOf, type Frontend, planService, primaryAddresses } from '@kpng/backend-ebpf'
import type { Destination } from './destination.ts'
import { frontendsOf, servicePortName, usedEndpoints } from './service-rows.ts'

export interface ExplainedEndpoint {
  readonly endpoint: EndpointView
  readonly used: boolean
  /** '' where it is used. */
  readonly reason: string
}

export type Outcome = 'forwarded' | 'refused' | 'unreachable' | 'untouched'

export interface Explanation {
  readonly destination: Destination
  readonly outcome: Outcome
  /** The rule, in a sentence. */
  readonly rule: string
  readonly service?: string
  readonly frontend?: Frontend
  /** Present where loadBalancerSourceRanges are checked. */
  readonly sources?: SourceCheck
  readonly affinityTimeoutSeconds?: number
  readonly topologyMode?: string
  readonly endpoints: readonly ExplainedEndpoint[]
  /** Other Services that claim the same frontend and are not served there. */
  readonly shadowed: readonly string[]
}

/** loadBalancerSourceRanges of a frontend, and what they say of a source. */
export interface SourceCheck {
  /** CIDRs of those who may connect. */
  readonly ranges: readonly string[]
  /** Who asks. */
  readonly from?: string
  /** The longest range that holds `from`; null: none does. Absent without `from`. */
  readonly decidedBy?: string | null
}

interface Facts {
  /** Source address of the connection, where it is known. */
  readonly from?: string
  readonly node: NodeView | null
  readonly services: readonly ServiceView[]
  /** Node addresses on which NodePorts are served. */
  readonly nodePortAddresses: readonly string[]
  /** True where the address lies in the CIDR. */
  readonly contains: (cidr: string, address: string) => boolean
}

/** Decides from the view alone what becomes of a connection that a socket on this node makes. */
export function explain(destination: Destination, facts: Facts): Explanation {
  const { address, port, protocol } = destination
  const nothing = { destination, endpoints: [], shadowed: [] }
  if (protocol === 'SCTP')
    return { ...nothing, outcome: 'untouched', rule: 'SCTP is not served at the socket' }
  const matches = facts.services
    .flatMap(service =>
      service.ports
        .filter(servicePort => servicePort.protocol === protocol)
        .flatMap(servicePort =>
          frontendsOf(service, servicePort, facts.nodePortAddresses)
            .filter(frontend => frontend.port === port && serves(frontend, address, facts))
            .map(frontend => ({ service, servicePort, frontend })),
        ),
    )
    .sort((a, b) => compareClaims(a.frontend, b.frontend))

  const [match, ...others] = matches
  if (match === undefined) return { ...nothing, ...missed(destination, facts) }
  const { service, servicePort, frontend } = match
  const selection = servicePort.endpoints[frontend.family]
  const used = usedEndpoints(selection, frontend.list)
  const sources = frontend.sourceRanges ? checkSource(service, frontend, facts) : undefined
  const verdict = selection === undefined ? 'refuse' : decisionOf(frontend.kind, selection).verdict
  const outcome = sources?.decidedBy === null ? 'unreachable' : OUTCOMES[verdict]
  return {
    destination,
    outcome,
    rule:
      sources?.decidedBy === null
        ? blocked(sources, frontend, service)
        : sentence(outcome, frontend, service, sources),
    ...(sources === undefined ? {} : { sources }),
    service: servicePortName(service, servicePort),
    frontend,
    affinityTimeoutSeconds: service.affinityTimeoutSeconds,
    topologyMode: selection?.topologyMode ?? '',
    endpoints: (selection?.endpoints ?? []).map(endpoint => {
      const isUsed = used.includes(endpoint)
      return { endpoint, used: isUsed, reason: isUsed ? '' : whyNot(endpoint, frontend) }
    }),
    shadowed: [
      ...new Set(
        others.filter(other => other.frontend.key === frontend.key).map(other => serviceKey(other.service)),
      ),
    ].filter(key => key !== serviceKey(service)),
  }
}

const OUTCOMES = { serve: 'forwarded', drop: 'unreachable', refuse: 'refused' } as const

function checkSource(service: ServiceView, frontend: Frontend, facts: Facts): SourceCheck {
  const { from } = facts
  const plan = planService(service, {
    nodePortFamilies: new Set(),
    primaryAddresses: primaryAddresses(facts.node ?? undefined),
  })
  const ranges = (plan.ports.find(({ key }) => key === frontend.servicePort)?.sources ?? []).filter(
    range => range.includes(':') === (frontend.family === 'IPv6'),
  )
  if (from === undefined) return { ranges }
  const [decidedBy = null] = ranges
    .filter(range => facts.contains(range, from))
    .sort((a, b) => prefixLength(b) - prefixLength(a))
  return { ranges, from, decidedBy }
}

const prefixLength = (range: string): number => Number(range.slice(range.indexOf('/') + 1))

const blocked = (sources: SourceCheck, frontend: Frontend, service: ServiceView): string =>
  `${frontend.kind} of ${serviceKey(service)}: ${sources.from} is in none of its loadBalancerSourceRanges (${sources.ranges.join(', ')})`

function serves(frontend: Frontend, address: string, facts: Facts): boolean {
  if (frontend.kind !== 'NodePort') return frontend.address === address
  const isIPv6 = address.includes(':')
  return facts.nodePortAddresses.includes(address) && isIPv6 === (frontend.family === 'IPv6')
}

function missed({ address, port, protocol }: Destination, facts: Facts): { outcome: Outcome; rule: string } {
  const owner = facts.services.find(service =>
    Object.values(service.addresses).some(addresses => addresses.clusterIP === address),
  )
  if (owner !== undefined)
    return {
      outcome: 'refused',
      rule: `${address} is the ClusterIP of ${serviceKey(owner)}, which has no such port`,
    }
  const outer = facts.services.find(service =>
    Object.values(service.addresses).some(({ externalIPs, loadBalancerIPs }) =>
      [...externalIPs, ...loadBalancerIPs].includes(address),
    ),
  )
  if (outer !== undefined)
    return {
      outcome: 'untouched',
      rule: `${address} is an external address of ${serviceKey(outer)}, which has no such port: whoever has the address may answer`,
    }
  const cidr = facts.node?.serviceCIDRs.find(candidate => facts.contains(candidate, address))
  // The node's own are known as well.
  if (cidr !== undefined && !facts.nodePortAddresses.includes(address))
    return {
      outcome: 'unreachable',
      rule: `${address} lies in ServiceCIDR ${cidr}, but belongs to no Service`,
    }
  if (facts.node?.addresses.includes(address) && !facts.nodePortAddresses.includes(address)) {
    const served = facts.services.find(service =>
      service.ports.some(candidate => candidate.nodePort === port && candidate.protocol === protocol),
    )
    if (served !== undefined)
      return {
        outcome: 'untouched',
        rule: `${port} is a NodePort of ${serviceKey(served)}, but NodePorts are served on ${facts.nodePortAddresses.join(', ') || 'no address'} only (--nodeport-addresses)`,
      }
  }
  return { outcome: 'untouched', rule: `${address} is no Service’s address and goes where the routes say` }
}

function sentence(
  outcome: Outcome,
  frontend: Frontend,
  service: ServiceView,
  sources: SourceCheck | undefined,
): string {
  const how = `${frontend.kind} of ${serviceKey(service)}${openTo(sources)}`
  const policy = frontend.list === 'local' ? ', internalTrafficPolicy Local' : ''
  switch (outcome) {
    case 'forwarded':
      return `${how}${policy}`
    case 'unreachable':
      return `${how}${policy}: endpoints exist, but none on this node`
    default:
      return `${how}: no endpoint in the cluster can serve`
  }
}

function openTo(sources: SourceCheck | undefined): string {
  if (sources === undefined) return ''
  const { ranges, from, decidedBy } = sources
  if (decidedBy === undefined) return `, open to sources in ${ranges.join(', ')} only (--from tells of one)`
  return `, open to ${from} by its loadBalancerSourceRanges (${decidedBy})`
}

function whyNot(endpoint: EndpointView, frontend: Frontend): string {
  if (frontend.list === 'local' && !endpoint.local)
    return `not on this node${endpoint.nodeName === undefined ? '' : ` (on ${endpoint.nodeName})`}, and the policy is Local`
  return endpoint.reason ?? 'not in the list in force'
}
