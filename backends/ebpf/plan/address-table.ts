import type { KnownAddress } from './service-plan.ts'

/** Who makes the node's own addresses known; no Service key looks like it. */
export const NODE_OWNER = '(node)'

/**
 * Addresses that are known to be Services' or the node's, whatever the port, counted by owner: an address
 * stays known until the last one who named it has gone.
 */
export class AddressTable {
  readonly #owned = new Map<string, readonly KnownAddress[]>()
  readonly #counts = new Map<string, { cluster: number; external: number; node: number }>()

  /** Replaces what an owner makes known; none = it is gone. Gives the addresses whose kinds may have changed. */
  set(owner: string, addresses: readonly KnownAddress[]): Set<string> {
    const touched = new Set<string>()
    const before = this.#owned.get(owner) ?? []
    if (sameAddresses(before, addresses)) return touched
    for (const { address, kind } of addresses) {
      const counts = this.#counts.get(address) ?? { cluster: 0, external: 0, node: 0 }
      counts[kind]++
      this.#counts.set(address, counts)
      touched.add(address)
    }
    for (const { address, kind } of before) {
      const counts = this.#counts.get(address)
      touched.add(address)
      if (counts === undefined) continue
      counts[kind]--
      if (counts.cluster + counts.external + counts.node === 0) this.#counts.delete(address)
    }
    if (addresses.length > 0) this.#owned.set(owner, addresses)
    else this.#owned.delete(owner)
    return touched
  }

  /** What an address is known as; undefined = unknown. */
  kinds(address: string): { cluster: boolean; external: boolean; node: boolean } | undefined {
    const counts = this.#counts.get(address)
    return counts && { cluster: counts.cluster > 0, external: counts.external > 0, node: counts.node > 0 }
  }

  /** Who makes an address known. A pass over all: for the rare case that one does not fit. */
  owners(address: string): string[] {
    return [...this.#owned]
      .filter(([, known]) => known.some(one => one.address === address))
      .map(([owner]) => owner)
  }

  get size(): number {
    return this.#counts.size
  }
}

const sameAddresses = (a: readonly KnownAddress[], b: readonly KnownAddress[]): boolean =>
  a.length === b.length &&
  a.every((one, index) => one.address === b[index]?.address && one.kind === b[index]?.kind)
