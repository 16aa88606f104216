import { canonicalIP, KpngError } from '@kpng/api'
import { familyOf, whyNotHostAddress } from './address.ts'

/** Who runs something in the lab; addresses are canonical. */
export type Who =
  | { readonly kind: 'node'; readonly name: string; readonly source?: string }
  | { readonly kind: 'pod'; readonly address: string }
  | { readonly kind: 'client'; readonly address: string }

/** `node/NAME[/SOURCE-IP]`, `pod/IP`, `client/IP`. Throws usage. */
export function parseWho(text: string): Who {
  const [kind, name = '', ...rest] = text.split('/')
  if (kind === 'node' && name !== '' && rest.length <= 1) {
    const [source] = rest
    if (source === undefined) return { kind, name }
    const address = canonicalIP(source)
    if (address === undefined)
      throw new KpngError('usage', `${text}: ${JSON.stringify(source)} is not an IP address`)
    return { kind, name, source: address }
  }
  if ((kind === 'pod' || kind === 'client') && name !== '' && rest.length === 0) {
    const address = canonicalIP(name)
    if (address === undefined)
      throw new KpngError('usage', `${text}: ${JSON.stringify(name)} is not an IP address`)
    const why = whyNotHostAddress(address)
    if (why !== undefined) throw new KpngError('usage', `${text}: ${address} ${why}`)
    return { kind, address }
  }
  throw new KpngError('usage', `${JSON.stringify(text)}: must be node/NAME[/SOURCE-IP], pod/IP or client/IP`)
}

export interface Target {
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

/** `ADDR:PORT[/tcp|/udp]`, IPv6 as `[ADDR]:PORT`. Throws usage. */
export function parseTarget(text: string): Target {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})(?:\/(tcp|udp))?$/i.exec(text)
  const written = match?.[1] ?? match?.[2] ?? ''
  const address = canonicalIP(written)
  const port = Number(match?.[3])
  const bracketsFit = match?.[1] === undefined ? !written.includes(':') : written.includes(':')
  if (address === undefined || !bracketsFit || !(port >= 1 && port <= 65_535))
    throw new KpngError(
      'usage',
      `${JSON.stringify(text)}: must be ADDR:PORT, optionally with /tcp or /udp, IPv6 as [ADDR]:PORT`,
    )
  return { address, port, protocol: match?.[4]?.toLowerCase() === 'udp' ? 'udp' : 'tcp' }
}

/** A source address must be of the target's family: throws usage where it is not. */
export function checkSource(who: Who, target: Target): void {
  if (who.kind === 'node' && who.source !== undefined && familyOf(who.source) !== familyOf(target.address))
    throw new KpngError('usage', `${who.source} and ${target.address} are of different families`)
}
