import type { Family, Problem } from '@kpng/api'
import type { IdTable } from '../plan/ids.ts'
import type { ServiceState } from './state.ts'
import type { Tables } from './tables.ts'

/** What the reconciler says of itself. All counts are of now, counters since it began. */
export interface ReconcilerStatus {
  /** The first sync has come and is in the kernel. */
  readonly synced: boolean
  /** Of the last `sync`. */
  readonly revision: number
  /** Newest revision of which everything is in the kernel or reported as not fitting. */
  readonly settledRevision: number
  /** What is wrong: clashes, what does not fit, what fails, what the node's settings lack. */
  readonly problems: readonly Problem[]
  /** What the socket datapath does not serve, and why. */
  readonly notServed: readonly Problem[]
  readonly counts: {
    readonly services: number
    /** Services that do not fit whole. */
    readonly unfit: number
    /** Services whose last attempt failed. */
    readonly failing: number
    readonly frontends: number
    readonly addresses: number
    readonly lists: Usage
    readonly ranges: { readonly IPv4: Usage; readonly IPv6: Usage }
    readonly backendIds: IdUsage
    readonly servicePortIds: IdUsage
  }
  readonly counters: {
    readonly flips: number
    /** Lists that moved to make room. */
    readonly moves: number
    readonly graces: number
    readonly retries: number
    /** Entries found otherwise in the kernel, and repaired. */
    readonly repairs: number
    readonly verifications: number
    readonly staleSocketsDestroyed: number
    /** Backends with stale sockets that could not be destroyed. */
    readonly staleBackendsGivenUp: number
  }
}

export interface Usage {
  readonly used: number
  readonly max: number
}

export interface IdUsage extends Usage {
  /** Of nobody, but perhaps remembered by sockets or clients. */
  readonly limbo: number
}

export function countsOf(
  tables: Tables,
  services: number,
  queues: { readonly unfit: number; readonly failing: number },
): ReconcilerStatus['counts'] {
  const { lists, frontends, addresses, maps, backendIds, portIds } = tables
  const range = (family: Family): Usage => ({
    used: lists.ranges[family].used,
    max: lists.ranges[family].capacity,
  })
  const ids = (table: IdTable): IdUsage => ({ used: table.live, limbo: table.inLimbo, max: table.max })
  return {
    services,
    unfit: queues.unfit,
    failing: queues.failing,
    frontends: frontends.entries.size,
    addresses: addresses.applied.size,
    lists: { used: lists.lists.size, max: maps.list.maxEntries - 1 },
    ranges: { IPv4: range('IPv4'), IPv6: range('IPv6') },
    backendIds: ids(backendIds),
    servicePortIds: ids(portIds),
  }
}

/** Of the Services: clashes, what does not fit, what fails. Looks at none but those that have a problem. */
export function serviceProblems(tables: Tables, troubled: ReadonlySet<ServiceState>): Problem[] {
  const problems = tables.claims.problems()
  for (const { unfit, error } of troubled) {
    problems.push(...unfit.values())
    if (error !== undefined) problems.push(error)
  }
  for (const address of tables.addresses.unfit) {
    const message = `${address} does not fit: it is served in a ServiceCIDR only, and other ports of it are let through`
    for (const where of tables.wantedAddresses.owners(address))
      problems.push({ where, field: '', message, reason: 'CapacityExceeded' })
  }
  return problems
}

/** Of work that belongs to no Service, by name: what failed last. */
export function failureProblems(failures: Iterable<readonly [string, unknown]>): Problem[] {
  const problems: Problem[] = []
  for (const [what, failure] of failures) {
    if (failure === undefined) continue
    const text = failure instanceof Error ? failure.message : String(failure)
    problems.push({
      where: 'reconciler',
      field: what,
      message: `${text}; will be tried again`,
      reason: 'UpdateFailed',
    })
  }
  return problems
}
