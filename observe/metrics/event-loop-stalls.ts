import { Histogram, type Registry } from 'prom-client'

/** A turn of the event loop that takes longer keeps everybody else waiting. */
const stallMs = 20

/** Time and turns of an event loop. */
export interface LoopTime {
  /** Monotonic. */
  nowMs(): number
  /** So long the loop has waited for something to happen, all turns together. */
  idleMs(): number
  /** Calls once in the next turn, without causing one; the result calls it off. */
  nextTurn(call: () => void): () => void
}

/** Node's own. An immediate that is not referenced runs after the turn's events, and lets an idle loop sleep. */
const nodeLoop: LoopTime = {
  nowMs: () => performance.now(),
  idleMs: () => performance.nodeTiming.idleTime,
  nextTurn(call) {
    const immediate = setImmediate(call)
    immediate.unref()
    return () => clearImmediate(immediate)
  },
}

/** Counts the turns of the event loop that work for more than 20 ms, by what they take. Costs a microsecond a turn. */
export class EventLoopStalls implements Disposable {
  readonly #stalls: Histogram
  readonly #loop: LoopTime
  #nowMs: number
  #idleMs: number
  #cancel: () => void

  constructor(registry: Registry, loop: LoopTime = nodeLoop) {
    this.#stalls = new Histogram({
      name: 'kpng_event_loop_stall_seconds',
      help: 'Turns of the event loop that worked for more than 20 ms.',
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5],
      registers: [registry],
    })
    this.#loop = loop
    this.#nowMs = loop.nowMs()
    this.#idleMs = loop.idleMs()
    this.#cancel = loop.nextTurn(() => this.#turn())
  }

  #turn(): void {
    const nowMs = this.#loop.nowMs()
    const idleMs = this.#loop.idleMs()
    const workedMs = nowMs - this.#nowMs - (idleMs - this.#idleMs)
    if (workedMs > stallMs) this.#stalls.observe(workedMs / 1_000)
    this.#nowMs = nowMs
    this.#idleMs = idleMs
    this.#cancel = this.#loop.nextTurn(() => this.#turn())
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }
}
