import { ipFamily } from '@kpng/api'
import { AddrFlag } from '../bindings.gen.ts'
import type { AddressTable } from '../plan/address-table.ts'
import { deleteEntries, isFull, writeEntries } from './entry-batch.ts'
import type { DatapathMaps } from './maps.ts'
import type { OutsideFilter } from './outside-filter.ts'
import { ipv4, ipv6 } from './rows.ts'

const UNKNOWN = -1

/** The maps addr4 and addr6: addresses that are known whatever the port. */
export class AddressWriter {
  /** Flags in the kernel by address; UNKNOWN when a failed deletion may have taken it away. */
  readonly applied = new Map<string, number>()
  readonly dirty = new Set<string>()
  /** Touched since the last `add`. */
  readonly #touched = new Set<string>()
  /** Addresses that found the map full. */
  readonly unfit = new Set<string>()
  readonly #maps: Pick<DatapathMaps, 'addr4' | 'addr6'>
  readonly #wanted: AddressTable
  readonly #outside: OutsideFilter

  constructor(maps: Pick<DatapathMaps, 'addr4' | 'addr6'>, wanted: AddressTable, outside: OutsideFilter) {
    this.#maps = maps
    this.#wanted = wanted
    this.#outside = outside
  }

  touch(addresses: Iterable<string>): void {
    for (const address of addresses) {
      this.dirty.add(address)
      this.#touched.add(address)
    }
  }

  flags(address: string): number {
    const kinds = this.#wanted.kinds(address)
    if (kinds === undefined) return 0
    return (
      (kinds.cluster ? AddrFlag.CLUSTER_IP : 0) |
      (kinds.external ? AddrFlag.EXTERNAL : 0) |
      (kinds.node ? AddrFlag.NODE : 0)
    )
  }

  /**
   * Makes addresses known, takes nothing away: before frontends are written, so that a port whose turn has not
   * come is refused rather than let through. Failures are left for `settle`.
   */
  async add(breathe: () => Promise<void>): Promise<void> {
    const changes: [string, number][] = []
    for (const address of this.#touched) {
      const before = this.applied.get(address) ?? 0
      const flags = this.flags(address) | (before === UNKNOWN ? 0 : before)
      if (flags !== 0 && flags !== before) changes.push([address, flags])
    }
    this.#touched.clear()
    if (changes.length > 0) await this.#write(changes, () => {}, breathe)
  }

  /** Brings the kernel to what is wanted. Gives the errors that a later attempt may not meet. */
  async settle(breathe: () => Promise<void>): Promise<unknown[]> {
    const errors: unknown[] = []
    const changes: [string, number][] = []
    const gone: string[] = []
    for (const address of this.dirty) {
      const flags = this.flags(address)
      if (flags === (this.applied.get(address) ?? 0)) this.#settled(address)
      else if (flags === 0) gone.push(address)
      else changes.push([address, flags])
    }
    await this.#delete(gone, errors, breathe)
    await this.#write(
      changes,
      (address, error) => {
        if (!isFull(error)) errors.push(error)
        else this.unfit.add(address)
      },
      breathe,
    )
    for (const address of [...this.dirty]) {
      if (this.flags(address) === (this.applied.get(address) ?? 0)) this.#settled(address)
    }
    return errors
  }

  #settled(address: string): void {
    this.dirty.delete(address)
    this.unfit.delete(address)
    if (this.applied.get(address) === undefined) this.#outside.leave(address)
  }

  async #write(
    changes: readonly [string, number][],
    failed: (address: string, error: unknown) => void,
    breathe: () => Promise<void>,
  ): Promise<void> {
    const entered = changes.filter(([address]) => {
      try {
        this.#outside.enter(address)
        return true
      } catch (error) {
        failed(address, error)
        return false
      }
    })
    const rows = <K>(family: string, keyOf: (text: string) => K) =>
      entered
        .filter(([address]) => ipFamily(address) === family)
        .map(([address, flags]) => ({
          key: keyOf(address),
          value: { flags },
          done: () => void this.applied.set(address, flags),
          failed: (error: unknown) => failed(address, error),
        }))
    await writeEntries(this.#maps.addr4, rows('IPv4', ipv4), breathe)
    await writeEntries(this.#maps.addr6, rows('IPv6', ipv6), breathe)
  }

  async #delete(
    addresses: readonly string[],
    errors: unknown[],
    breathe: () => Promise<void>,
  ): Promise<void> {
    const rows = <K>(family: string, keyOf: (text: string) => K) =>
      addresses
        .filter(address => ipFamily(address) === family)
        .map(address => ({
          key: keyOf(address),
          done: () => void this.applied.delete(address),
          failed: (error: unknown) => {
            this.applied.set(address, UNKNOWN)
            errors.push(error)
          },
        }))
    await deleteEntries(this.#maps.addr4, rows('IPv4', ipv4), breathe)
    await deleteEntries(this.#maps.addr6, rows('IPv6', ipv6), breathe)
  }
}
