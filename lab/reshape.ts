import { addNodeAddress, removeNodeAddress, unplugPod, wireNode, wirePod } from './fabric.ts'
import { IpWork } from './ip-batch.ts'
import { instanceName, nodeNetns, podNetns } from './names.ts'
import type { LabPlan, PlannedPod } from './plan.ts'
import type { LabState, NodeState, PodState, ServedPort } from './state.ts'

/** What has to be done so that the kernel is as the state says. */
export interface Reshaping {
  /** Namespaces that routers live in, to be made first; they need the routers' sysctls. */
  readonly routers: readonly string[]
  /** The other namespaces to be made. */
  readonly hosts: readonly string[]
  /** Before `plug`: what takes links away. */
  readonly unplug: IpWork
  readonly plug: IpWork
}

/**
 * Changes the state to what the plan asks for. Nothing is ever taken away but addresses of nodes: nodes and pods
 * that left the manifests stay, and so do their ports.
 */
export function reshape(state: LabState, plan: LabPlan): Reshaping {
  const routers: string[] = []
  const hosts: string[] = []
  const unplug = new IpWork()
  const plug = new IpWork()

  for (const [name, { addresses }] of plan.nodes) {
    let node = state.nodes[name]
    if (node === undefined) {
      node = { index: state.nextIndex++, addresses: [], instance: instanceName(state.name, name) }
      state.nodes[name] = node
      routers.push(nodeNetns(state.name, name))
      wireNode(plug, state.name, name, node)
    }
    reshapeAddresses(state, name, node, addresses, { unplug, plug })
  }
  for (const [address, planned] of plan.pods) {
    const { pod, isNew, moved } = reshapePod(state, address, planned)
    if (pod.inNode) continue
    if (isNew) hosts.push(podNetns(state.name, address))
    if (moved) unplugPod(unplug, state.name, address)
    if (isNew || moved) wirePod(plug, state, address, pod)
  }
  return { routers, hosts, unplug, plug }
}

function reshapeAddresses(
  state: LabState,
  name: string,
  node: NodeState,
  wanted: readonly string[],
  { unplug, plug }: { unplug: IpWork; plug: IpWork },
): void {
  for (const prefix of node.addresses)
    if (!wanted.includes(prefix)) removeNodeAddress(unplug, state.name, name, node, prefix)
  for (const prefix of wanted)
    if (!node.addresses.includes(prefix)) addNodeAddress(plug, state.name, name, node, prefix)
  node.addresses = [...wanted]
}

function reshapePod(
  state: LabState,
  address: string,
  planned: PlannedPod,
): { pod: PodState; isNew: boolean; moved: boolean } {
  const old = state.pods[address]
  const ports = unionPorts(old?.ports ?? [], planned.ports)
  if (old === undefined || old.inNode !== planned.inNode) {
    const hadNamespace = old?.hasNamespace === true
    const pod: PodState = {
      index: state.nextIndex++,
      node: planned.node,
      inNode: planned.inNode,
      hasNamespace: hadNamespace || !planned.inNode,
      ports,
    }
    state.pods[address] = pod
    return { pod, isNew: !hadNamespace, moved: hadNamespace }
  }
  const moved = old.node !== planned.node
  old.node = planned.node
  old.ports = ports
  return { pod: old, isNew: false, moved: moved && !old.inNode }
}

function unionPorts(a: readonly ServedPort[], b: readonly ServedPort[]): ServedPort[] {
  const all = new Map([...a, ...b].map(port => [`${port.port}/${port.protocol}`, port]))
  return [...all.values()]
}
