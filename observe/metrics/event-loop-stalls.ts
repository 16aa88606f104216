import { Histogram, type Registry } from 'prom-client'

/** A turn of the event loop that takes longer keeps everybody else waiting. */
const stallMs = 20

/** Time and turns of an event loop. */
export interface LoopTime {
  /** Monotonic. */
  nowMs(): number
  /** So long the loop has waited for something to happen, all turns together. */
  idleMs(): number
  /** So long the thread has had a processor. */
  cpuMs(): number
  /** Calls once in the next turn, without causing one; the result calls it off. */
  nextTurn(call: () => void): () => void
}

/** Node's own. An immediate that is not referenced runs after the turn's events, and lets an idle loop sleep. */
const nodeLoop: LoopTime = {
  nowMs: () => performance.now(),
  idleMs: () => performance.nodeTiming.idleTime,
  cpuMs: () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  },
  nextTurn(call) {
    const immediate = setImmediate(call)
    immediate.unref()
    return () => clearImmediate(immediate)
  },
}

/**
 * Counts the turns of the event loop that take more than 20 ms, waiting for something to happen left out. Costs two
 * microseconds a turn.
 */
export class EventLoopStalls implements Disposable {
  readonly #stalls: Histogram<'cause'>
  readonly #loop: LoopTime
  #nowMs: number
  #idleMs: number
  #cpuMs: number
  #cancel: () => void

  constructor(registry: Registry, loop: LoopTime = nodeLoop) {
    this.#stalls = new Histogram({
      name: 'kpng_event_loop_stall_seconds',
      help: 'Turns of the event loop of more than 20 ms, by cause: work, or waiting for a processor or the kernel.',
      labelNames: ['cause'],
      buckets: [0.05, 0.1, 0.2, 0.5, 1, 2, 5],
      registers: [registry],
    })
    for (const cause of ['work', 'waiting']) this.#stalls.zero({ cause })
    this.#loop = loop
    this.#nowMs = loop.nowMs()
    this.#idleMs = loop.idleMs()
    this.#cpuMs = loop.cpuMs()
    this.#cancel = loop.nextTurn(() => this.#turn())
  }

  #turn(): void {
    const nowMs = this.#loop.nowMs()
    const idleMs = this.#loop.idleMs()
    const cpuMs = this.#loop.cpuMs()
    const tookMs = nowMs - this.#nowMs - (idleMs - this.#idleMs)
    // What was computed would have been a stall by itself.
    const cause = cpuMs - this.#cpuMs > stallMs ? 'work' : 'waiting'
    if (tookMs > stallMs) this.#stalls.observe({ cause }, tookMs / 1_000)
    this.#nowMs = nowMs
    this.#idleMs = idleMs
    this.#cpuMs = cpuMs
    this.#cancel = this.#loop.nextTurn(() => this.#turn())
  }

  [Symbol.dispose](): void {
    this.#cancel()
  }
}
