import { isIP } from 'node:net'
import { canonicalIP, KpngError, type Protocol } from '@kpng/api'

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
  const written = v6 ?? v4 ?? ''
  // Stricter than in manifests: what a person means by 010.0.0.1 depends on the program that he is used to.
  const address = isIP(written) === (v6 === undefined ? 4 : 6) ? canonicalIP(written) : undefined
  if (address === undefined) throw bad(`"${written}" is not an IP address`)
  const port = Number(portText)
  if (port < 1 || port > 65_535) throw bad(`port ${port} is not between 1 and 65535`)
  const protocol = protocols.find(known => known === protocolText.toUpperCase())
  if (protocol === undefined) throw bad(`protocol "${protocolText}" is none of tcp, udp, sctp`)
  return { address, port, protocol }
}

/** A source address for the destination: canonical, of its family. */
export function parseSource(text: string, { address }: Destination): string {
  const source = isIP(text) === 0 ? undefined : canonicalIP(text)
  if (source === undefined) throw new KpngError('usage', `--from "${text}": not an IP address`)
  if (source.includes(':') === address.includes(':')) return source
  throw new KpngError('usage', `--from ${text}: ${address} is of the other family`)
}
