/** Topology hints: which ready endpoints the cluster list is narrowed to (kube-proxy's topologyModeFromHints). */
import type { PortEndpointsView } from '@kpng/api'
import type { Endpoint } from '../objects/types.ts'

export type TopologyMode = PortEndpointsView['topologyMode']

/** Where this node is: its name, and its zone ('' when the Node has no zone label). */
export interface NodePlace {
  readonly name: string
  readonly zone: string
}

/**
 * Decided by the ready endpoints alone. A mode is in force only if every one of them has a hint of its sort and
 * at least one hint names this place; nodes go before zones.
 */
export function topologyMode(endpoints: Iterable<Endpoint>, node: NodePlace): TopologyMode {
  let any = false
  let allHaveNodes = true
  let allHaveZones = true
  let oneForNode = false
  let oneForZone = false
  for (const { ready, nodeHints, zoneHints } of endpoints) {
    if (!ready) continue
    any = true
    allHaveNodes &&= nodeHints !== undefined
    allHaveZones &&= zoneHints !== undefined
    oneForNode ||= nodeHints?.includes(node.name) === true
    oneForZone ||= node.zone !== '' && zoneHints?.includes(node.zone) === true
  }
  if (any && allHaveNodes && oneForNode) return 'PreferSameNode'
  if (any && allHaveZones && oneForZone) return 'PreferSameZone'
  return ''
}

/** Whether the hints of an endpoint let this node use it. */
export function availableIn(mode: TopologyMode, endpoint: Endpoint, node: NodePlace): boolean {
  if (mode === 'PreferSameNode') return endpoint.nodeHints?.includes(node.name) === true
  if (mode === 'PreferSameZone') return endpoint.zoneHints?.includes(node.zone) === true
  return true
}
