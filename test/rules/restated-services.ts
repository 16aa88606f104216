/** Rules 1 said once more: what of a Service counts in a family. */
import type { Family, Protocol } from '@kpng/api'
import type { Hit } from './branches.ts'
import type { RawService, RawServicePort } from './raw-objects.ts'
import { parseAddress, parseCidr } from './sloppy-addresses.ts'

/** A Service in one family. */
export interface StatedService {
  readonly clusterIP: string
  readonly externalIPs: readonly string[]
  readonly loadBalancerIPs: readonly string[]
  /** Empty: everybody. */
  readonly sourceRanges: readonly string[]
  readonly internalLocal: boolean
  readonly externalLocal: boolean
  /** 0: none. */
  readonly healthCheckNodePort: number
  /** 0: none. */
  readonly affinitySeconds: number
  readonly ports: readonly { name: string; protocol: Protocol; port: number; nodePort: number }[]
}

/** undefined: for kube-proxy there is no such Service in this family. */
export function serviceIn(family: Family, service: RawService, hit: Hit): StatedService | undefined {
  const labels = service.metadata.labels ?? {}
  const proxy = labels['service.kubernetes.io/service-proxy-name']
  if (proxy !== undefined) {
    hit(proxy === '' ? 'KP-1.1 another proxy, empty label' : 'KP-1.1 another proxy')
    return undefined
  }
  const spec = service.spec ?? {}
  if ((spec.clusterIP ?? '') === '') {
    hit('KP-1.5 no ClusterIP')
    return undefined
  }
  if (spec.clusterIP === 'None') {
    hit('KP-1.5 headless')
    return undefined
  }
  if (spec.type === 'ExternalName') {
    hit('KP-1.5 ExternalName with a ClusterIP')
    return undefined
  }
  const ports = spec.ports ?? []
  const clusterIP = clusterIPIn(family, service, hit)
  if (clusterIP === undefined) {
    hit(
      'KP-1.6 no ClusterIP of the family, but node ports',
      ports.some(port => (port.nodePort ?? 0) !== 0),
    )
    return undefined
  }

  // An API server fills in ClusterIP, TCP and 10800.
  const type = spec.type ?? 'ClusterIP'
  const loadBalancerIPs = loadBalancerIPsIn(family, service, hit)
  hit(
    'KP-1.7 node port of type ClusterIP',
    type === 'ClusterIP' && ports.some(port => (port.nodePort ?? 0) !== 0),
  )
  hit('KP-1.7 load balancer of another type', type !== 'LoadBalancer' && loadBalancerIPs.length > 0)
  hit(
    'KP-1.8 targetPort',
    ports.some(port => port.targetPort !== null && port.targetPort !== undefined),
  )
  hit('KP-1.8 trafficDistribution', (spec.trafficDistribution ?? '') !== '')
  hit('KP-1.15 one number, two protocols', new Set(ports.map(port => port.port)).size < ports.length)

  const affinity = spec.sessionAffinity === 'ClientIP'
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds
  hit('(KP-4.3.2) affinity', affinity)
  hit('(KP-4.3.2) default timeout', affinity && (timeout === undefined || timeout === null))

  const internalLocal = spec.internalTrafficPolicy === 'Local'
  hit('KP-1.12 internal Local', internalLocal)
  return {
    clusterIP,
    externalIPs: externalIPsIn(family, spec.externalIPs ?? [], hit),
    loadBalancerIPs,
    sourceRanges: sourceRangesIn(family, spec.loadBalancerSourceRanges ?? [], hit),
    internalLocal,
    externalLocal: externalLocal(service, hit),
    healthCheckNodePort: healthCheckNodePort(service, hit),
    affinitySeconds: affinity ? (timeout ?? 10_800) : 0,
    ports: ports.map(statedPort),
  }
}

const statedPort = (port: RawServicePort) => ({
  name: port.name ?? '',
  protocol: (port.protocol ?? 'TCP') as Protocol,
  port: port.port,
  nodePort: port.nodePort ?? 0,
})

function clusterIPIn(family: Family, { spec }: RawService, hit: Hit): string | undefined {
  const families = spec?.ipFamilies ?? []
  const at = families.indexOf(family)
  const text = families.length === 0 ? spec?.clusterIP : spec?.clusterIPs?.[at]
  const found = parseAddress(text ?? '')
  if (found?.family !== family) return undefined
  hit(
    families.length === 0 ? 'KP-1.6 family by clusterIP alone' : 'KP-1.6 family by clusterIPs and ipFamilies',
  )
  return found.text
}

function loadBalancerIPsIn(family: Family, { status }: RawService, hit: Hit): string[] {
  const found: string[] = []
  for (const { ip, ipMode } of status?.loadBalancer?.ingress ?? []) {
    const address = parseAddress(ip ?? '')
    if (address === undefined) hit('KP-1.9 hostname')
    else if (address.family !== family) hit('KP-1.9 other family')
    else if (ipMode === 'Proxy') hit('KP-1.9 Proxy')
    else {
      hit(ipMode === 'VIP' ? 'KP-1.9 VIP' : 'KP-1.9 no mode')
      found.push(address.text)
    }
  }
  return found
}

function externalIPsIn(family: Family, texts: readonly string[], hit: Hit): string[] {
  const found: string[] = []
  for (const text of texts) {
    const address = parseAddress(text)
    if (address === undefined) hit('KP-1.10 bad external IP')
    else if (address.family !== family) hit('KP-1.10 other family')
    else {
      hit('KP-1.10 external IP')
      found.push(address.text)
    }
  }
  return found
}

function sourceRangesIn(family: Family, texts: readonly string[], hit: Hit): string[] {
  const ranges = texts.flatMap(text => {
    hit('KP-1.11 white space', text !== text.trim())
    const cidr = parseCidr(text.trim())
    hit('KP-1.11 bad range', cidr === undefined)
    return cidr === undefined ? [] : [cidr]
  })
  const own = ranges.filter(range => range.family === family)
  hit('KP-1.11 only ranges of the other family', ranges.length > 0 && own.length === 0)
  if (own.some(range => range.length === 0)) {
    hit('KP-1.11 zero range')
    return []
  }
  hit('KP-1.11 ranges', own.length > 0)
  return own.map(range => range.text)
}

function externalLocal({ spec }: RawService, hit: Hit): boolean {
  if (spec?.externalTrafficPolicy !== 'Local') return false
  const type = spec.type ?? 'ClusterIP'
  const byType = type === 'LoadBalancer' || type === 'NodePort'
  const byIPs = type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0
  hit('KP-1.12 Local by type', byType)
  hit('KP-1.12 Local by external IPs', byIPs)
  hit('KP-1.12 Local does not count', !byType && !byIPs)
  return byType || byIPs
}

function healthCheckNodePort({ spec }: RawService, hit: Hit): number {
  const port = spec?.healthCheckNodePort ?? 0
  if (spec?.type !== 'LoadBalancer') hit('KP-1.13 other type', port !== 0)
  else if (spec.externalTrafficPolicy !== 'Local') hit('KP-1.13 policy Cluster', port !== 0)
  else {
    hit(port === 0 ? 'KP-1.13 no number' : 'KP-1.13 health check')
    return port
  }
  return 0
}
