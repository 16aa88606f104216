import { EbpfError, type KeyedMap, type NamespaceSources, type SourceAddresses } from '@kpng/ebpf'
import { NetnsFlag, type NetnsValue, Version } from '../bindings.gen.ts'
import { numberOfIPv4 } from '../plan/address.ts'

const NO_ADDRESS = new Uint8Array(16)

/** The map netns: which source addresses the sockets of a network namespace have. */
export class NamespaceTable {
  readonly #map: KeyedMap<bigint, NetnsValue>
  /** Cookies of namespaces that found the map full. */
  readonly unfit = new Set<bigint>()

  constructor(map: KeyedMap<bigint, NetnsValue>) {
    this.#map = map
  }

  get maxEntries(): number {
    return this.#map.maxEntries
  }

  /** Brings the map to what all namespaces were found to be. Those that could not be looked into stay as they are. */
  replace({ found, failed }: SourceAddresses): void {
    const before = new Map(this.#map.entries())
    // A kernel that does not tell cookies: known are those that a socket has asked for, by their inode numbers.
    const byInode = new Map([...before].map(([cookie, { inode }]) => [inode, cookie]))
    const wanted = new Map<bigint, NetnsValue>()
    for (const sources of found) {
      const cookie = sources.cookie ?? byInode.get(sources.inode)
      if (cookie !== undefined) wanted.set(cookie, rowOf(sources))
    }
    for (const [cookie, { inode }] of before)
      if (!wanted.has(cookie) && !failed.has(inode)) this.#map.delete(cookie)
    this.unfit.clear()
    for (const [cookie, value] of wanted) {
      const known = before.get(cookie)
      if (known === undefined || !sameValue(known, value)) this.#write(cookie, value)
    }
  }

  /** Makes one namespace known, or known anew. */
  set(cookie: bigint, sources: NamespaceSources): void {
    // The inode number has gone to another namespace since.
    if (sources.cookie !== undefined && sources.cookie !== cookie) return
    this.#write(cookie, rowOf(sources))
  }

  clear(): void {
    for (const [cookie] of [...this.#map.entries()]) this.#map.delete(cookie)
    this.unfit.clear()
  }

  #write(cookie: bigint, value: NetnsValue): void {
    try {
      this.#map.update(cookie, value)
      this.unfit.delete(cookie)
    } catch (error) {
      if (!(error instanceof EbpfError && error.code === 'MAP_FULL')) throw error
      this.unfit.add(cookie)
    }
  }
}

const rowOf = ({ inode, source4, source6 }: NamespaceSources): NetnsValue => ({
  version: Version.RECORD_VERSION,
  flags: (source4 === undefined ? 0 : NetnsFlag.SOURCE4) | (source6 === undefined ? 0 : NetnsFlag.SOURCE6),
  inode,
  source4: source4 === undefined ? 0 : numberOfIPv4(source4),
  source6: source6 ?? NO_ADDRESS,
})

const sameValue = (a: NetnsValue, b: NetnsValue): boolean =>
  a.version === b.version &&
  a.flags === b.flags &&
  a.inode === b.inode &&
  a.source4 === b.source4 &&
  Buffer.compare(a.source6, b.source6) === 0
