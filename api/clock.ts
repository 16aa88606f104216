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
  after: (delayMs, call) => later(delayMs, call, true),
}

/** The machine's, for those who only look after something: what waits on it keeps no process alive. */
export const backgroundClock: Clock = {
  ...systemClock,
  after: (delayMs, call) => later(delayMs, call, false),
}

/** A timer is one to two milliseconds late at least: where there is nothing to wait for, that is a turn without one. */
function later(delayMs: number, call: () => void, keepsAlive: boolean): Disposable {
  if (delayMs <= 0) {
    const immediate = setImmediate(call)
    if (!keepsAlive) immediate.unref()
    return { [Symbol.dispose]: () => clearImmediate(immediate) }
  }
  const timer = setTimeout(call, delayMs)
  if (!keepsAlive) timer.unref()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}
