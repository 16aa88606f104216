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
}
