import { classifyIP, parseIP } from '@kpng/api'

/**
 * The node's own addresses, the primary one of each family first in it: an address that the user binds to before
 * what the Node says (InternalIPs before ExternalIPs). An unspecified bind address says nothing.
 */
export function nodeAddresses(bindAddress: string, ofNode: readonly string[]): readonly string[] {
  const bytes = parseIP(bindAddress)
  if (bytes === undefined || classifyIP(bytes) === 'unspecified') return ofNode
  return [bindAddress, ...ofNode.filter(address => address !== bindAddress)]
}
