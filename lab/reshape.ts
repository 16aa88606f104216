import { instanceName } from './names.ts'
import type { LabPlan, PlannedPod } from './plan.ts'
import type { ClientState, LabState, PodState, ServedPort } from './state.ts'

/**
 * Changes the state to what the plan asks for; `weave` then does it. Nothing is ever taken away but addresses of
 * nodes: nodes and pods that left the manifests stay, and so do their ports.
 */
export function reshape(state: LabState, plan: LabPlan): void {
  for (const [name, { addresses }] of plan.nodes) {
    const instance = instanceName(state.name, name)
    state.nodes[name] ??= { index: 0, addresses: [], wiredAddresses: null, instance }
    state.nodes[name].addresses = [...addresses]
  }
  for (const [address, planned] of plan.pods) placePod(state, address, planned)
}

/** The pod at its place; one that is elsewhere has to be plugged in anew. */
export function placePod(state: LabState, address: string, { node, inNode, ports }: PlannedPod): PodState {
  const old = state.pods[address]
  const stays = old?.isWired === true && !old.inNode && old.node === node
  const isWired = inNode || stays
  const pod = { index: old?.index ?? 0, isWired, node, inNode, ports: union(old?.ports ?? [], ports) }
  state.pods[address] = pod
  return pod
}

export function placeClient(state: LabState, address: string, via: string | null): ClientState {
  const old = state.clients[address]
  const client = { index: old?.index ?? 0, isWired: old?.isWired === true && old.via === via, via }
  state.clients[address] = client
  return client
}

function union(a: readonly ServedPort[], b: readonly ServedPort[]): ServedPort[] {
  const all = new Map([...a, ...b].map(port => [`${port.port}/${port.protocol}`, port]))
  return [...all.values()]
}
