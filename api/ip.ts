/**
 * IP addresses and CIDRs as Kubernetes reads them ("sloppy": leading zeros are decimal, 010.1.1.1 is 10.1.1.1)
 * and as it prints them (canonical: RFC 5952). An IPv4-mapped IPv6 address *is* the IPv4 address, in family and
 * in print, as with Go's net.IP: ::ffff:10.0.0.1 is 10.0.0.1.
 *
 * Source: k8s.io/utils/net ParseIPSloppy, ParseCIDRSloppy (a fork of Go 1.16's net), net.IP.String.
 */
import type { Family } from './view.ts'

const DOT = 0x2e
const COLON = 0x3a
const ZERO = 0x30

/** The 4 or 16 bytes, in network order, of an address; undefined when the text is none. */
export function parseIP(text: string): Uint8Array | undefined {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === DOT) {
      const value = parseIPv4(text)
      return value === undefined ? undefined : ipv4Bytes(value)
    }
    if (c === COLON) return unmap(parseIPv6(text))
  }
  return undefined
}

/** Bytes to canonical text: 4 bytes dotted, 16 bytes as in RFC 5952, IPv4-mapped as dotted IPv4. */
export function formatIP(bytes: Uint8Array): string {
  const b = unmap(bytes) ?? bytes
  if (b.length === 4) return `${b[0]}.${b[1]}.${b[2]}.${b[3]}`
  if (b.length !== 16) throw new RangeError(`an IP address has 4 or 16 bytes, not ${b.length}`)
  return formatIPv6(b)
}

/** The number, first byte highest, of a dotted quad; undefined when the text is none. */
export function parseIPv4(text: string): number | undefined {
  let value = 0
  let octet = -1
  let octets = 0
  for (let at = 0; at <= text.length; at++) {
    const c = at === text.length ? DOT : text.charCodeAt(at)
    if (c === DOT) {
      if (octet < 0 || octets === 4) return undefined
      value = value * 256 + octet
      octet = -1
      octets++
      continue
    }
    if (c < ZERO || c > ZERO + 9) return undefined
    octet = Math.max(octet, 0) * 10 + c - ZERO
    if (octet > 255) return undefined
  }
  return octets === 4 ? value : undefined
}

/** The number of `parseIPv4` to text. */
export const formatIPv4 = (value: number): string =>
  `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`

/** The canonical text of an address; undefined when the text is none. */
export function canonicalIP(text: string): string | undefined {
  const bytes = parseIP(text)
  return bytes === undefined ? undefined : formatIP(bytes)
}

/** The family of a canonical address or CIDR (canonical IPv6 always has a colon, IPv4 never). */
export const ipFamily = (canonical: string): Family => (canonical.includes(':') ? 'IPv6' : 'IPv4')

/** The family of an address's bytes. */
export const familyOfBytes = (bytes: Uint8Array): Family => (bytes.length === 4 ? 'IPv4' : 'IPv6')

/** The 4 or 16 bytes of an address known to be good: throws RangeError on other text. */
export function ipBytes(canonical: string): Uint8Array {
  const bytes = parseIP(canonical)
  if (bytes === undefined) throw new RangeError(`not an IP address: ${JSON.stringify(canonical)}`)
  return bytes
}

