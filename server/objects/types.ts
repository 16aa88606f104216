/**
 * What kpng keeps of Kubernetes objects: the fields that the proxy (or the lab) uses, checked and canonical.
 * All are immutable. Intentionally small: a cluster's worth of them stays in memory.
 */
import type { Family, Protocol } from '@kpng/api'

export interface ServicePort {
  /** May be ''. */
  readonly name: string
  readonly protocol: Protocol
  /** 1 to 65535. */
  readonly port: number
  /** 0 when there is none. */
  readonly nodePort: number
}

export interface Service {
  readonly kind: 'Service'
  readonly namespace: string
  readonly name: string
  /** For Events, which kubectl describe finds by it. Absent when the object was never in an API server. */
  readonly uid?: string
  /** 'ClusterIP' when absent. Only ExternalName makes a difference, and what externalLocal depends on. */
  readonly type: string
  /** spec.clusterIP is None. */
  readonly headless: boolean
  /** The label service.kubernetes.io/service-proxy-name is there, whatever its value: another proxy serves it. */
  readonly foreignProxy: boolean
  /** Empty for headless Services and those that have no address yet. */
  readonly clusterIPs: { readonly [F in Family]?: string }
  /** Both families, sorted, without duplicates. */
  readonly externalIPs: readonly string[]
  /** status.loadBalancer addresses with ipMode VIP or none: both families, sorted, without duplicates. */
  readonly loadBalancerIPs: readonly string[]
  /** loadBalancerSourceRanges, both families, canonical, sorted, without duplicates. */
  readonly sourceRanges: readonly string[]
  readonly ports: readonly ServicePort[]
  /** ClientIP affinity timeout; 0 = no affinity. */
  readonly affinityTimeoutSeconds: number
  /** internalTrafficPolicy is Local. */
  readonly internalLocal: boolean
  /** externalTrafficPolicy is Local and the Service is reachable from outside (ExternalPolicyLocal). */
  readonly externalLocal: boolean
  /** Only of Services of type LoadBalancer with externalTrafficPolicy Local; otherwise 0. */
  readonly healthCheckNodePort: number
}

export interface SlicePort {
  readonly name: string
  readonly protocol: Protocol
  /** 1 to 65535. */
  readonly port: number
}

export interface Endpoint {
  /** addresses[0], canonical. */
  readonly address: string
  readonly nodeName?: string
  /** The endpoint's own zone: for people only, selection goes by hints. */
  readonly zone?: string
  /** Pod name from targetRef: for people only. */
  readonly pod?: string
  /** Absent conditions already resolved: ready and serving are true, terminating is false. */
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** hints.forZones; absent when there are none. */
  readonly zoneHints?: readonly string[]
  /** hints.forNodes; absent when there are none. */
  readonly nodeHints?: readonly string[]
}

export interface EndpointSlice {
  readonly kind: 'EndpointSlice'
  readonly namespace: string
  readonly name: string
  /** Label kubernetes.io/service-name; '' when missing: no Service uses the slice, a lab still runs its pods. */
  readonly service: string
  /** The label service.kubernetes.io/headless is there: no proxy uses the slice. */
  readonly headless: boolean
  readonly family: Family
  readonly ports: readonly SlicePort[]
  readonly endpoints: readonly Endpoint[]
}

export interface Node {
  readonly kind: 'Node'
  readonly name: string
  /** InternalIPs, then ExternalIPs, each in the order of status.addresses. */
  readonly addresses: readonly string[]
  /** The InternalIPs alone. */
  readonly internalIPs: readonly string[]
  /** Label topology.kubernetes.io/zone; '' when missing. */
  readonly zone: string
  /** spec.podCIDRs, canonical, in their order. */
  readonly podCIDRs: readonly string[]
  /** Has a deletionTimestamp, or the cluster autoscaler's taint that says it is about to go. */
  readonly goingAway: boolean
  /** The annotations below lab.kpng.io/ only, as they are. */
  readonly annotations: Readonly<Record<string, string>>
}

export interface ServiceCIDR {
  readonly kind: 'ServiceCIDR'
  readonly name: string
  /** spec.cidrs, canonical. */
  readonly cidrs: readonly string[]
}

export type KubeObject = Service | EndpointSlice | Node | ServiceCIDR
export type Kind = KubeObject['kind']

/** `kind/namespace/name` (namespace '' for Nodes and ServiceCIDRs): the key of an object everywhere. No name has a '/'. */
export const objectKey = (object: KubeObject): string =>
  joinKey(object.kind, 'namespace' in object ? object.namespace : '', object.name)

/** Joined with '/', into one flat string: what a template makes V8 keeps as a rope, with all its parts. */
export const joinKey = (...parts: string[]): string => parts.join('/')

/** What a key names. */
export function objectRef(key: string): {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
} {
  const [kind, namespace = '', name = ''] = key.split('/')
  return { kind: kind as Kind, namespace, name }
}
