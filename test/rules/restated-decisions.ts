/** Rules 4 and 4.1 said once more: what becomes of a connection to a Service. */
import type { Hit } from './branches.ts'
import { type Entry, ipPort, type Lists } from './restated-endpoints.ts'
import type { StatedService } from './restated-services.ts'

/** Who connects. A node is this one; elsewhere is everybody else. */
export type Client = 'pod' | 'node' | 'elsewhere'

export type Decision =
  | { readonly verdict: 'serve'; readonly endpoints: readonly string[]; readonly masquerade: boolean }
  | { readonly verdict: 'refuse' | 'drop' }

/** By who connects. */
export type Decisions = Readonly<Record<Client, Decision>>

/** As far as they matter in one family. */
export interface FamilyPolicies {
  readonly masqueradeAll: boolean
  /** Gate AllowServiceExternalIPs. */
  readonly externalIPs: boolean
  /** Local pods can be told from others. */
  readonly detector: boolean
}

const serve = (endpoints: readonly Entry[], masquerade: boolean): Decision => ({
  verdict: 'serve',
  endpoints: endpoints.map(ipPort),
  masquerade,
})

/** Rules 4.1 to 4.4 and 4.1.1 to 4.1.2: to a ClusterIP. */
export function inside(
  client: Client,
  internalLocal: boolean,
  lists: Lists,
  policies: FamilyPolicies,
  hit: Hit,
): Decision {
  if (!lists.anybody) {
    hit('KP-4.4 ClusterIP')
    return { verdict: 'refuse' }
  }
  if (internalLocal && lists.local.length === 0) {
    hit('KP-4.3')
    return { verdict: 'drop' }
  }
  hit(internalLocal ? 'KP-4.2' : 'KP-4.1')
  const list = internalLocal ? lists.local : lists.cluster
  if (client === 'pod') {
    hit(policies.masqueradeAll ? 'KP-4.1.1 all' : 'KP-4.1.1 not all')
    return serve(list, policies.masqueradeAll)
  }
  if (policies.masqueradeAll) {
    hit('KP-4.1.2 all')
    return serve(list, true)
  }
  hit(policies.detector ? 'KP-4.1.2 detector' : 'KP-4.1.2 no detector')
  return serve(list, policies.detector)
}

/** Rules 4.4 to 4.9 and 4.1.3 to 4.1.6: to a node port, an external IP or a load balancer. */
export function outside(
  client: Client,
  { internalLocal, externalLocal }: StatedService,
  { cluster, local, anybody }: Lists,
  detector: boolean,
  hit: Hit,
): Decision {
  if (!anybody) {
    hit('KP-4.4 external')
    return { verdict: 'refuse' }
  }
  if (!externalLocal) {
    hit('KP-4.5')
    hit('KP-4.1.3', client === 'pod')
    return serve(cluster, true)
  }
  if (client === 'pod' && detector) {
    hit('KP-4.6')
    hit('KP-4.15 short circuit with internal Local', internalLocal)
    return serve(cluster, false)
  }
  if (client === 'node') {
    hit('KP-4.7')
    hit('KP-4.1.5')
    return serve(cluster, true)
  }
  hit('KP-4.1.4 no detector', client === 'pod')
  if (local.length > 0) {
    hit('KP-4.8')
    hit('KP-4.1.6', client === 'elsewhere')
    return serve(local, false)
  }
  hit('KP-4.9')
  return { verdict: 'drop' }
}
