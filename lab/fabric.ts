import { familyOf, hostPrefix } from './address.ts'
import type { IpWork, Sysctls } from './ip-batch.ts'
import { clientNetns, fabricNetns, nodeNetns, podNetns } from './names.ts'
import type { ClientState, LabState, NodeState, PodState } from './state.ts'

/**
 * The wiring of a lab, as lines for `ip -batch`.
 *
 * The fabric is a router: a point-to-point veth to every node, client and host without a node, and no way out.
 * Nodes are routers for their pods. Hosts send everything to 169.254.1.1 or fe80::1 on their only link, routers
 * send to a node's 169.254.1.2 or fe80::2; none of these is asked for: MAC addresses are permanent neighbours,
 * which costs no packets and no room in the machine's neighbour tables (1,024 entries for all namespaces).
 */
const gateway = { 4: '169.254.1.1', 6: 'fe80::1' } as const
const nodeNextHop = { 4: '169.254.1.2', 6: 'fe80::2' } as const
const defaultRoute = { 4: 'default', 6: '::/0' } as const

const gatewayMac = '02:6b:ff:ff:ff:ff'
const hostMac = (index: number): string => {
  const hex = index.toString(16).padStart(8, '0')
  return `02:6b:${hex.match(/../g)?.join(':')}`
}
const nodeTable = (node: NodeState): number => 1_000_000 + node.index

/** A node's or pod's address wins over a client's that is the same. */
const clusterMetric = 10
const clientMetric = 20

const bareAddress = (prefix: string): string => prefix.slice(0, prefix.indexOf('/'))

/** Whom a line is for: what fails is told about him. */
export const owner = {
  node: (name: string): string => `node ${name}`,
  pod: (address: string): string => `pod ${address}`,
  client: (address: string): string => `client ${address}`,
} as const

/** What the fabric's namespace needs once it is there. */
export function wireFabric(work: IpWork, lab: string): void {
  const lines = work.within(fabricNetns(lab))
  for (const text of [
    'link set lo up',
    'addr replace 169.254.1.1/32 dev lo', // so that ICMP errors have a source
    'route replace blackhole default metric 4000',
    'route replace blackhole ::/0 metric 4000',
  ])
    lines.push({ owner: 'fabric', text })
}

/** Plugs a new node into the fabric; its addresses come with `addNodeAddress`. */
export function wireNode(work: IpWork, lab: string, name: string, node: NodeState): void {
  const whom = owner.node(name)
  const netns = nodeNetns(lab, name)
  const fabric = work.within(fabricNetns(lab))
  const inside = work.within(netns)
  const device = `n${node.index}`
  work.host.push({ owner: whom, text: veth(fabricNetns(lab), device, netns, node.index) })
  inside.push({ owner: whom, text: 'link set lo up' }, ...hostLink(whom))
  for (const family of [4, 6] as const) {
    const via = `via ${nodeNextHop[family]} dev ${device} onlink`
    fabric.push(
      {
        owner: whom,
        text: `neigh replace ${nodeNextHop[family]} lladdr ${hostMac(node.index)} dev ${device} nud permanent`,
      },
      { owner: whom, text: `route replace ${defaultRoute[family]} ${via} table ${nodeTable(node)}` },
    )
    inside.push(...defaultGateway(whom, family))
  }
}

/** `prefix` is `address/length`: the address shows that length but everything goes through the fabric. */
export function addNodeAddress(
  work: IpWork,
  lab: string,
  name: string,
  node: NodeState,
  prefix: string,
): void {
  const address = bareAddress(prefix)
  const family = familyOf(address)
  const flags = family === 6 ? ' nodad noprefixroute' : ' noprefixroute'
  work
    .within(nodeNetns(lab, name))
    .push({ owner: owner.node(name), text: `addr replace ${prefix} dev eth0${flags}` })
  work.within(fabricNetns(lab)).push({ owner: owner.node(name), text: routeVia(address, node) })
}

export function removeNodeAddress(
  work: IpWork,
  lab: string,
  name: string,
  node: NodeState,
  prefix: string,
): void {
  const address = bareAddress(prefix)
  work.within(nodeNetns(lab, name)).push({ owner: owner.node(name), text: `addr del ${prefix} dev eth0` })
  work.within(fabricNetns(lab)).push({
    owner: owner.node(name),
    text: `route del ${hostPrefix(address)} dev n${node.index} metric ${clusterMetric}`,
  })
}

/** Plugs a pod of its own namespace into its node, or into the fabric. */
export function wirePod(work: IpWork, state: LabState, address: string, pod: PodState): void {
  const node = pod.node === null ? undefined : state.nodes[pod.node]
  const router = pod.node === null ? fabricNetns(state.name) : nodeNetns(state.name, pod.node)
  const netns = podNetns(state.name, address)
  const whom = owner.pod(address)
  wireHost(
    work,
    { owner: whom, router, device: `p${pod.index}`, netns, index: pod.index, address },
    clusterMetric,
  )
  if (node !== undefined) routePod(work, state.name, address, node)
}

