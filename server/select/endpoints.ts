/** All slices of a Service, united into the endpoints of one of its ports. */
import type { Family, Protocol } from '@kpng/api'
import type { Endpoint, EndpointSlice } from '../objects/types.ts'

/** An endpoint of one service port: what its slice says of it, with the port number of that slice. */
export interface PortEndpoint {
  readonly endpoint: Endpoint
  /** 1 to 65535. */
  readonly port: number
}

export interface PortKey {
  readonly name: string
  readonly protocol: Protocol
}

/** What slices a proxy uses: no headless ones. Sorted by name, so that what follows does not depend on arrival. */
export function usableSlices(slices: Iterable<EndpointSlice>): EndpointSlice[] {
  return [...slices].filter(slice => !slice.headless).sort((a, b) => compareText(a.name, b.name))
}

/**
 * The union over a Service's slices (as usableSlices gives them) of one family for one port; each address and
 * number once, sorted by address, then number. Of two entries for the same address and number one that does not
 * terminate wins, then a ready one, then a serving one, then the first in order of slice name.
 */
export function portEndpoints(
  slices: readonly EndpointSlice[],
  family: Family,
  key: PortKey,
): PortEndpoint[] {
  const found: PortEndpoint[] = []
  for (const slice of slices) {
    if (slice.family !== family) continue
    for (const { name, protocol, port } of slice.ports) {
      if (name !== key.name || protocol !== key.protocol) continue
      for (const endpoint of slice.endpoints) found.push({ endpoint, port })
    }
  }
  // Sorting keeps the order of what is equal.
  found.sort((a, b) => comparePlace(a, b) || compareUse(a.endpoint, b.endpoint))
  return found.filter((it, i) => {
    const before = found[i - 1]
    return before === undefined || comparePlace(before, it) !== 0
  })
}

const comparePlace = (a: PortEndpoint, b: PortEndpoint): number =>
  compareText(a.endpoint.address, b.endpoint.address) || a.port - b.port

/** The better one first. */
const compareUse = (a: Endpoint, b: Endpoint): number =>
  Number(a.terminating) - Number(b.terminating) ||
  Number(b.ready) - Number(a.ready) ||
  Number(b.serving) - Number(a.serving)

/** By code unit: the same everywhere, whatever the locale. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
