import {
  type AddressClass,
  type Cidr,
  cidrContains,
  classifyIP,
  type Family,
  familyOfBytes,
  formatIP,
  type NodeView,
  type Problem,
  parseCIDR,
  parseIP,
} from '@kpng/api'

/** MAX_SERVICE_CIDRS of the datapath. */
const MAX_SERVICE_CIDRS = 8

/** No NodePort address is one of these. */
const NEVER: ReadonlySet<AddressClass> = new Set(['loopback', 'unspecified'])

/** Where NodePorts are served: the node's primary address of each family, or its addresses inside CIDRs. */
export type NodePortAddresses = 'primary' | readonly string[]

export interface NodePlan {
  /** Canonical, sorted as found. */
  readonly nodePortAddresses: readonly string[]
  readonly nodePortFamilies: ReadonlySet<Family>
  /** The node's own address of each family, canonical. */
  readonly primaryAddresses: { readonly [F in Family]?: string }
  readonly serviceCIDRs: { readonly [F in Family]: readonly Cidr[] }
  readonly problems: readonly Problem[]
}

/**
 * What the node itself wants of the maps.
 *
 * `localAddresses` are those of the node's interfaces, for CIDRs to choose from; without them the Node's own
 * (status.addresses) are. As with kube-proxy, CIDRs of one family only leave the other family unrestricted.
 * Two deviations: `primary` serves no NodePorts in a family in which the Node has no address (kube-proxy
 * serves them on every address), and loopback is never served.
 */
export function planNode(
  node: NodeView | undefined,
  choice: NodePortAddresses,
  localAddresses?: readonly string[],
): NodePlan {
  const problems: Problem[] = []
  const where = `Node/${node?.name ?? ''}`
  const addresses: string[] = []
  const families = new Set<Family>()
  for (const family of ['IPv4', 'IPv6'] as const) {
    const chosen = choose(family, choice, node?.addresses ?? [], localAddresses)
    for (const address of chosen) {
      if (!addresses.includes(address)) addresses.push(address)
      families.add(family)
    }
  }
  const serviceCIDRs: { [F in Family]: Cidr[] } = { IPv4: [], IPv6: [] }
  for (const text of node?.serviceCIDRs ?? []) {
    const cidr = parseCIDR(text)
    const list = cidr && serviceCIDRs[cidr.family]
    if (cidr === undefined || list === undefined)
      problems.push({
        where,
        field: 'serviceCIDRs',
        message: `${text} is not a CIDR`,
        reason: 'ServiceCIDRIgnored',
      })
    else if (list.length === MAX_SERVICE_CIDRS)
      problems.push({
        where,
        field: 'serviceCIDRs',
        message: `${text} is ignored: at most ${MAX_SERVICE_CIDRS} a family`,
        reason: 'ServiceCIDRIgnored',
      })
    else list.push(cidr)
  }
  return {
    nodePortAddresses: addresses,
    nodePortFamilies: families,
    primaryAddresses: primaryAddresses(node),
    serviceCIDRs,
    problems,
  }
}

/** The first address of each family that others can reach. */
export function primaryAddresses(node: NodeView | undefined): NodePlan['primaryAddresses'] {
  const primary: { [F in Family]?: string } = {}
  for (const family of ['IPv4', 'IPv6'] as const) {
    const [address] = choose(family, 'primary', node?.addresses ?? [], undefined)
    if (address !== undefined) primary[family] = address
  }
  return primary
}

function choose(
  family: Family,
  choice: NodePortAddresses,
  nodeAddresses: readonly string[],
  localAddresses: readonly string[] | undefined,
): string[] {
  const usable = (texts: readonly string[]) =>
    texts
      .map(parseIP)
      .filter(ip => ip !== undefined)
      .filter(ip => familyOfBytes(ip) === family && !NEVER.has(classifyIP(ip)))
  if (choice === 'primary') return usable(nodeAddresses).slice(0, 1).map(formatIP)
  const cidrs = choice.map(parseCIDR).filter(cidr => cidr?.family === family)
  return usable(localAddresses ?? nodeAddresses)
    .filter(ip => cidrs.length === 0 || cidrs.some(cidr => cidr !== undefined && cidrContains(cidr, ip)))
    .map(formatIP)
}
