import { destination, type Logger, pino } from 'pino'

/** One JSON line an event on standard error, levels as words. */
export function createLogger(level: string, fields: Record<string, string>): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid, ...fields },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: label => ({ level: label }) },
    },
    destination({ dest: 2, sync: true }),
  )
}

/**
 * kube-proxy's verbosities, of which an operator needs 2 to see each sync and 4 to see each change, to levels:
 * 0 and 1 are info, 2 to 5 debug, 6 and more trace.
 */
export const levelOfVerbosity = (verbosity: number): 'info' | 'debug' | 'trace' =>
  verbosity < 2 ? 'info' : verbosity < 6 ? 'debug' : 'trace'

export interface RateLimitOptions {
  /** Lines of one kind before the rest of the interval is only counted. Default 20. */
  readonly burst?: number
  /** Default 10,000. */
  readonly intervalMs?: number
  readonly nowMs?: () => number
}

/** Lets `burst` lines of a kind through per interval; tells how many were left out with the first of the next. */
export class RateLimit {
  readonly #burst: number
  readonly #intervalMs: number
  readonly #nowMs: () => number
  readonly #windows = new Map<string, { startMs: number; count: number }>()

  constructor(options: RateLimitOptions = {}) {
    this.#burst = options.burst ?? 20
    this.#intervalMs = options.intervalMs ?? 10_000
    this.#nowMs = options.nowMs ?? (() => performance.now())
  }

  /** undefined: leave the line out. Else the number of lines of this kind left out since the last one written. */
  admit(kind: string): number | undefined {
    const now = this.#nowMs()
    const window = this.#windows.get(kind)
    if (window === undefined || now - window.startMs >= this.#intervalMs) {
      this.#windows.set(kind, { startMs: now, count: 1 })
      return window === undefined ? 0 : Math.max(0, window.count - this.#burst)
    }
    window.count++
    return window.count <= this.#burst ? 0 : undefined
  }
}
