import { type Cidr, cidrContains, ipBytes } from '@kpng/api'
import type { DatapathMaps } from './maps.ts'

const BITS = 4096
const WORD_BITS = 64
/** As in bpf/cidr.h. */
const HASH_FACTOR = 0x9e3779b1

/**
 * The map outside: a bit for each address that the maps know and that is in no ServiceCIDR. A bit too many costs a
 * lookup, one too few a Service: so they are set before anything else is written, and cleared by verification only.
 */
export class OutsideFilter {
  readonly #map: DatapathMaps['outside']
  readonly #addresses = new Map<string, Uint8Array>()
  #cidrs: readonly Cidr[] = []
  /** Programs may believe the map. */
  #believed = false

  constructor(map: DatapathMaps['outside']) {
    this.#map = map
  }

  /** The map may have it from now on. Before the address itself is written. */
  enter(address: string): void {
    const bytes = this.#addresses.get(address) ?? ipBytes(address)
    this.#addresses.set(address, bytes)
    if (this.#believed && this.#isOutside(bytes)) this.#set(bytes)
  }

  /** It is in the kernel, as a former agent has left it. */
  adopt(address: string): void {
    this.#addresses.set(address, ipBytes(address))
  }

  /** The map has it no more. */
  leave(address: string): void {
    this.#addresses.delete(address)
  }

  /** Those that are about to be in force. The programs must not believe the filter meanwhile. */
  setCidrs(cidrs: readonly Cidr[]): void {
    this.#cidrs = cidrs
    this.#believed = true
    for (const [index, word] of this.#wanted().entries()) this.#add(index, word)
  }

  /** Those that are in force, as a former agent has left them. */
  adoptCidrs(cidrs: readonly Cidr[]): void {
    this.#cidrs = cidrs
    this.#believed = true
  }

  /** Makes the map what it should be. Gives how many words lacked a bit. */
  verify(): number {
    let lacking = 0
    for (const [index, word] of this.#wanted().entries()) {
      const found = this.#map.load64(index)
      if ((word & ~found) !== 0n) lacking++
      if (word !== found) this.#map.store64(index, word)
    }
    return lacking
  }

  #isOutside(bytes: Uint8Array): boolean {
    return !this.#cidrs.some(cidr => cidr.bytes.length === bytes.length && cidrContains(cidr, bytes))
  }

  #set(bytes: Uint8Array): void {
    const hash = hashOf(bytes)
    this.#add(Math.floor(hash / WORD_BITS), bitOf(hash))
  }

  #add(index: number, bits: bigint): void {
    const word = this.#map.load64(index)
    if ((bits & ~word) !== 0n) this.#map.store64(index, word | bits)
  }

  /** All words. */
  #wanted(): BigUint64Array {
    const words = new BigUint64Array(BITS / WORD_BITS)
    for (const bytes of this.#addresses.values()) {
      if (!this.#isOutside(bytes)) continue
      const hash = hashOf(bytes)
      const index = Math.floor(hash / WORD_BITS)
      words[index] = (words[index] ?? 0n) | bitOf(hash)
    }
    return words
  }
}

const bitOf = (hash: number): bigint => 1n << BigInt(hash % WORD_BITS)

/** Of 4 or 16 bytes, as a little-endian machine has them in memory. */
export function hashOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let hash = 0
  for (let at = 0; at < bytes.length; at += 4)
    hash = (Math.imul(hash, HASH_FACTOR) + view.getUint32(at, true)) >>> 0
  return Math.imul(hash, HASH_FACTOR) >>> 20
}
