import type { Family, Problem, ServiceView } from '@kpng/api'
import type { ServiceName, SvcValue } from '../bindings.gen.ts'
import type { ListKind, ServicePlan, Transport } from '../plan/service-plan.ts'
import type { FrontendPlace, Slot } from './rows.ts'

/** What there is only so much of. */
export type Resource =
  | 'svc4'
  | 'svc6'
  | 'service'
  | 'list'
  | 'backend4'
  | 'backend6'
  | 'addr4'
  | 'addr6'
  | 'source4'
  | 'source6'
  | 'service port ids'
  | 'backend ids'

/** A Service: what is wanted of it, what is in the kernel for it, what went wrong. */
export interface ServiceState {
  readonly key: string
  /** undefined: it is wanted no more. */
  view: ServiceView | undefined
  /** Of `view`. */
  plan: ServicePlan | undefined
  /** By service port key: all that has an id, wanted or not. */
  readonly ports: Map<string, PortState>
  /** Revision of the oldest sync that is not in the kernel yet; 0 when all is. */
  since: number
  /** Failed attempts in a row. */
  attempts: number
  /** Calls the next attempt off. */
  retryTimer: Disposable | undefined
  /** Why the last attempt failed. */
  error: Problem | undefined
  /** Why it is not served whole, though nothing failed. */
  unfit: ReadonlyMap<Resource, Problem>
}

export interface PortState {
  readonly key: string
  readonly id: number
  readonly protocol: Transport
  /** Its row in the map service. */
  readonly name: ServiceName
  readonly service: ServiceState
  /** Whether the `service` map has its name. */
  named: boolean
  wanted: boolean
  /** By member key: memberships that have an id. */
  readonly members: Map<string, Member>
  readonly lists: ListState[]
  /** Keys of the frontends in the kernel that belong to it. */
  readonly frontends: Set<string>
}

/** A backend of a service port: who has a backend id. */
export interface Member extends Slot {
  readonly family: Family
  /** It serves its service port somewhere, so its flows may stay. */
  serves: boolean
}

/** A list index and what is in force there. */
export interface ListState {
  readonly index: number
  /** undefined: adopted, and nobody knows what for yet. */
  kind: ListKind | undefined
  readonly family: Family
  /** undefined: adopted without an owner. */
  readonly port: PortState | undefined
  /** Backend ids in force, ascending. */
  ids: readonly number[]
  /** First slot; the enum reason when there are no ids. */
  base: number
  /** Nothing is in force before the first flip. */
  inForce: boolean
  /** What is in force is not what we wrote, or must move: write anew, whatever it says. */
  stale: boolean
  /** Frontends in the kernel that lead here. */
  refs: number
  /** Wanted by a frontend that its service port has won. */
  wanted: boolean
  /** Written, not in force yet: the flip failed. */
  pending: { readonly base: number; readonly ids: readonly number[] } | undefined
}

/** A frontend as it is in the kernel. */
export interface FrontendState {
  readonly place: FrontendPlace
  readonly value: SvcValue
  /** undefined: adopted, belongs to nobody known. */
  readonly port: PortState | undefined
  /** undefined: adopted, leads to no list known. */
  readonly list: ListState | undefined
  /** A failed deletion may have taken it away, or it was found otherwise: to be written, or deleted, once more. */
  readonly doubtful?: boolean
}

export const memberKey = (address: string, port: number): string => `${address} ${port}`

/** Members of all service ports share one table of ids. */
export const memberIdKey = (servicePort: number, member: string): string => `${servicePort} ${member}`

export const newServiceState = (key: string): ServiceState => ({
  key,
  view: undefined,
  plan: undefined,
  ports: new Map(),
  since: 0,
  attempts: 0,
  retryTimer: undefined,
  error: undefined,
  unfit: new Map(),
})
