/** Time, injected wherever something waits, is late or is told: tests drive it by hand. */
export interface Clock {
  /** Milliseconds on a clock that never goes back: for what is measured. */
  nowMs(): number
  /** Milliseconds since 1970, as people tell time. */
  wallMs(): number
  /** Calls once after delayMs (0: in a turn of its own); dispose to call it off. */
  after(delayMs: number, call: () => void): Disposable
}

/** The machine's. What waits on it keeps the process alive. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, call) => disposable(setTimeout(call, delayMs)),
}

/** The machine's, for those who only look after something: what waits on it keeps no process alive. */
export const backgroundClock: Clock = {
  ...systemClock,
  after: (delayMs, call) => disposable(setTimeout(call, delayMs).unref()),
}

const disposable = (timer: NodeJS.Timeout): Disposable => ({ [Symbol.dispose]: () => clearTimeout(timer) })
