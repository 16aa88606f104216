import { parseIPv4 } from '@kpng/api'
import { parseIPv6 } from '../../plan/address.ts'

/** As the programs keep addresses: 16 bytes, IPv4 in mapped form. */
export const mapped = (text: string): Uint8Array => {
  const bytes = parseIPv6(text.includes(':') ? text : `::ffff:${text}`)
  if (bytes === undefined) throw new Error(`${text} is not an address`)
  return bytes
}

/** In host order, as codecs want it. */
export const ipv4 = (text: string): number => {
  const value = parseIPv4(text)
  if (value === undefined) throw new Error(`${text} is not an IPv4 address`)
  return value
}

export const isIpv6 = (text: string): boolean => text.includes(':')

/** "10.1.0.1#80", "fd00::1#80" */
export const split = (name: string): { address: string; port: number } => {
  const [address = '', port = ''] = name.split('#')
  return { address, port: Number(port) }
}
