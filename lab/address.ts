import { canonicalIP } from '@kpng/api'

export type AddressFamily = 4 | 6

/** Of canonical text. */
export const familyOf = (address: string): AddressFamily => (address.includes(':') ? 6 : 4)

/** `10.0.0.1/32`, `fd00::1/128`. */
export const hostPrefix = (address: string): string => `${address}/${familyOf(address) === 6 ? 128 : 32}`

/** Canonical `address/length`; undefined when it is none. Host bits are kept: it is an interface address. */
export function interfaceAddress(text: string): string | undefined {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim())
  const address = canonicalIP(match?.[1] ?? '')
  if (address === undefined) return undefined
  const longest = familyOf(address) === 6 ? 128 : 32
  const length = match?.[2] === undefined ? longest : Number(match[2])
  return length <= longest ? `${address}/${length}` : undefined
}

/** Why no host on a network can have this (canonical) address; undefined when one can. */
export function whyNotHostAddress(address: string): string | undefined {
  if (familyOf(address) === 4) {
    const first = Number(address.slice(0, address.indexOf('.')))
    if (first === 0) return 'is not a host address'
    if (first === 127) return 'is a loopback address'
    if (address.startsWith('169.254.')) return 'is a link-local address'
    if (first >= 224 && first < 240) return 'is a multicast address'
    if (address === '255.255.255.255') return 'is the broadcast address'
    return undefined
  }
  if (address === '::') return 'is not a host address'
  if (address === '::1') return 'is a loopback address'
  if (/^fe[89ab]/.test(address)) return 'is a link-local address'
  if (address.startsWith('ff')) return 'is a multicast address'
  return undefined
}
