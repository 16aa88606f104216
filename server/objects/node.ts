import { canonicalIP } from '@kpng/api'
import { networks, sortedUnique } from './address-fields.ts'
import { type Fields, show } from './fields.ts'
import { MAX_SUBDOMAIN, readIdentity } from './metadata.ts'
import type { Node, ServiceCIDR } from './types.ts'

const ZONE = 'topology.kubernetes.io/zone'
const GOING_AWAY_TAINT = 'ToBeDeletedByClusterAutoscaler'
const LAB_ANNOTATIONS = 'lab.kpng.io/'

/** A Node out of untrusted fields; undefined only when it has no identity. */
export function readNode(object: Fields): Node | undefined {
  const identity = readIdentity(object, 'cluster', MAX_SUBDOMAIN)
  if (identity === undefined) return undefined
  const spec = object.record('spec')
  const internal: string[] = []
  const external: string[] = []
  for (const entry of object.record('status')?.records('addresses') ?? []) {
    const type = entry.string('type')
    const list = type === 'InternalIP' ? internal : type === 'ExternalIP' ? external : undefined
    const text = list === undefined ? undefined : entry.string('address')
    if (list === undefined || text === undefined) continue
    const address = canonicalIP(text)
    if (address === undefined) entry.report(`is not an IP address: ${show(text)}: ignored`, 'address')
    else list.push(address)
  }
  return {
    kind: 'Node',
    name: identity.name,
    addresses: [...new Set([...internal, ...external])],
    internalIPs: [...new Set(internal)],
    zone: identity.labels?.string(ZONE) ?? '',
    podCIDRs: spec === undefined ? [] : networks(spec, 'podCIDRs'),
    goingAway: identity.deleting || (spec?.records('taints') ?? []).some(isGoingAway),
    annotations: identity.annotations?.withPrefix(LAB_ANNOTATIONS) ?? {},
  }
}

const isGoingAway = (taint: Fields): boolean => taint.string('key') === GOING_AWAY_TAINT

/** A ServiceCIDR out of untrusted fields; undefined only when it has no identity. Conditions are ignored. */
export function readServiceCIDR(object: Fields): ServiceCIDR | undefined {
  const identity = readIdentity(object, 'cluster', MAX_SUBDOMAIN)
  if (identity === undefined) return undefined
  const spec = object.record('spec')
  return {
    kind: 'ServiceCIDR',
    name: identity.name,
    cidrs: spec === undefined ? [] : sortedUnique(networks(spec, 'cidrs')),
  }
}
