import assert from 'node:assert/strict'
import { BitSet } from './bit-set.ts'

/** The size of the block that holds `count` slots is 2 ** orderOf(count). */
export const orderOf = (count: number): number => (count <= 1 ? 0 : 32 - Math.clz32(count - 1))

/** An allocated block: `2 ** order` slots from `base`, aligned to its own size. */
export interface Block {
  readonly base: number
  readonly order: number
}

/**
 * Ranges of slots in powers of two. A freed block joins its free buddy at once, so that what is free is always
 * as large as it can be. The lowest block of the smallest order that fits is taken: same calls, same answers.
 */
export class BuddyAllocator {
  /** In slots; any number, not only powers of two. */
  readonly capacity: number
  #used = 0
  /** Bases of free blocks in units of their size, by order. */
  readonly #free: BitSet[] = []
  /** Orders of allocated blocks by base. */
  readonly #allocated = new Map<number, number>()

  constructor(capacity: number) {
    this.capacity = capacity
    for (let order = 0; 2 ** order <= capacity; order++)
      this.#free.push(new BitSet(Math.floor(capacity / 2 ** order)))
    let base = 0
    for (let order = this.#free.length - 1; order >= 0; order--) {
      if (base + 2 ** order > capacity) continue
      this.#free[order]?.add(base / 2 ** order)
      base += 2 ** order
    }
  }

  /** Slots in allocated blocks, rounding included. */
  get used(): number {
    return this.#used
  }

  /** Allocated blocks, in no order. */
  *blocks(): Generator<Block> {
    for (const [base, order] of this.#allocated) yield { base, order }
  }

  /** The order of the block that begins at base; undefined when none does. */
  orderAt(base: number): number | undefined {
    return this.#allocated.get(base)
  }

  /** A block for count slots (0 counts as 1); undefined when none is large enough. */
  allocate(count: number): Block | undefined {
    const wanted = orderOf(count)
    for (let order = wanted; order < this.#free.length; order++) {
      const first = this.#free[order]?.first()
      if (first === undefined) continue
      return this.#take(first * 2 ** order, order, first * 2 ** order, wanted)
    }
    return undefined
  }

  /** Takes exactly this block, as adoption does; false when it is misaligned, outside, or not all free. */
  reserve(base: number, order: number): boolean {
    if (base % 2 ** order !== 0) return false
    for (let outer = order; outer < this.#free.length; outer++) {
      const start = base - (base % 2 ** outer)
      if (!this.#free[outer]?.has(start / 2 ** outer)) continue
      this.#take(start, outer, base, order)
      return true
    }
    return false
  }

  free(base: number): void {
    let order = this.#allocated.get(base)
    assert(order !== undefined, `slot ${base} does not begin an allocated range`)
    this.#allocated.delete(base)
    this.#used -= 2 ** order
    let unit = base / 2 ** order
    while (this.#free[order]?.has(unit ^ 1)) {
      this.#free[order]?.delete(unit ^ 1)
      unit >>>= 1
      order++
    }
    this.#free[order]?.add(unit)
  }

  /** Splits the free block `outer` at `start` until the block of `order` at `base` is by itself. */
  #take(start: number, outer: number, base: number, order: number): Block {
    this.#free[outer]?.delete(start / 2 ** outer)
    for (let half = outer - 1; half >= order; half--) {
      const inside = base - (base % 2 ** half)
      this.#free[half]?.add((inside / 2 ** half) ^ 1)
    }
    this.#allocated.set(base, order)
    this.#used += 2 ** order
    return { base, order }
  }
}
