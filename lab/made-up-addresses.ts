/**
 * Addresses for nodes that have none, one of each family at a time: out of the range that RFC 6598 shares among
 * carriers (100.64.0.0/10, its upper end) and out of a unique local prefix; never one that is used.
 */
export function* madeUpAddresses(used: ReadonlySet<string>): Generator<readonly string[], never, void> {
  for (let i = 1; ; i++) {
    const ipv4 = `100.127.${(i >> 8) & 0xff}.${i & 0xff}`
    const ipv6 = `fd6b:706e:6700::${i.toString(16)}`
    if (i >= 0x1_0000) throw new RangeError('more than 65,535 nodes have no address')
    if (!used.has(ipv4) && !used.has(ipv6)) yield [`${ipv4}/32`, `${ipv6}/128`]
  }
}
