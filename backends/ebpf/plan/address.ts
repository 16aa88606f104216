/**
 * Addresses as the maps hold them: IPv4 as a number in host order (`parseIPv4`, `formatIPv4` of `@kpng/api`), IPv6
 * as its 16 bytes. An IPv4-mapped address is IPv6 here: a row of an IPv6 map prints as what it can be found by.
 */
import { formatIP, parseIP } from '@kpng/api'

const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

/** Always 16 bytes, IPv4-mapped ones included; undefined when text is no IPv6 address. */
export function parseIPv6(text: string): Uint8Array | undefined {
  const bytes = text.includes(':') ? parseIP(text) : undefined
  return bytes?.length === 4 ? Uint8Array.of(...MAPPED_PREFIX, ...bytes) : bytes
}

/** Of 16 bytes. RFC 5952; IPv4-mapped addresses as `::ffff:` and a dotted quad. */
export function formatIPv6(bytes: Uint8Array): string {
  const text = formatIP(bytes)
  return text.includes(':') ? text : `::ffff:${text}`
}

/** 4 bytes as the number. */
export const numberOfIPv4 = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)

/** The mask of a prefix length, as the maps hold it. */
export const maskIPv4 = (prefixLength: number): number =>
  prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0

export const maskIPv6 = (prefixLength: number): Uint8Array =>
  Uint8Array.from(
    { length: 16 },
    (_, index) => 0xff & ~(0xff >> Math.min(8, Math.max(0, prefixLength - 8 * index))),
  )
