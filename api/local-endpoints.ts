import type { Family, ServiceView } from './view.ts'

/**
 * How many endpoints on this node are ready, for the health that load balancers ask for: different addresses over
 * all ports, in one family. Those that are used only because nobody is ready do not count.
 */
export function readyLocalAddresses(service: ServiceView, family: Family): number {
  const addresses = new Set<string>()
  for (const port of service.ports) {
    for (const endpoint of port.endpoints[family]?.endpoints ?? []) {
      if (endpoint.local && endpoint.ready) addresses.add(endpoint.address)
    }
  }
  return addresses.size
}
