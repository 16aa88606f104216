import { classifyIP, classifyIPv4, type Family, formatIP, formatIPv4, parseIP, parseIPv4 } from '@kpng/api'
import { type Fields, show } from './fields.ts'
import { MAX_SUBDOMAIN, readIdentity } from './metadata.ts'
import { PROTOCOLS } from './service.ts'
import type { Endpoint, EndpointSlice, SlicePort } from './types.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const HEADLESS = 'service.kubernetes.io/headless'

/**
 * An EndpointSlice out of untrusted fields; undefined when it has no identity or its addresses are of no IP
 * family (FQDN slices: silently, the others: reported).
 */
export function readEndpointSlice(object: Fields): EndpointSlice | undefined {
  const identity = readIdentity(object, 'namespaced', MAX_SUBDOMAIN)
  const family = readFamily(object)
  if (identity === undefined || family === undefined) return undefined
  const headless = identity.labels?.has(HEADLESS) ?? false
  const service = identity.labels?.string(SERVICE_NAME) ?? ''
  if (service === '' && !headless) {
    object.report('is missing: no Service uses the slice', 'metadata', 'labels', SERVICE_NAME)
  }
  return {
    kind: 'EndpointSlice',
    namespace: identity.namespace,
    name: identity.name,
    service,
    headless,
    family,
    ports: readPorts(object),
    endpoints: readEndpoints(object, family),
  }
}

function readFamily(object: Fields): Family | undefined {
  if (!object.has('addressType')) object.report('is missing: the slice is ignored', 'addressType')
  const type = object.word('addressType', ['IPv4', 'IPv6', 'FQDN'])
  return type === 'FQDN' ? undefined : type
}

/** kube-proxy's rule: no name or no number is no port ("all ports" is not implemented); the name '' is one. */
function readPorts(object: Fields): SlicePort[] {
  const found: SlicePort[] = []
  for (const port of object.records('ports')) {
    const name = port.string('name')
    const number = port.integer('port', 0, 65_535)
    const protocol = port.has('protocol') ? port.word('protocol', PROTOCOLS) : 'TCP'
    if (!port.has('name')) port.report('is missing (it may be ""): the port is ignored', 'name')
    if (!port.has('port')) port.report('is missing: the port is ignored', 'port')
    if (name === undefined || number === undefined || protocol === undefined || number === 0) continue
    found.push({ name, protocol, port: number })
  }
  return found
}

/** Endpoints whose first address is no good are left out, with one complaint a slice. */
function readEndpoints(object: Fields, family: Family): Endpoint[] {
  const found: Endpoint[] = []
  let bad = 0
  let first: { readonly endpoint: Fields; readonly message: string } | undefined
  for (const endpoint of object.records('endpoints')) {
    const address = readAddress(endpoint, family)
    if (address.ok) {
      found.push(readEndpoint(endpoint, address.text))
    } else if (address.text !== '') {
      bad++
      first ??= { endpoint, message: address.text }
    }
  }
  if (first !== undefined) {
    const others = bad > 1 ? ` (and ${bad - 1} more of this slice)` : ''
    first.endpoint.report(`${first.message}: the endpoint is ignored${others}`, 'addresses', 0)
  }
  return found
}

/** The canonical address, or what is wrong with it ('' = nothing to say: there is none). */
function readAddress(endpoint: Fields, family: Family): { readonly ok: boolean; readonly text: string } {
  const text = endpoint.textAt('addresses', 0)
  if (text === undefined) return { ok: false, text: '' }
  // The most frequent ones by the shortest way.
  const value = family === 'IPv4' ? parseIPv4(text) : undefined
  if (value !== undefined && classifyIPv4(value) === 'ordinary') return { ok: true, text: formatIPv4(value) }
  const bytes = parseIP(text)
  if (bytes === undefined) return { ok: false, text: `is not an IP address: ${show(text)}` }
  if (bytes.length !== (family === 'IPv4' ? 4 : 16))
    return { ok: false, text: `is not ${family}: ${show(text)}` }
  const kind = classifyIP(bytes)
  if (kind !== 'ordinary') return { ok: false, text: `is no address for this (${kind}): ${show(text)}` }
  return { ok: true, text: formatIP(bytes) }
}

function readEndpoint(endpoint: Fields, address: string): Endpoint {
  const conditions = endpoint.record('conditions')
  const hints = endpoint.record('hints')
  const target = endpoint.record('targetRef')
  const pod = target?.is('kind', 'Pod') ? target.ownString('name') : undefined
  const nodeName = endpoint.string('nodeName')
  const zone = endpoint.string('zone')
  const zoneHints = readHints(hints, 'forZones')
  const nodeHints = readHints(hints, 'forNodes')
  // Not by spreading what is there: a large list has a hundred thousand of them.
  const found: { -readonly [K in keyof Endpoint]: Endpoint[K] } = {
    address,
    ready: conditions?.boolean('ready') ?? true,
    serving: conditions?.boolean('serving') ?? true,
    terminating: conditions?.boolean('terminating') ?? false,
  }
  if (nodeName !== undefined && nodeName !== '') found.nodeName = nodeName
  if (zone !== undefined) found.zone = zone
  if (pod !== undefined) found.pod = pod
  if (zoneHints !== undefined) found.zoneHints = zoneHints
  if (nodeHints !== undefined) found.nodeHints = nodeHints
  return found
}

function readHints(hints: Fields | undefined, field: 'forZones' | 'forNodes'): string[] | undefined {
  const names = hints
    ?.records(field)
    .map(hint => hint.string('name'))
    .filter(name => name !== undefined)
  return names === undefined || names.length === 0 ? undefined : names
}
