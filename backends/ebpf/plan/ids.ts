import assert from 'node:assert/strict'
import { BitSet } from './bit-set.ts'

/** A dense id and which of its lives this is: a socket record that carries another generation means another. */
export interface Id {
  readonly id: number
  readonly generation: number
}

/** An id whose owner has vanished, while sockets or clients may still remember it. */
export interface LimboId extends Id {
  /** undefined when only the number is known to be in use (found in an affinity entry, say). */
  readonly key: string | undefined
  /** Changes each time the id goes to limbo: tells this stay from a later one. */
  readonly stay: number
}

const State = { free: 0, live: 1, limbo: 2 } as const

/**
 * Dense ids of named things (service ports, memberships), lowest first, from 1: 0 is what zeroed memory says. A
 * released id is in limbo: its key gets it back, nobody else does until `free` says that it is forgotten. Which key a
 * live id is of is for its owner to know, who asks once.
 */
export class IdTable {
  /** Largest id. */
  readonly max: number
  readonly #free: BitSet
  readonly #state: Uint8Array
  readonly #generation: Uint16Array
  readonly #limbo = new Map<number, Pick<LimboId, 'key' | 'stay'>>()
  readonly #limboByKey = new Map<string, number>()
  #stays = 0

  constructor(max: number) {
    this.max = max
    this.#free = new BitSet(max + 1)
    for (let id = 1; id <= max; id++) this.#free.add(id)
    this.#state = new Uint8Array(max + 1)
    this.#generation = new Uint16Array(max + 1)
  }

  get live(): number {
    return this.max - this.#free.size - this.#limbo.size
  }

  get inLimbo(): number {
    return this.#limbo.size
  }

  isLive(id: number): boolean {
    return this.#state[id] === State.live
  }

  /** The id that key had, if it is in limbo, else a new one. undefined when all are taken. */
  acquire(key: string): Id | undefined {
    const had = this.#limbo.size === 0 ? undefined : this.#limboByKey.get(key)
    if (had !== undefined) {
      this.#leaveLimbo(had)
      this.#state[had] = State.live
      return this.#at(had)
    }
    const id = this.#free.first()
    if (id === undefined) return undefined
    this.#generation[id] = (this.#generation[id] ?? 0) + 1
    this.#free.delete(id)
    this.#state[id] = State.live
    return this.#at(id)
  }

  /** The owner, by its key, has vanished. */
  release(id: number, key: string): void {
    assert(this.isLive(id) && !this.#limboByKey.has(key), `${key} has no live id ${id}`)
    this.#limboByKey.set(key, id)
    this.#enterLimbo(id, key)
  }

  limbo(): LimboId[] {
    return [...this.#limbo].map(([id, stay]) => ({ ...this.#at(id), ...stay }))
  }

  isInLimbo(id: number, stay: number): boolean {
    return this.#limbo.get(id)?.stay === stay
  }

  /** Nobody remembers the id: it may be given again. false when it has left this stay in limbo meanwhile. */
  free(id: number, stay: number): boolean {
    if (!this.isInLimbo(id, stay)) return false
    this.#leaveLimbo(id)
    this.#state[id] = State.free
    this.#free.add(id)
    return true
  }

  /** Takes over a live id of a former life. false when it is out of range or taken. */
  adopt(id: number, generation: number): boolean {
    if (!this.#free.has(id)) return false
    this.#free.delete(id)
    this.#generation[id] = generation
    this.#state[id] = State.live
    return true
  }

  /** Keeps a free id from being given, because something remembers it. */
  block(id: number): void {
    if (!this.#free.has(id)) return
    this.#free.delete(id)
    this.#enterLimbo(id, undefined)
  }

  /** A free id was seen with this generation: its next life gets a later one. */
  noteGeneration(id: number, generation: number): void {
    if (!this.#free.has(id)) return
    this.#generation[id] = Math.max(this.#generation[id] ?? 0, generation)
  }

  #enterLimbo(id: number, key: string | undefined): void {
    this.#state[id] = State.limbo
    this.#limbo.set(id, { key, stay: ++this.#stays })
  }

  #leaveLimbo(id: number): void {
    const key = this.#limbo.get(id)?.key
    if (key !== undefined) this.#limboByKey.delete(key)
    this.#limbo.delete(id)
  }

  #at(id: number): Id {
    return { id, generation: this.#generation[id] ?? 0 }
  }
}
