import type { Problem } from '@kpng/api'

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
