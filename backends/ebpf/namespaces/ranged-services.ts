import { type ServiceView, serviceKey } from '@kpng/api'

/** Which load balancer addresses have loadBalancerSourceRanges: while there are any, sources must be known. */
export class RangedServices {
  readonly #addresses = new Map<string, readonly string[]>()

  set(view: ServiceView): void {
    const addresses = Object.values(view.addresses).flatMap(({ sourceRanges, loadBalancerIPs }) =>
      sourceRanges.length > 0 ? loadBalancerIPs : [],
    )
    if (addresses.length > 0) this.#addresses.set(serviceKey(view), addresses)
    else this.#addresses.delete(serviceKey(view))
  }

  delete(key: string): void {
    this.#addresses.delete(key)
  }

  /** Sorted; undefined where no Service asks. */
  get addresses(): readonly string[] | undefined {
    if (this.#addresses.size === 0) return undefined
    return [...new Set([...this.#addresses.values()].flat())].sort()
  }
}
