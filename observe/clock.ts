/** Time, injected wherever something is late, waits or is told: tests drive it by hand. */
export interface Clock {
  /** Milliseconds since 1970, as people tell time. */
  wallMs(): number
  /** Milliseconds on a clock that never goes back: for what has to be measured. */
  steadyMs(): number
  /** Calls once after delayMs; dispose to call it off. */
  after(delayMs: number, call: () => void): Disposable
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs)
    timer.unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
