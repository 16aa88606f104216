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
 * Dense ids of named things (service ports, memberships), lowest first, from 1: 0 is what zeroed memory says.
 * A released id is in limbo: its key gets it back, nobody else does until `free` says that it is forgotten.
 */
export class IdTable {
  /** Largest id. */
  readonly max: number
  readonly #free: BitSet
  readonly #idByKey = new Map<string, number>()
  readonly #keyById: (string | undefined)[] = []
  readonly #state: Uint8Array
  readonly #generation: Uint16Array
  /** Stays of the ids in limbo. */
  readonly #limbo = new Map<number, number>()
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

  /** The id of key, live or in limbo. */
  find(key: string): Id | undefined {
    const id = this.#idByKey.get(key)
    return id === undefined ? undefined : this.#at(id)
  }

  keyOf(id: number): string | undefined {
    return this.#keyById[id]
  }

  isLive(id: number): boolean {
    return this.#state[id] === State.live
  }

  isFree(id: number): boolean {
    return this.#state[id] === State.free
  }

  /** The id of key, made live; a new one when it has none. undefined when all are taken. */
  acquire(key: string): Id | undefined {
    const known = this.#idByKey.get(key)
    if (known !== undefined) {
      this.#limbo.delete(known)
      this.#state[known] = State.live
      return this.#at(known)
    }
    const id = this.#free.first()
    if (id === undefined) return undefined
    this.#generation[id] = (this.#generation[id] ?? 0) + 1
    this.#own(id, key, State.live)
    return this.#at(id)
  }

  /** The owner has vanished. */
  release(key: string): void {
    const id = this.#idByKey.get(key)
    assert(id !== undefined && this.isLive(id), `${key} has no live id`)
    this.#state[id] = State.limbo
    this.#limbo.set(id, ++this.#stays)
  }

  limbo(): LimboId[] {
    return [...this.#limbo].map(([id, stay]) => ({ ...this.#at(id), key: this.#keyById[id], stay }))
  }

  isInLimbo(id: number, stay: number): boolean {
    return this.#limbo.get(id) === stay
  }

  /** Nobody remembers the id: it may be given again. false when it has left this stay in limbo meanwhile. */
  free(id: number, stay: number): boolean {
    if (this.#limbo.get(id) !== stay) return false
    this.#limbo.delete(id)
    const key = this.#keyById[id]
    if (key !== undefined) this.#idByKey.delete(key)
    this.#keyById[id] = undefined
    this.#state[id] = State.free
    this.#free.add(id)
    return true
  }

  /** Takes over an id of a former life. false when the id is out of range or taken, or the key has another. */
  adopt(key: string, id: number, generation: number, state: 'live' | 'limbo'): boolean {
    if (!this.#free.has(id) || this.#idByKey.has(key)) return false
    this.#generation[id] = generation
    this.#own(id, key, state === 'live' ? State.live : State.limbo)
    if (state === 'limbo') this.#limbo.set(id, ++this.#stays)
    return true
  }

  /** Keeps a free id from being given, because something remembers it. */
  block(id: number): void {
    if (!this.#free.has(id)) return
    this.#free.delete(id)
    this.#state[id] = State.limbo
    this.#limbo.set(id, ++this.#stays)
  }

  /** A free id was seen with this generation: its next life gets a later one. */
  noteGeneration(id: number, generation: number): void {
    if (!this.#free.has(id)) return
    this.#generation[id] = Math.max(this.#generation[id] ?? 0, generation)
  }

  #own(id: number, key: string, state: 1 | 2): void {
    this.#free.delete(id)
    this.#idByKey.set(key, id)
    this.#keyById[id] = key
    this.#state[id] = state
  }

  #at(id: number): Id {
    return { id, generation: this.#generation[id] ?? 0 }
  }
}
