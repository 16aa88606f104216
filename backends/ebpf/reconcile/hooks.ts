/** A backend id whose flows must move on. */
export interface DeadBackend {
  readonly id: number
  readonly generation: number
}

export interface StaleResult {
  readonly destroyed: number
  /** Sockets that were found and could not be destroyed: tried again. */
  readonly failed: number
}

export interface IdsInUse {
  readonly backends: ReadonlySet<number>
  readonly servicePorts: ReadonlySet<number>
}

/** One time of working things off, from being woken until nothing is left that can be done now. */
export interface SyncPass {
  /** With pauses for the event loop. */
  readonly durationMs: number
  /** Everything was written for the first time, or compared with the kernel. */
  readonly full: boolean
  /** Something could not be done, and will be tried again. */
  readonly failed: boolean
  /** Nothing of what is wanted is missing in the kernel, other than what does not fit. */
  readonly upToDate: boolean
}

/**
 * What the reconciler needs of the kernel besides maps. Where other programs than those of these maps are still
 * in place (new maps, before the links are swapped), `destroyStale` and `idsInUse` must wait until they are not:
 * they could make another socket to what has just been declared dead.
 */
export interface ReconcilerHooks {
  /** Resolves when every program that ran at the call has ended. One call serves many frees. */
  grace(): Promise<void>
  /** Destroys the connected UDP sockets bound to these backends; at most 1,024 a call. */
  destroyStale(dead: readonly DeadBackend[]): Promise<StaleResult>
  /** A pass over all socket records (sk_tcp, sk_udp, rsk): the ids they hold. */
  idsInUse(): Promise<IdsInUse>
  /** These ids may be given to others from now on: a chance to set their counters to zero. */
  idsFreed?(freed: { readonly backends: readonly number[]; readonly servicePorts: readonly number[] }): void
  /** A pass in which there was something to do has ended. */
  passed?(pass: SyncPass): void
}
