import type { Family } from '@kpng/api'
import type { EndpointSlice, Service } from '../../objects/types.ts'

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6']

/** The API server's own Service, as far as anybody knows it. */
export interface OwnService {
  readonly service: Service | undefined
  readonly slices: readonly EndpointSlice[]
}

export const nothing: OwnService = { service: undefined, slices: [] }

/** What is to be used of it. */
export interface Held extends OwnService {
  /** What was taken away and is used all the same. */
  readonly what: 'nothing' | 'endpoints' | 'service'
}

/**
 * A server that goes away takes its own address out of its Service first. Whoever reaches it through that Service
 * would then never hear that it is back: so the last backends stay, per family, and the Service with them, until
 * there are others.
 *
 * @param said what the server says now
 * @param good what was last usable, see `usable`
 * @param addresses what the URL of the server stands for
 */
export function hold(said: OwnService, good: OwnService, addresses: ReadonlySet<string>): Held {
  const service = said.service ?? good.service
  const lost = FAMILIES.filter(
    family =>
      addresses.has(service?.clusterIPs[family] ?? '') &&
      !isServed(service, said.slices, family) &&
      isServed(service, good.slices, family),
  )
  const needed = service !== undefined && FAMILIES.some(it => addresses.has(service.clusterIPs[it] ?? ''))
  const kept = good.slices.filter(it => lost.includes(it.family))
  const own = said.slices.filter(it => !lost.includes(it.family))
  if (needed && said.service === undefined) return { service, slices: [...own, ...kept], what: 'service' }
  return { service: said.service, slices: [...own, ...kept], what: lost.length > 0 ? 'endpoints' : 'nothing' }
}

/** What to fall back to from now on: of each family what was said last that has a backend. */
export function usable(said: OwnService, good: OwnService): OwnService {
  const service = said.service ?? good.service
  const slices = FAMILIES.flatMap(family => {
    const { slices: from } = isServed(service, said.slices, family) ? said : good
    return from.filter(it => it.family === family)
  })
  return { service, slices }
}

/** Whether connections to its ClusterIP end anywhere. */
function isServed(service: Service | undefined, slices: readonly EndpointSlice[], family: Family): boolean {
  return slices.some(
    slice =>
      slice.family === family &&
      slice.endpoints.some(({ ready, serving, terminating }) => ready || (serving && terminating)) &&
      slice.ports.some(port =>
        service?.ports.some(({ name, protocol }) => name === port.name && protocol === port.protocol),
      ),
  )
}