/** The fabric's way to a pod of a node. */
export function routePod(work: IpWork, lab: string, address: string, node: NodeState): void {
  work.within(fabricNetns(lab)).push({ owner: owner.pod(address), text: routeVia(address, node) })
}

/** Takes a host's link away: all routes over it go with it, the namespace and its listeners stay. */
export function unplug(work: IpWork, whom: string, netns: string): void {
  work.within(netns).push({ owner: whom, text: 'link del dev eth0' })
}

export function wireClient(work: IpWork, lab: string, address: string, client: ClientState): void {
  const netns = clientNetns(lab, address)
  const router = fabricNetns(lab)
  const whom = owner.client(address)
  wireHost(
    work,
    { owner: whom, router, device: `c${client.index}`, netns, index: client.index, address },
    clientMetric,
  )
}

/**
 * For `ip -4` and `ip -6` in the fabric: what comes from the client goes to its node, wherever it is addressed
 * to. undefined without a node: then it follows the fabric's own routes.
 */
export function clientRule(state: LabState, client: ClientState): string[] | undefined {
  const node = client.via === null ? undefined : state.nodes[client.via]
  if (node === undefined) return undefined
  const priority = `${1_000 + client.index}`
  return ['rule', 'add', 'iif', `c${client.index}`, 'priority', priority, 'lookup', `${nodeTable(node)}`]
}

/** Of every namespace. A refusal is told each time, not only some times a second. */
const hostSysctls: Sysctls = {
  'net.ipv4.conf.all.rp_filter': '0',
  'net.ipv4.conf.default.rp_filter': '0',
  'net.ipv4.icmp_ratelimit': '0',
  'net.ipv6.icmp.ratelimit': '0',
}

/** Of a router's, before it gets devices: forward, no redirects, nothing is asked on the links. */
export const routerSysctls: Sysctls = {
  ...hostSysctls,
  'net.ipv4.ip_forward': '1',
  'net.ipv4.conf.all.send_redirects': '0',
  'net.ipv4.conf.default.send_redirects': '0',
  'net.ipv4.conf.all.accept_redirects': '0',
  'net.ipv4.conf.default.accept_redirects': '0',
  'net.ipv6.conf.all.forwarding': '1',
  'net.ipv6.conf.default.forwarding': '1',
  'net.ipv6.conf.default.accept_redirects': '0',
  'net.ipv6.conf.default.accept_ra': '0',
  'net.ipv6.conf.default.accept_dad': '0',
  'net.ipv6.conf.default.addr_gen_mode': '1', // no link-local address
}

interface HostWiring {
  readonly owner: string
  /** Namespace of the router that the host hangs on, and the router's device. */
  readonly router: string
  readonly device: string
  readonly netns: string
  readonly index: number
  readonly address: string
}

function wireHost(work: IpWork, host: HostWiring, metric: number): void {
  const { owner, address, device } = host
  const family = familyOf(address)
  const nodad = family === 6 ? ' nodad' : ''
  work.sysctls.set(host.netns, hostSysctls)
  work.host.push({ owner, text: veth(host.router, device, host.netns, host.index) })
  work
    .within(host.netns)
    .push(
      { owner, text: 'link set lo up' },
      ...hostLink(owner),
      { owner, text: `addr replace ${hostPrefix(address)} dev eth0${nodad}` },
      ...defaultGateway(owner, family),
    )
  work
    .within(host.router)
    .push(
      { owner, text: `neigh replace ${address} lladdr ${hostMac(host.index)} dev ${device} nud permanent` },
      { owner, text: `route replace ${hostPrefix(address)} dev ${device} metric ${metric}` },
    )
}

const veth = (router: string, device: string, netns: string, index: number): string =>
  `link add name ${device} up address ${gatewayMac} netns ${router} type veth peer name eth0 address ${hostMac(index)} netns ${netns}`

const routeVia = (address: string, node: NodeState): string =>
  `route replace ${hostPrefix(address)} via ${nodeNextHop[familyOf(address)]} dev n${node.index} onlink metric ${clusterMetric}`

const hostLink = (owner: string): Array<{ owner: string; text: string }> => [
  { owner, text: 'link set eth0 addrgenmode none' },
  { owner, text: 'link set eth0 up' },
]

const defaultGateway = (owner: string, family: 4 | 6): Array<{ owner: string; text: string }> => [
  { owner, text: `neigh replace ${gateway[family]} lladdr ${gatewayMac} dev eth0 nud permanent` },
  { owner, text: `route replace ${defaultRoute[family]} via ${gateway[family]} dev eth0 onlink` },
]
