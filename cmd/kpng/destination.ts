import { isIPv4, isIPv6 } from 'node:net'
import { KpngError, type Protocol } from '@kpng/api'

export interface Destination {
  readonly address: string
  readonly port: number
  readonly protocol: Protocol
}

const protocols: readonly Protocol[] = ['TCP', 'UDP', 'SCTP']

/** Parses ADDR:PORT[/PROTO]; IPv6 in brackets. TCP where no protocol is given. */
export function parseDestination(text: string): Destination {
  const bad = (why: string): KpngError =>
    new KpngError(
      'usage',
      `destination "${text}": ${why}; expected ADDR:PORT or ADDR:PORT/PROTO, IPv6 as [ADDR]:PORT`,
    )
  const match = /^(?:\[([^\]]*)\]|([^[\]:]*)):(\d{1,5})(?:\/(\w+))?$/.exec(text)
  if (match === null) throw bad('not understood')
  const [, v6, v4, portText, protocolText = 'tcp'] = match
  if (v6 !== undefined ? !isIPv6(v6) : !isIPv4(v4 ?? '')) throw bad(`"${v6 ?? v4}" is not an IP address`)
  const port = Number(portText)
  if (port < 1 || port > 65_535) throw bad(`port ${port} is not between 1 and 65535`)
  const protocol = protocols.find(known => known === protocolText.toUpperCase())
  if (protocol === undefined) throw bad(`protocol "${protocolText}" is none of tcp, udp, sctp`)
  // What the kernel sees of ::ffff:a.b.c.d is a.b.c.d; the URL parser prints IPv6 canonically (RFC 5952).
  const canonical = v6 === undefined ? (v4 ?? '') : new URL(`http://[${v6}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical)
  if (mapped === null) return { address: canonical, port, protocol }
  const bits = (Number.parseInt(mapped[1] ?? '0', 16) << 16) | Number.parseInt(mapped[2] ?? '0', 16)
  return { address: [24, 16, 8, 0].map(shift => (bits >>> shift) & 255).join('.'), port, protocol }
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export const formatAddressPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
