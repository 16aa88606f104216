import type { Family } from '@kpng/api'
import type { Cfg, ServiceName, Source4Key, Source6Key, Svc4Key, Svc6Key, SvcValue } from '../bindings.gen.ts'
import type { Transport } from '../plan/service-plan.ts'
import type { DeadBackend } from './hooks.ts'
import type { FrontendPlace, Slot } from './rows.ts'

/** What a former agent has left: plain data, read from its maps by `adopt`. */
export interface Adopted {
  readonly ids: AdoptedIds
  /** undefined: the ids go on in new, empty maps. */
  readonly contents: AdoptedContents | undefined
  /** There are source ranges: somebody must say which source a namespace has. */
  readonly checksSources: boolean
  /** What was torn or made no sense, one sentence each; it is repaired. */
  readonly findings: readonly string[]
}

export interface AdoptedIds {
  readonly servicePorts: readonly AdoptedServicePort[]
  readonly members: readonly AdoptedMember[]
  /** Ids that something remembers, nobody knows for whom. */
  readonly blockedBackends: ReadonlySet<number>
  readonly blockedServicePorts: ReadonlySet<number>
  /** Backends of connected UDP sockets of which nobody knows whose they are: nobody would move them on later. */
  readonly strays: readonly DeadBackend[]
  /** Last generation seen by backend id. */
  readonly generations: ReadonlyMap<number, number>
}

export interface AdoptedServicePort {
  readonly id: number
  readonly key: string
  /** `namespace/name`. */
  readonly service: string
  readonly protocol: Transport
  readonly name: ServiceName
}

export interface AdoptedMember extends Slot {
  readonly servicePort: number
  readonly family: Family
}

export interface AdoptedContents {
  readonly frontends: readonly AdoptedFrontend[]
  /** Keys of svc4 and svc6 that no plan makes. */
  readonly strange4: readonly Svc4Key[]
  readonly strange6: readonly Svc6Key[]
  readonly lists: readonly AdoptedList[]
  /** Indexes that are not empty, though no frontend leads there. */
  readonly orphanLists: readonly number[]
  /** Flags by address. */
  readonly addresses: ReadonlyMap<string, number>
  /** CIDRs by service port id. */
  readonly sources: ReadonlyMap<number, readonly string[]>
  /** Keys of source4 and source6 that no service port has. */
  readonly strangeSources4: readonly Source4Key[]
  readonly strangeSources6: readonly Source6Key[]
  readonly cfg: Cfg | undefined
  /** Rows of the map service that no service port has: to delete. */
  readonly strangeNames: readonly number[]
}

export interface AdoptedFrontend {
  readonly key: string
  readonly place: FrontendPlace
  readonly value: SvcValue
}

export interface AdoptedList {
  readonly index: number
  readonly family: Family
  readonly servicePort: number
  /** First slot, or the enum reason when there are no ids. */
  readonly base: number
  /** undefined: what is there is not a whole list. */
  readonly ids: readonly number[] | undefined
}

/** For new, empty maps: everything is to be written again, under the same ids. */
export const idsOnly = (adopted: Adopted): Adopted => ({ ...adopted, contents: undefined })
