import { ManualClock } from '@kpng/api'

/** So many turns of the event loop without an end mean that everybody waits for time to pass. */
const IDLE_TURNS = 200

/** A clock whose timers fire in order, as soon as nobody has anything else to do. */
export class TestClock extends ManualClock {
  /** Lets everything run until the promise is settled, going on to the next timer whenever nothing happens. */
  async until<T>(promise: Promise<T>, limitMs = 300_000): Promise<T> {
    let done = false
    const finish = (): void => {
      done = true
    }
    promise.then(finish, finish)
    const endMs = this.nowMs() + limitMs
    for (;;) {
      for (let turn = 0; turn < IDLE_TURNS && !done; turn++)
        await new Promise(resolve => setImmediate(resolve))
      if (done) return promise
      if (!this.runNext(endMs)) throw new Error(`nothing happened within ${limitMs} ms`)
    }
  }

  /** Lets so much time pass. */
  async pass(delayMs: number): Promise<void> {
    const endMs = this.nowMs() + delayMs
    do {
      for (let turn = 0; turn < IDLE_TURNS; turn++) await new Promise(resolve => setImmediate(resolve))
    } while (this.runNext(endMs))
    this.advance(endMs - this.nowMs())
  }
}
