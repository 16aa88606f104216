import { type Family, ipFamily, type Protocol } from '@kpng/api'
import { frontendAddress, frontendAddresses, networks, sortedUnique } from './address-fields.ts'
import { type Fields, show } from './fields.ts'
import { MAX_LABEL, readIdentity } from './metadata.ts'
import type { Service, ServicePort } from './types.ts'

export const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']
const FAMILIES: readonly Family[] = ['IPv4', 'IPv6']
const POLICIES = ['Cluster', 'Local'] as const

/** API default and bounds of sessionAffinityConfig.clientIP.timeoutSeconds. */
const AFFINITY_DEFAULT_S = 10_800
const AFFINITY_MAX_S = 86_400

/** Any value of this label, even an empty one, gives the Service to another proxy. */
const PROXY_NAME = 'service.kubernetes.io/service-proxy-name'

/** A Service out of untrusted fields; undefined only when it has no identity. Bad fields are reported. */
export function readService(object: Fields): Service | undefined {
  const identity = readIdentity(object, 'namespaced', MAX_LABEL)
  if (identity === undefined) return undefined
  const spec = object.record('spec')
  if (!object.has('spec')) object.report('is missing: the Service has no address and is not served', 'spec')
  const type = spec?.string('type') ?? 'ClusterIP'
  const clusterIP = spec?.string('clusterIP') ?? ''
  const wantsExternalLocal = spec?.word('externalTrafficPolicy', POLICIES) === 'Local'
  return {
    kind: 'Service',
    namespace: identity.namespace,
    name: identity.name,
    ...(identity.uid === undefined ? {} : { uid: identity.uid }),
    type,
    headless: clusterIP === 'None',
    foreignProxy: identity.labels?.has(PROXY_NAME) ?? false,
    clusterIPs: spec === undefined || type === 'ExternalName' ? {} : readClusterIPs(spec, clusterIP),
    externalIPs: spec === undefined ? [] : sortedUnique(frontendAddresses(spec, 'externalIPs')),
    loadBalancerIPs: readLoadBalancerIPs(object),
    sourceRanges: spec === undefined ? [] : sortedUnique(networks(spec, 'loadBalancerSourceRanges')),
    ports: spec === undefined ? [] : readPorts(spec),
    affinityTimeoutSeconds: spec === undefined ? 0 : readAffinity(spec),
    internalLocal: spec?.word('internalTrafficPolicy', POLICIES) === 'Local',
    externalLocal: wantsExternalLocal && spec !== undefined && externallyAccessible(spec, type),
    healthCheckNodePort:
      wantsExternalLocal && spec !== undefined && type === 'LoadBalancer' ? readHealthCheckPort(spec) : 0,
  }
}

/**
 * kube-proxy's GetClusterIPByFamily: without ipFamilies the family of clusterIP, else clusterIPs[i] for
 * ipFamilies[i]. A manifest that was never in an API server may lack clusterIPs: the API's default for it is
 * [clusterIP].
 */
function readClusterIPs(spec: Fields, clusterIP: string): Service['clusterIPs'] {
  if (clusterIP === 'None') return {}
  if (clusterIP === '') {
    spec.report('is missing: the Service has no address and is not served', 'clusterIP')
    return {}
  }
  const families = spec.strings('ipFamilies').filter(({ text }, i, all) => {
    const good = FAMILIES.some(family => family === text) && all.findIndex(it => it.text === text) === i
    if (!good) spec.report(`is not a family, or named twice: ${show(text)}: ignored`, 'ipFamilies', i)
    return good
  })
  if (families.length === 0) {
    const address = frontendAddress(spec, clusterIP, 'clusterIP')
    return address === undefined ? {} : { [ipFamily(address)]: address }
  }
  const listed = spec.has('clusterIPs')
  const texts = listed ? spec.strings('clusterIPs') : [{ text: clusterIP, index: 0 }]
  const found: { [F in Family]?: string } = {}
  for (const { text: family, index } of families) {
    const text = texts.find(it => it.index === index)?.text
    if (text === undefined) continue
    const field = listed ? (['clusterIPs', index] as const) : (['clusterIP'] as const)
    const address = frontendAddress(spec, text, ...field)
    if (address === undefined) continue
    if (ipFamily(address) === family) found[ipFamily(address)] = address
    else spec.report(`is not ${family}, as ipFamilies[${index}] says: ${show(text)}: ignored`, ...field)
  }
  return found
}

/** Only addresses with ipMode VIP, or none: the others' traffic is for the load balancer to carry. */
function readLoadBalancerIPs(object: Fields): string[] {
  const balancer = object.record('status')?.record('loadBalancer')
  const found: string[] = []
  for (const ingress of balancer?.records('ingress') ?? []) {
    const ip = ingress.string('ip')
    if (ip === undefined || ip === '' || (ingress.string('ipMode') ?? 'VIP') !== 'VIP') continue
    const address = frontendAddress(ingress, ip, 'ip')
    if (address !== undefined) found.push(address)
  }
  return sortedUnique(found)
}

function readPorts(spec: Fields): ServicePort[] {
  const found = new Map<string, ServicePort>()
  for (const port of spec.records('ports')) {
    const name = readPortName(port)
    const protocol = port.has('protocol') ? port.word('protocol', PROTOCOLS) : 'TCP'
    const number = port.integer('port', 1, 65_535)
    if (!port.has('port')) port.report('is missing: the port is ignored', 'port')
    if (name === undefined || protocol === undefined || number === undefined) continue
    const nodePort = port.integer('nodePort', 0, 65_535) ?? 0
    const key = `${protocol}/${name}`
    if (found.has(key))
      port.report(`a second port ${show(name)} with protocol ${protocol}: the last one is used`)
    found.set(key, { name, protocol, port: number, nodePort })
  }
  return [...found.values()]
}

/** undefined, and reported, when there is one that cannot be used. */
function readPortName(port: Fields): string | undefined {
  if (!port.has('name')) return ''
  const name = port.string('name')
  if (name === undefined || name.length <= MAX_LABEL) return name
  port.report(`is longer than ${MAX_LABEL}: the port is ignored`, 'name')
  return undefined
}

function readAffinity(spec: Fields): number {
  if (spec.word('sessionAffinity', ['None', 'ClientIP']) !== 'ClientIP') return 0
  const clientIP = spec.record('sessionAffinityConfig')?.record('clientIP')
  return clientIP?.integer('timeoutSeconds', 1, AFFINITY_MAX_S) ?? AFFINITY_DEFAULT_S
}

/** The API server allocates one for every Service that needs it, so having none is an error. */
function readHealthCheckPort(spec: Fields): number {
  const port = spec.integer('healthCheckNodePort', 0, 65_535)
  if (port === 0 || !spec.has('healthCheckNodePort')) {
    spec.report('is missing: load balancers cannot ask this node for its health', 'healthCheckNodePort')
  }
  return port ?? 0
}

/** Kubernetes' ExternallyAccessible: by type, and by whether externalIPs are asked for, good ones or not. */
function externallyAccessible(spec: Fields, type: string): boolean {
  if (type === 'LoadBalancer' || type === 'NodePort') return true
  return type === 'ClusterIP' && spec.length('externalIPs') > 0
}
