import { cidrContains, type Family, familyOfBytes, formatIP, parseCIDR, parseIP } from '@kpng/api'

/** Which addresses of a node are meant: its primary ones, or those of its interfaces inside CIDRs. */
export type AddressChoice = 'primary' | readonly string[]

const everyAddress: Readonly<Record<Family, string>> = { IPv4: '0.0.0.0', IPv6: '::' }

/**
 * Where the health of Services is served in one family: on the addresses of the interfaces that are chosen, or on the
 * one that stands for all of them. A family in which nothing is chosen (no CIDR, no primary address) is not limited.
 * Canonical, sorted, without duplicates.
 */
export function listenAddresses(
  family: Family,
  choice: AddressChoice,
  /** Of both families. */
  node: { readonly primary: readonly string[]; readonly interfaces: readonly string[] },
): readonly string[] {
  const ofFamily = (texts: readonly string[]): Uint8Array[] =>
    texts
      .map(parseIP)
      .filter(ip => ip !== undefined)
      .filter(ip => familyOfBytes(ip) === family)
  const onInterfaces = (chosen: (ip: Uint8Array) => boolean): string[] =>
    [...new Set(ofFamily(node.interfaces).filter(chosen).map(formatIP))].sort()
  if (choice === 'primary') {
    const primary = new Set(ofFamily(node.primary).map(formatIP))
    return primary.size === 0 ? [everyAddress[family]] : onInterfaces(ip => primary.has(formatIP(ip)))
  }
  const cidrs = choice
    .map(parseCIDR)
    .filter(cidr => cidr !== undefined)
    .filter(cidr => cidr.family === family)
  if (cidrs.every(({ prefixLength }) => prefixLength > 0) && cidrs.length > 0)
    return onInterfaces(ip => cidrs.some(cidr => cidrContains(cidr, ip)))
  return [everyAddress[family]]
}
