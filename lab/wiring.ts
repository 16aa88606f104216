import {
  addNodeAddress,
  clientRule,
  owner,
  removeNodeAddress,
  routePod,
  unplug,
  wireClient,
  wireNode,
  wirePod,
} from './fabric.ts'
import { IpWork } from './ip-batch.ts'
import { clientNetns, nodeNetns, podNetns } from './names.ts'
import type { LabState, NodeState } from './state.ts'

/** What has to be done so that the kernel is as the state says. */
export interface Wiring {
  /** Namespaces of nodes to be made first, unless they are there. */
  readonly routers: readonly string[]
  /** The other namespaces to be made, unless they are there. */
  readonly hosts: readonly string[]
  /** Takes links away that may be there; that one is not is no failure. */
  readonly unplug: IpWork
  readonly plug: IpWork
  /** Arguments for `ip -4` and `ip -6` in the fabric, after `plug`. */
  readonly rules: ReadonlyArray<{ readonly owner: string; readonly args: readonly string[] }>
}

/**
 * The work for everything that is not wired as the state wants it: new, moved, or left half done by a command that
 * was killed. Gives each a new index in the state, so that nothing is in the way of what it gets.
 */
export function planWiring(state: LabState): Wiring {
  const work = { unplug: new IpWork(), plug: new IpWork() }
  const routers: string[] = []
  const hosts: string[] = []
  const rules: Array<{ owner: string; args: string[] }> = []
  for (const [name, node] of Object.entries(state.nodes)) {
    if (node.wiredAddresses === null) {
      routers.push(nodeNetns(state.name, name))
      plugNode(state, name, node, work)
    }
    changeAddresses(state, name, node, work.plug)
  }
  for (const [address, pod] of Object.entries(state.pods)) {
    const netns = podNetns(state.name, address)
    if ((!pod.isWired || pod.inNode) && pod.index !== 0) unplug(work.unplug, owner.pod(address), netns)
    if (pod.inNode) pod.index = 0
    if (pod.isWired) continue
    pod.index = state.nextIndex++
    hosts.push(netns)
    wirePod(work.plug, state, address, pod)
  }
  for (const [address, client] of Object.entries(state.clients)) {
    if (client.isWired) continue
    const netns = clientNetns(state.name, address)
    if (client.index !== 0) unplug(work.unplug, owner.client(address), netns)
    client.index = state.nextIndex++
    hosts.push(netns)
    wireClient(work.plug, state.name, address, client)
    const args = clientRule(state, client)
    if (args !== undefined) rules.push({ owner: owner.client(address), args })
  }
  return { routers, hosts, ...work, rules }
}

/** Says that all is done, but for the hosts for which something failed. */
export function markWired(state: LabState, failed: ReadonlySet<string>): void {
  for (const node of Object.values(state.nodes)) node.wiredAddresses = [...node.addresses]
  for (const [address, pod] of Object.entries(state.pods))
    pod.isWired = pod.inNode || !failed.has(owner.pod(address))
  for (const [address, client] of Object.entries(state.clients))
    client.isWired = !failed.has(owner.client(address))
}

function plugNode(
  state: LabState,
  name: string,
  node: NodeState,
  work: { readonly unplug: IpWork; readonly plug: IpWork },
): void {
  if (node.index !== 0) unplug(work.unplug, owner.node(name), nodeNetns(state.name, name))
  node.index = state.nextIndex++
  wireNode(work.plug, state.name, name, node)
  // What leads to it through the link that it had is gone with that link.
  for (const [address, pod] of Object.entries(state.pods))
    if (pod.node === name && pod.isWired && !pod.inNode) routePod(work.plug, state.name, address, node)
  for (const client of Object.values(state.clients)) if (client.via === name) client.isWired = false
}

function changeAddresses(state: LabState, name: string, node: NodeState, plug: IpWork): void {
  const has = node.wiredAddresses ?? []
  for (const prefix of has)
    if (!node.addresses.includes(prefix)) removeNodeAddress(plug, state.name, name, node, prefix)
  for (const prefix of node.addresses)
    if (!has.includes(prefix)) addNodeAddress(plug, state.name, name, node, prefix)
}
