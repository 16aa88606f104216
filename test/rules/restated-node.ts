/** Rules about the node said once more: its addresses, whether it is eligible, how its pods are told from others. */
import type { Family } from '@kpng/api'
import type { Hit } from './branches.ts'
import type { RawNode, RawObject } from './raw-objects.ts'
import { parseAddress, parseCidr } from './sloppy-addresses.ts'

/** How local pods are told from others. */
export type Detector =
  | { readonly mode: 'ClusterCIDR'; readonly clusterCIDRs: readonly string[] }
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface' | 'InterfaceNamePrefix' }

export interface StatedNode {
  readonly zone: string
  readonly eligible: boolean
  readonly primary: { readonly [F in Family]?: string }
  readonly serviceCIDRs: readonly string[]
}

/** Rule 4.1.9. */
export function hasDetector(
  family: Family,
  detector: Detector | undefined,
  node: RawNode | undefined,
  hit: Hit,
): boolean {
  if (detector === undefined) {
    hit('KP-4.1.9 none')
    return false
  }
  const ofFamily = (texts: readonly string[]) => texts.some(text => parseCidr(text)?.family === family)
  if (detector.mode === 'ClusterCIDR') {
    const found = ofFamily(detector.clusterCIDRs)
    hit(found ? 'KP-4.1.9 clusterCIDR of the family' : 'KP-4.1.9 clusterCIDR of the other family')
    return found
  }
  if (detector.mode === 'NodeCIDR') {
    const found = ofFamily(node?.spec?.podCIDRs ?? [])
    hit(found ? 'KP-4.1.9 podCIDR' : 'KP-4.1.9 no podCIDR')
    return found
  }
  hit('KP-4.1.9 interface')
  return true
}

export function stateNode(
  objects: readonly RawObject[],
  node: RawNode | undefined,
  bindAddress: string | undefined,
  hit: Hit,
): StatedNode {
  const cidrs = objects
    .filter(object => object.kind === 'ServiceCIDR')
    .flatMap(object => object.spec?.cidrs ?? [])
    .flatMap(text => {
      const cidr = parseCidr(text)
      hit(cidr === undefined ? 'KP-1.4 bad ServiceCIDR' : 'KP-1.4 ServiceCIDR')
      return cidr === undefined ? [] : [cidr.text]
    })
  const addresses = ['InternalIP', 'ExternalIP'].flatMap(type =>
    (node?.status?.addresses ?? [])
      .filter(it => it.type === type)
      .flatMap(it => parseAddress(it.address) ?? []),
  )
  const internal = (node?.status?.addresses ?? []).some(it => it.type === 'InternalIP')
  hit('(KP-5.9) external address of the Node', !internal && addresses.length > 0)
  const bind = parseAddress(bindAddress ?? '')
  hit('(KP-5.9) bindAddress unspecified', bind?.value === 0n)
  if (bind !== undefined && bind.value !== 0n) {
    hit('(KP-5.9) bindAddress')
    addresses.unshift(bind)
  }
  const primary = (family: Family) => addresses.find(address => address.family === family)?.text
  const [four, six] = [primary('IPv4'), primary('IPv6')]
  return {
    zone: node?.metadata.labels?.['topology.kubernetes.io/zone'] ?? '',
    eligible: isEligible(node, hit),
    primary: { ...(four !== undefined && { IPv4: four }), ...(six !== undefined && { IPv6: six }) },
    serviceCIDRs: [...new Set(cidrs)].sort(),
  }
}

/** Rule 8.1.6. */
function isEligible(node: RawNode | undefined, hit: Hit): boolean {
  if (node === undefined) {
    hit('KP-8.1.6 unknown Node')
    return false
  }
  const taints = node.spec?.taints ?? []
  const deleted = (node.metadata.deletionTimestamp ?? '') !== ''
  const tainted = taints.some(taint => taint.key === 'ToBeDeletedByClusterAutoscaler')
  hit('KP-8.1.6 deleted', deleted)
  hit('KP-8.1.6 taint', tainted)
  hit('KP-8.1.6 another taint', !tainted && taints.length > 0)
  hit('KP-8.1.6 eligible', !deleted && !tainted)
  return !deleted && !tainted
}
