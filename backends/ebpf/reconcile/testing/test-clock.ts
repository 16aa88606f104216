import { ManualClock } from '@kpng/api'

/** So many turns of the event loop in which nothing is done mean that everybody waits for time to pass. */
const IDLE_TURNS = 200
/** More of them at a time mean that somebody never ends. */
const MAX_TURNS = 200_000

/** A clock whose timers fire in order, as soon as nobody has anything else to do. */
export class TestClock extends ManualClock {
  readonly #done: () => number

  /** done: how much has been done so far; work that pauses at each step takes more turns than those that wait. */
  constructor(done: () => number = () => 0) {
    super()
    this.#done = done
  }

  /** Lets everything run until the promise is settled, going on to the next timer whenever nothing happens. */
  async until<T>(promise: Promise<T>, limitMs = 300_000): Promise<T> {
    let done = false
    const finish = (): void => {
      done = true
    }
    promise.then(finish, finish)
    const endMs = this.nowMs() + limitMs
    for (;;) {
      await this.#idle(() => done)
      if (done) return promise
      if (!this.runNext(endMs)) throw new Error(`nothing happened within ${limitMs} ms`)
    }
  }

  /** Lets so much time pass. */
  async pass(delayMs: number): Promise<void> {
    const endMs = this.nowMs() + delayMs
    do {
      await this.#idle(() => false)
    } while (this.runNext(endMs))
    this.advance(endMs - this.nowMs())
  }

  /** Until nobody does anything any more, or it is not needed. */
  async #idle(enough: () => boolean): Promise<void> {
    let before = this.#done()
    for (let turn = 0, idle = 0; idle < IDLE_TURNS && !enough(); turn++) {
      if (turn > MAX_TURNS) throw new Error(`still at work after ${MAX_TURNS} turns`)
      await new Promise(resolve => setImmediate(resolve))
      const now = this.#done()
      idle = now === before ? idle + 1 : 0
      before = now
    }
  }
}
