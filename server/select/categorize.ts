/** Which endpoints of a service port this node uses for what (kube-proxy's CategorizeEndpoints). */
import type { EndpointView, PortEndpointsView } from '@kpng/api'
import type { Endpoint } from '../objects/types.ts'
import type { PortEndpoint } from './endpoints.ts'
import { availableIn, type NodePlace, type TopologyMode, topologyMode } from './topology.ts'

/** Which lists a service port has in a family, by its policies and how it can be reached. */
export interface ListUse {
  /** internalTrafficPolicy is Cluster, or it is reachable from outside. */
  readonly cluster: boolean
  /** internalTrafficPolicy is Local, or externalTrafficPolicy is and it is reachable from outside. */
  readonly local: boolean
}

/** Serves its last connections: used where there is nothing better. */
const isFallback = (endpoint: Endpoint): boolean => endpoint.serving && endpoint.terminating

interface Lists {
  readonly use: ListUse
  readonly node: NodePlace
  readonly mode: TopologyMode
  readonly inCluster: (endpoint: Endpoint) => boolean
  readonly inLocal: (endpoint: Endpoint) => boolean
}

/** Keeps the order of the endpoints. Every endpoint is in the answer, with the reason where it is not used. */
export function categorize(
  endpoints: readonly PortEndpoint[],
  use: ListUse,
  node: NodePlace,
): Omit<PortEndpointsView, 'decisions'> {
  const all = endpoints.map(it => it.endpoint)
  const mode = use.cluster ? topologyMode(all, node) : ''
  const lists: Lists = {
    use,
    node,
    mode,
    inCluster: use.cluster ? clusterList(all, mode, node) : nothing,
    inLocal: use.local ? localList(all, node) : nothing,
  }
  return {
    endpoints: endpoints.map(it => endpointView(it, lists)),
    hasAnyEndpoints:
      all.some(lists.inCluster) ||
      (use.local && all.some(endpoint => endpoint.ready || isFallback(endpoint))),
    topologyMode: mode,
  }
}

const nothing = () => false

/** Ready endpoints that topology allows; if there are none, all that serve while terminating, wherever they are. */
function clusterList(
  all: readonly Endpoint[],
  mode: TopologyMode,
  node: NodePlace,
): (endpoint: Endpoint) => boolean {
  const best = (endpoint: Endpoint) => endpoint.ready && availableIn(mode, endpoint, node)
  return all.some(best) ? best : isFallback
}

/** Ready endpoints of this node; if there are none, those of this node that serve while terminating. No hints. */
function localList(all: readonly Endpoint[], node: NodePlace): (endpoint: Endpoint) => boolean {
  const best = (endpoint: Endpoint) => endpoint.nodeName === node.name && endpoint.ready
  if (all.some(best)) return best
  return endpoint => endpoint.nodeName === node.name && isFallback(endpoint)
}

function endpointView({ endpoint, port }: PortEndpoint, lists: Lists): EndpointView {
  const inCluster = lists.inCluster(endpoint)
  const inLocal = lists.inLocal(endpoint)
  // Not by spreading what is there: a large cluster has a hundred thousand of them.
  const view: { -readonly [K in keyof EndpointView]: EndpointView[K] } = {
    address: endpoint.address,
    port,
    local: endpoint.nodeName === lists.node.name,
    ready: endpoint.ready,
    serving: endpoint.serving,
    terminating: endpoint.terminating,
    inCluster,
    inLocal,
  }
  if (endpoint.pod !== undefined) view.pod = endpoint.pod
  if (endpoint.nodeName !== undefined) view.nodeName = endpoint.nodeName
  if (endpoint.zone !== undefined) view.zone = endpoint.zone
  if (!inCluster && !inLocal) view.reason = whyUnused(endpoint, lists)
  return view
}

/** For people. The endpoint is in neither list. */
function whyUnused(endpoint: Endpoint, { use, node, mode }: Lists): string {
  if (!endpoint.ready && !isFallback(endpoint)) {
    return endpoint.terminating ? 'terminating, and no longer serving' : 'not ready'
  }
  if (!use.cluster && endpoint.nodeName !== node.name) {
    const where = endpoint.nodeName === undefined ? 'on no known node' : `on node ${endpoint.nodeName}`
    return `${where}, and internalTrafficPolicy is Local`
  }
  if (!endpoint.ready) {
    return use.cluster
      ? 'terminating, and there are ready endpoints'
      : 'terminating, and there are ready endpoints here'
  }
  if (mode === 'PreferSameNode')
    return `hinted for node ${names(endpoint.nodeHints)}, this is node ${node.name}`
  return `hinted for zone ${names(endpoint.zoneHints)}, this node is in zone ${node.zone}`
}

const names = (hints: readonly string[] | undefined): string => (hints ?? []).join(', ')
