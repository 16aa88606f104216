/**
 * The node-local view: what a brain tells a backend about one node. One row per Service, complete in itself,
 * so that a change of one Service is one `setService` and a lost row is one `deleteService`.
 *
 * All addresses are canonical text (RFC 5952 for IPv6), all endpoint lists are sorted by address and port.
 */

export type Protocol = 'TCP' | 'UDP' | 'SCTP'
export type Family = 'IPv4' | 'IPv6'

/** What every endpoint of a service port is used for on this node, and why not where it is not. */
export interface EndpointView {
  readonly address: string
  readonly port: number
  /** Pod name (targetRef) where known: for people only. */
  readonly pod?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  /** In the list for policy Cluster. */
  readonly inCluster: boolean
  /** In the list for policy Local. */
  readonly inLocal: boolean
  /** Why it is in neither list: a sentence for `kpng explain`; absent where it is used. */
  readonly reason?: string
}

/**
 * Traffic to a service port by what it is addressed to and where it comes from. External is a node port, an
 * externalIP or a load balancer's address. A pod is what the local detector takes for one; a node is a source with
 * an address of this node (its processes, pods on the host's network); elsewhere is everything else, for ClusterIPs
 * the node included.
 */
export type TrafficClass =
  | 'clusterIPFromPod'
  | 'clusterIPFromElsewhere'
  | 'externalFromPod'
  | 'externalFromNode'
  | 'externalFromElsewhere'

/** What becomes of a new connection. Decided on the original source; established flows stay where they are. */
export interface TrafficDecision {
  /** cluster: a random one of the endpoints that are inCluster. local: of those that are inLocal. */
  readonly list: 'cluster' | 'local'
  /**
   * serve: the list is not empty. refuse: nobody in the cluster can serve (the client sees ECONNREFUSED). drop:
   * somebody can, but nobody in the list (nothing comes back).
   */
  readonly verdict: 'serve' | 'refuse' | 'drop'
  /**
   * The source becomes the node's address. Whatever this says, it also does when the endpoint chosen is local (see
   * EndpointView) and has the source's own address.
   */
  readonly masquerade: boolean
}

export type TrafficDecisions = Readonly<Record<TrafficClass, TrafficDecision>>

/** The endpoints of one service port in one family, selected for this node (kube-proxy's CategorizeEndpoints). */
export interface PortEndpointsView {
  readonly endpoints: readonly EndpointView[]
  /**
   * Somebody in the cluster could serve: decides between "refused" (false) and "no local endpoint, dropped"
   * (true) where the list in force is empty.
   */
  readonly hasAnyEndpoints: boolean
  /**
   * By whom it is called. Equal decisions of many ports are one object. The external ones mean nothing for a port
   * that has no way in from outside (no node port, externalIP or load balancer address).
   */
  readonly decisions: TrafficDecisions
  /** The topology mode in force, for people: '' | 'PreferSameZone' | 'PreferSameNode'. */
  readonly topologyMode: '' | 'PreferSameZone' | 'PreferSameNode'
}

export interface ServicePortView {
  /** May be ''. Unique in the Service together with protocol. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** 0 when there is none. */
  readonly nodePort: number
  readonly endpoints: { readonly [F in Family]?: PortEndpointsView }
}

/** The Service's addresses in one family. A Service that has no ClusterIP of a family has no row for it. */
export interface ServiceAddressesView {
  readonly clusterIP: string
  readonly externalIPs: readonly string[]
  /** status.loadBalancer ingress addresses with ipMode VIP (or none). */
  readonly loadBalancerIPs: readonly string[]
  /** loadBalancerSourceRanges of the family; empty = everybody. */
  readonly sourceRanges: readonly string[]
}

export interface ServiceView {
  readonly namespace: string
  readonly name: string
  readonly type: string
  readonly addresses: { readonly [F in Family]?: ServiceAddressesView }
  readonly ports: readonly ServicePortView[]
  /** ClientIP session affinity timeout in seconds; 0 = none. */
  readonly affinityTimeoutSeconds: number
  /** internalTrafficPolicy is Local. */
  readonly internalLocal: boolean
  /** externalTrafficPolicy is Local and counts (kube-proxy's ExternalPolicyLocal). */
  readonly externalLocal: boolean
  /** Where load balancers ask this node for the Service's health; 0 = nowhere. */
  readonly healthCheckNodePort: number
}

/** What is true of the node itself. */
export interface NodeView {
  readonly name: string
  /**
   * An address that the user names as the node's own, then InternalIPs and ExternalIPs of the Node's status,
   * canonical. The first of a family is the node's primary address.
   */
  readonly addresses: readonly string[]
  /** '' when the Node has no zone label. */
  readonly zone: string
  /** CIDRs out of which ClusterIPs are allocated (ServiceCIDR objects), canonical. */
  readonly serviceCIDRs: readonly string[]
  /**
   * May get traffic from load balancers: the Node is known, is not being deleted (deletionTimestamp), and has no
   * taint ToBeDeletedByClusterAutoscaler, whatever its value and effect.
   */
  readonly eligible: boolean
}

/** What a sync says of what was recorded. */
export interface SyncState {
  /**
   * false: rows that were not set may exist all the same, for a source could not be read whole yet. What a previous
   * backend has left and nobody has set stays. Once a sync was complete, so are all that follow.
   */
  readonly complete: boolean
}

/**
 * The one interface between a brain and a backend, in process. Calls only record what is wanted; `sync` says that
 * what was recorded is consistent and, unless its state says otherwise, complete: everything not set may be removed.
 */
export interface ViewSink {
  setNode(node: NodeView): void
  setService(service: ServiceView): void
  deleteService(namespace: string, name: string): void
  sync(state?: SyncState): void
}

/** `namespace/name`: the key of a Service everywhere. */
export const serviceKey = (service: { readonly namespace: string; readonly name: string }): string =>
  `${service.namespace}/${service.name}`

/** What kind of problem it is, for Events and programs; docs/events.md says more of each. */
export type ProblemReason =
  | 'AddressNotServed' // an address that is no destination, or not of its family
  | 'CapacityExceeded' // maps or ids are full
  | 'DatapathDetached' // the programs are not in place
  | 'DatapathUnpinned' // what an agent that starts again must find cannot be pinned
  | 'FrontendConflict' // another Service claims the same address and port, and has it
  | 'NameTooLong'
  | 'ProtocolNotServed'
  | 'ServiceCIDRIgnored'
  | 'SourceRangesNotServed' // where sockets have which source address cannot be found out
  | 'UpdateFailed' // the kernel refused; will be tried again

/** Who said what is wrong with which object; one line for people, fields for programs. */
export interface Problem {
  /** `file:line:column`, a kind/namespace/name, or a service key: the most exact place known. */
  readonly where: string
  /** JSON-path-like field, e.g. `spec.ports[0].nodePort`; '' when it is the whole object. */
  readonly field: string
  readonly message: string
  /** Absent for what is wrong with an object or a source itself. */
  readonly reason?: ProblemReason
}