/** A canonical address and a port: `10.0.0.1:80`, `[fd00::1]:80`. */
export const formatAddressPort = (address: string, port: number): string =>
  ipFamily(address) === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`

export interface Cidr {
  readonly family: Family
  /** The network's first address: 4 or 16 bytes, host bits cleared. */
  readonly bytes: Uint8Array
  /** 0 to 32 or 128. */
  readonly prefixLength: number
}

/** Reads `address/length`; host bits are cleared. undefined when the text is none. */
export function parseCIDR(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const address = text.slice(0, slash)
  const quad = parseIPv4(address)
  const raw = quad === undefined ? parseIPv6(address) : ipv4Bytes(quad)
  const length = readDecimal(text, slash + 1)
  if (raw === undefined || length === undefined || length.end !== text.length) return undefined
  if (length.value > raw.length * 8) return undefined
  const masked = maskBits(raw, length.value)
  const bytes = unmap(masked) ?? masked
  // An IPv4-mapped network (prefix of 96 and more) is the IPv4 network inside of it.
  const prefixLength = length.value - (raw.length - bytes.length) * 8
  return { family: familyOfBytes(bytes), bytes, prefixLength }
}

export const formatCIDR = (cidr: Cidr): string => `${formatIP(cidr.bytes)}/${cidr.prefixLength}`

/** The canonical text of a CIDR; undefined when the text is none. */
export function canonicalCIDR(text: string): string | undefined {
  const cidr = parseCIDR(text)
  return cidr === undefined ? undefined : formatCIDR(cidr)
}

/** Whether an address (bytes of parseIP) is in a network; false for the other family. */
export function cidrContains(cidr: Cidr, address: Uint8Array): boolean {
  if (address.length !== cidr.bytes.length) return false
  const masked = maskBits(address, cidr.prefixLength)
  return masked.every((byte, i) => byte === cidr.bytes[i])
}

export type AddressClass = 'unspecified' | 'loopback' | 'link-local' | 'multicast' | 'ordinary'

/** What an address (the number of `parseIPv4`) is good for. */
export function classifyIPv4(value: number): AddressClass {
  const a = value >>> 24
  if (a === 127) return 'loopback'
  if (a === 169 && ((value >>> 16) & 255) === 254) return 'link-local'
  if (a >= 224 && a <= 239) return 'multicast'
  return value === 0 ? 'unspecified' : 'ordinary'
}

/** What an address (bytes of parseIP) is good for. */
export function classifyIP(bytes: Uint8Array): AddressClass {
  const a = bytes[0] ?? 0
  const b = bytes[1] ?? 0
  if (bytes.length === 4) return classifyIPv4(ipv4Value(bytes))
  if (a === 0xff) return 'multicast'
  if (a === 0xfe && (b & 0xc0) === 0x80) return 'link-local'
  if (!bytes.subarray(0, 15).every(byte => byte === 0)) return 'ordinary'
  if (bytes[15] === 0) return 'unspecified'
  return bytes[15] === 1 ? 'loopback' : 'ordinary'
}

const ipv4Value = ([a = 0, b = 0, c = 0, d = 0]: Uint8Array): number =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0

const ipv4Bytes = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)

/** Gives 16 bytes, IPv4-mapped ones included. */
function parseIPv6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(16)
  let at = 0
  let filled = 0
  let ellipsis = -1
  if (text.startsWith('::')) {
    ellipsis = 0
    at = 2
    if (at === text.length) return bytes
  }
  while (filled < 16) {
    const group = readHex(text, at)
    if (group === undefined || group.value > 0xffff) return undefined
    if (text.charCodeAt(group.end) === DOT) {
      if ((ellipsis < 0 && filled !== 12) || filled > 12) return undefined
      const tail = parseIPv4(text.slice(at))
      if (tail === undefined) return undefined
      bytes.set(ipv4Bytes(tail), filled)
      filled += 4
      at = text.length
      break
    }
    bytes[filled++] = group.value >> 8
    bytes[filled++] = group.value & 0xff
    at = group.end
    if (at === text.length) break
    if (text.charCodeAt(at) !== COLON || at + 1 === text.length) return undefined
    at++
    if (text.charCodeAt(at) === COLON) {
      if (ellipsis >= 0) return undefined
      ellipsis = filled
      at++
      if (at === text.length) break
    }
  }
  if (at !== text.length) return undefined
  if (filled === 16) return ellipsis < 0 ? bytes : undefined // an ellipsis stands for one group at least
  if (ellipsis < 0) return undefined
  bytes.copyWithin(16 - (filled - ellipsis), ellipsis, filled)
  bytes.fill(0, ellipsis, 16 - (filled - ellipsis))
  return bytes
}

interface Digits {
  readonly value: number
  /** Index after the last digit. */
  readonly end: number
}

/** Digits at `at`, as many as there are; undefined when there are none or the number is absurd. */
function readDecimal(text: string, at: number): Digits | undefined {
  let value = 0
  let end = at
  for (; end < text.length; end++) {
    const digit = text.charCodeAt(end) - ZERO
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
    if (value >= 0xffffff) return undefined
  }
  return end === at ? undefined : { value, end }
}

function readHex(text: string, at: number): Digits | undefined {
  let value = 0
  let end = at
  for (; end < text.length; end++) {
    const digit = hexDigit(text.charCodeAt(end))
    if (digit < 0) break
    value = value * 16 + digit
    if (value >= 0xffffff) return undefined
  }
  return end === at ? undefined : { value, end }
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const lower = c | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1
}

/** The 4 bytes inside of an IPv4-mapped address; anything else as it is. */
function unmap(bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes?.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return bytes
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes
  return bytes.slice(12)
}

function maskBits(bytes: Uint8Array, prefixLength: number): Uint8Array {
  return bytes.map((byte, i) => {
    const keep = Math.min(8, Math.max(0, prefixLength - i * 8))
    return byte & (0xff00 >> keep) & 0xff
  })
}

/** The longest run of two or more zero groups, the first of equals, becomes `::` (RFC 5952, 4.2). */
function formatIPv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0))
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = (part: readonly number[]) => part.map(group => group.toString(16)).join(':')
  if (best.start < 0) return hex(groups)
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`
}
