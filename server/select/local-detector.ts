/** How traffic of pods is told from other traffic, and in which families it can be. */
import { canonicalCIDR, type Family, ipFamily } from '@kpng/api'

/** kube-proxy's detectLocalMode, with what it needs. */
export type LocalDetector =
  | { readonly mode: 'ClusterCIDR'; readonly clusterCIDRs: readonly string[] }
  /** By the Node's podCIDRs. */
  | { readonly mode: 'NodeCIDR' }
  | { readonly mode: 'BridgeInterface' | 'InterfaceNamePrefix' }

/** In each family the CIDR that pods have their addresses of, or 'interface'; absent: pods can't be told. */
export type PodSources = { readonly [F in Family]?: string }

/** Only the first CIDR of a family counts. CIDRs that are none are ignored. */
export function podSources(detector: LocalDetector | undefined, podCIDRs: readonly string[]): PodSources {
  switch (detector?.mode) {
    case undefined:
      return {}
    case 'ClusterCIDR':
      return firstOfFamily(detector.clusterCIDRs)
    case 'NodeCIDR':
      return firstOfFamily(podCIDRs)
    default:
      return { IPv4: 'interface', IPv6: 'interface' }
  }
}

function firstOfFamily(texts: readonly string[]): PodSources {
  const found: { [F in Family]?: string } = {}
  for (const text of texts) {
    const cidr = canonicalCIDR(text)
    if (cidr !== undefined) found[ipFamily(cidr)] ??= cidr
  }
  return found
}
