import { networkInterfaces } from 'node:os'

/** Asking the kernel takes the longer the more pods a node has: not for every sync. */
const keptMs = 1_000

/** Addresses of the interfaces of the network namespace that the agent is in, read again after a second. */
export class InterfaceAddresses {
  #known: readonly string[] = []
  #untilMs = Number.NEGATIVE_INFINITY

  addresses(): readonly string[] {
    const nowMs = performance.now()
    if (nowMs < this.#untilMs) return this.#known
    this.#known = Object.values(networkInterfaces()).flatMap(
      addresses => addresses?.map(({ address }) => address) ?? [],
    )
    this.#untilMs = nowMs + keptMs
    return this.#known
  }
}
