/** Kubernetes objects as an API server writes them in JSON: every field may be absent or null. */

type Maybe<T> = T | null | undefined

export interface RawMetadata {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Maybe<Readonly<Record<string, string>>>
  readonly annotations?: Maybe<Readonly<Record<string, string>>>
  readonly deletionTimestamp?: Maybe<string>
}

export interface RawServicePort {
  readonly name?: Maybe<string>
  readonly protocol?: Maybe<string>
  readonly port: number
  readonly targetPort?: Maybe<number | string>
  readonly nodePort?: Maybe<number>
}

export interface RawIngress {
  readonly ip?: Maybe<string>
  readonly hostname?: Maybe<string>
  readonly ipMode?: Maybe<string>
}

export interface RawService {
  readonly apiVersion: 'v1'
  readonly kind: 'Service'
  readonly metadata: RawMetadata
  readonly spec?: Maybe<{
    readonly type?: Maybe<string>
    readonly clusterIP?: Maybe<string>
    readonly clusterIPs?: Maybe<readonly string[]>
    readonly ipFamilies?: Maybe<readonly string[]>
    readonly externalIPs?: Maybe<readonly string[]>
    readonly ports?: Maybe<readonly RawServicePort[]>
    readonly loadBalancerSourceRanges?: Maybe<readonly string[]>
    readonly internalTrafficPolicy?: Maybe<string>
    readonly externalTrafficPolicy?: Maybe<string>
    readonly healthCheckNodePort?: Maybe<number>
    readonly sessionAffinity?: Maybe<string>
    readonly sessionAffinityConfig?: Maybe<{
      readonly clientIP?: Maybe<{ readonly timeoutSeconds?: Maybe<number> }>
    }>
    readonly publishNotReadyAddresses?: Maybe<boolean>
    readonly trafficDistribution?: Maybe<string>
  }>
  readonly status?: Maybe<{
    readonly loadBalancer?: Maybe<{ readonly ingress?: Maybe<readonly RawIngress[]> }>
  }>
}

export interface RawHint {
  readonly name: string
}

export interface RawEndpoint {
  readonly addresses?: Maybe<readonly string[]>
  readonly conditions?: Maybe<{
    readonly ready?: Maybe<boolean>
    readonly serving?: Maybe<boolean>
    readonly terminating?: Maybe<boolean>
  }>
  readonly nodeName?: Maybe<string>
  readonly zone?: Maybe<string>
  readonly hints?: Maybe<{
    readonly forZones?: Maybe<readonly RawHint[]>
    readonly forNodes?: Maybe<readonly RawHint[]>
  }>
}

export interface RawSlicePort {
  readonly name?: Maybe<string>
  readonly protocol?: Maybe<string>
  readonly port?: Maybe<number>
}

export interface RawEndpointSlice {
  readonly apiVersion: 'discovery.k8s.io/v1'
  readonly kind: 'EndpointSlice'
  readonly metadata: RawMetadata
  readonly addressType: string
  readonly endpoints?: Maybe<readonly RawEndpoint[]>
  readonly ports?: Maybe<readonly RawSlicePort[]>
}

export interface RawNode {
  readonly apiVersion: 'v1'
  readonly kind: 'Node'
  readonly metadata: RawMetadata
  readonly spec?: Maybe<{
    readonly podCIDRs?: Maybe<readonly string[]>
    readonly taints?: Maybe<readonly { key: string; effect: string; value?: string }[]>
  }>
  readonly status?: Maybe<{ readonly addresses?: Maybe<readonly { type: string; address: string }[]> }>
}

export interface RawServiceCIDR {
  readonly apiVersion: 'networking.k8s.io/v1'
  readonly kind: 'ServiceCIDR'
  readonly metadata: RawMetadata
  readonly spec?: Maybe<{ readonly cidrs?: Maybe<readonly string[]> }>
}

export type RawObject = RawService | RawEndpointSlice | RawNode | RawServiceCIDR
