import type { Family } from '@kpng/api'

/** IPv4 as a number in host order, IPv6 as its 16 bytes: what the maps hold. */
export type Ip =
  | { readonly family: 'IPv4'; readonly value: number }
  | { readonly family: 'IPv6'; readonly value: Uint8Array }

/** undefined when text is no dotted quad. */
export function parseIpv4(text: string): number | undefined {
  let value = 0
  let octet = -1
  let octets = 0
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? 0x2e : text.charCodeAt(at)
    if (code === 0x2e) {
      if (octet < 0 || octet > 255) return undefined
      value = value * 256 + octet
      octet = -1
      octets++
    } else if (code >= 0x30 && code <= 0x39) {
      octet = (octet < 0 ? 0 : octet * 10) + (code - 0x30)
      if (octet > 255) return undefined
    } else {
      return undefined
    }
  }
  return octets === 4 ? value : undefined
}

/** undefined when text is no IPv6 address; zones (%eth0) are none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] ?? '', halves.length === 1)
  const tail = parseGroups(halves[1] ?? '', true)
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  head.forEach((group, index) => {
    view.setUint16(2 * index, group)
  })
  tail.forEach((group, index) => {
    view.setUint16(2 * (8 - tail.length + index), group)
  })
  return bytes
}

function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16))
      continue
    }
    const quad = last && index === parts.length - 1 ? parseIpv4(part) : undefined
    if (quad === undefined) return undefined
    groups.push(quad >>> 16, quad & 0xffff)
  }
  return groups
}

export function parseIp(text: string): Ip | undefined {
  if (text.includes(':')) {
    const value = parseIpv6(text)
    return value && { family: 'IPv6', value }
  }
  const value = parseIpv4(text)
  return value === undefined ? undefined : { family: 'IPv4', value }
}

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4')

export const formatIpv4 = (value: number): string =>
  `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`

/** RFC 5952; IPv4-mapped addresses with a dotted quad. */
export function formatIpv6(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16)
  const groups = Array.from({ length: 8 }, (_, index) => view.getUint16(2 * index))
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff)
    return `::ffff:${formatIpv4(view.getUint32(12))}`
  let best = { start: 0, length: 1 }
  for (let start = 0; start < 8; start++) {
    let end = start
    while (end < 8 && groups[end] === 0) end++
    if (end - start > best.length) best = { start, length: end - start }
    if (end > start) start = end - 1
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':')
  if (best.length < 2) return text(0, 8)
  return `${text(0, best.start)}::${text(best.start + best.length, 8)}`
}

export const formatIp = (ip: Ip): string =>
  ip.family === 'IPv4' ? formatIpv4(ip.value) : formatIpv6(ip.value)

/** 127.0.0.0/8 and ::1 (mapped too): never translated, whoever claims them. */
export const isLoopback = (ip: Ip): boolean =>
  ip.family === 'IPv4' ? ip.value >>> 24 === 127 : /^::(1|ffff:127\..*)$/.test(formatIpv6(ip.value))

/** 0.0.0.0 and ::, which mean "any of this node's NodePort addresses" in the frontend maps. */
export const isUnspecified = (ip: Ip): boolean =>
  ip.family === 'IPv4' ? ip.value === 0 : ip.value.every(byte => byte === 0)

export interface Cidr {
  readonly ip: Ip
  readonly prefixLength: number
}

/** undefined when text is no CIDR. Host bits are kept as they are: `contains` does not look at them. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length = '', more] = text.split('/')
  const ip = parseIp(address)
  if (ip === undefined || more !== undefined || !/^\d{1,3}$/.test(length)) return undefined
  const prefixLength = Number(length)
  return prefixLength > (ip.family === 'IPv4' ? 32 : 128) ? undefined : { ip, prefixLength }
}

/** The mask of a prefix length, as the maps hold it. */
export const maskIpv4 = (prefixLength: number): number =>
  prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0

export const maskIpv6 = (prefixLength: number): Uint8Array =>
  Uint8Array.from(
    { length: 16 },
    (_, index) => 0xff & ~(0xff >> Math.min(8, Math.max(0, prefixLength - 8 * index))),
  )

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  if (cidr.ip.family === 'IPv4')
    return ip.family === 'IPv4' && ((cidr.ip.value ^ ip.value) & maskIpv4(cidr.prefixLength)) === 0
  if (ip.family === 'IPv4') return false
  const { value } = cidr.ip
  return maskIpv6(cidr.prefixLength).every(
    (mask, index) => (((value[index] ?? 0) ^ (ip.value[index] ?? 0)) & mask) === 0,
  )
}
