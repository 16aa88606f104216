/**
 * A set of small integers that finds its smallest member in a few steps: 32-bit words, summarised level by
 * level. The allocators below stand on it, because "always the lowest that is free" makes them deterministic.
 */
export class BitSet {
  readonly capacity: number
  #size = 0
  /** level[0] has a bit per member, level[n + 1] a bit per non-zero word of level[n]; the last is one word. */
  readonly #levels: Uint32Array[] = []

  constructor(capacity: number) {
    this.capacity = capacity
    let bits = capacity
    do {
      bits = Math.max(1, Math.ceil(bits / 32))
      this.#levels.push(new Uint32Array(bits))
    } while (bits > 1)
  }

  get size(): number {
    return this.#size
  }

  has(member: number): boolean {
    return ((this.#word(0, member >>> 5) >>> (member & 31)) & 1) === 1
  }

  add(member: number): void {
    if (this.has(member)) return
    this.#size++
    let bit = member
    for (const level of this.#levels) {
      const word = bit >>> 5
      const before = level[word] ?? 0
      level[word] = before | (1 << (bit & 31))
      if (before !== 0) return
      bit = word
    }
  }

  delete(member: number): void {
    if (!this.has(member)) return
    this.#size--
    let bit = member
    for (const level of this.#levels) {
      const word = bit >>> 5
      const after = (level[word] ?? 0) & ~(1 << (bit & 31))
      level[word] = after
      if (after !== 0) return
      bit = word
    }
  }

  /** The smallest member; undefined when the set is empty. */
  first(): number | undefined {
    if (this.#size === 0) return undefined
    let index = 0
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const word = this.#word(level, index)
      index = index * 32 + (31 - Math.clz32(word & -word))
    }
    return index
  }

  #word(level: number, index: number): number {
    return this.#levels[level]?.[index] ?? 0
  }
}
