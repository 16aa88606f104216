import { backgroundClock, type Clock } from '@kpng/api'
import type { ObserveLogger } from '../logger.ts'
import {
  createPath,
  type EventIdentity,
  eventKey,
  eventObject,
  identify,
  patchPath,
  seriesPatch,
} from './event-object.ts'
import type { EventInput, EventRecorder } from './event-recorder.ts'

/**
 * Writes to an API server, no faster than that allows: who writes waits. Rejects with what `EventFailure` describes, or
 * with anything else: that is tried again.
 */
export interface EventApi {
  create(path: string, object: unknown): Promise<unknown>
  patch(path: string, patch: unknown, type: 'merge'): Promise<unknown>
}

/** What a rejection may say of itself. */
export interface EventFailure {
  /**
   * `absent` and `conflict`: 404 and 409. `forbidden` (403), `unsupported` (400, 422): never tried again. All else
   * may pass.
   */
  readonly code?: string
  /** The server asked to be left alone for so long. */
  readonly retryAfterMs?: number
}

export interface ApiEventRecorderOptions {
  readonly api: EventApi
  /** Who tells, for people: `kpng-<node>`. */
  readonly reportingInstance: string
  readonly logger: ObserveLogger
  /** Different Events that are remembered or wait; more are dropped. Default 1,000. */
  readonly maxEvents?: number
  /** An Event told again after so long is a new one. Default 6 min, client-go's. */
  readonly seriesMs?: number
  /** A series that goes on is written at least so often, or the server would forget it. Default 30 min, client-go's. */
  readonly refreshMs?: number
  /** Attempts to write one Event. Default 12, client-go's. */
  readonly maxAttempts?: number
  /** After a failure; doubled up to 60 s with each that follows, and spread by a quarter. Default 1 s. */
  readonly retryMs?: number
  readonly clock?: Clock
  /** 0 to 1. */
  readonly random?: () => number
}

export interface EventCounts {
  /** Requests that the server took. */
  readonly written: number
  /** Events not told: no room, refused by the server, or given up. */
  readonly dropped: number
  /** Requests that came to nothing; most are repeated. */
  readonly failed: number
  /** Events that wait to be written. */
  readonly waiting: number
}

/** One Event, however often it was told: what is wanted, and what the server has. */
interface Row {
  readonly identity: EventIdentity
  count: number
  lastObservedMs: number
  /** The count that the server has; 0: it does not know of the Event. */
  writtenCount: number
  writtenMs: number
  attempts: number
}

const MAX_RETRY_MS = 60_000

/**
 * Tells Events to an API server: the first of a kind at once, the second as the beginning of a series, those that
 * follow when the series ends or has gone on for long, as client-go does. One request at a time, never waited for by
 * those who tell; only the verbs create and patch are used.
 */
export class ApiEventRecorder implements EventRecorder, Disposable {
  readonly #options: Required<Omit<ApiEventRecorderOptions, 'clock' | 'random'>>
  readonly #clock: Clock
  readonly #random: () => number
  readonly #rows = new Map<string, Row>()
  /** Rows of which the server has not all that it should have. */
  readonly #queue = new Set<string>()
  readonly #waiting = new Set<() => void>()
  #timer: Disposable | undefined
  #sweep: Disposable | undefined
  #writing = false
  #failures = 0
  #notBeforeMs = 0
  #told = 0
  #written = 0
  #dropped = 0
  #failed = 0
  #disposed = false

  constructor(options: ApiEventRecorderOptions) {
    const { clock = backgroundClock, random = Math.random, ...rest } = options
    this.#options = {
      maxEvents: 1_000,
      seriesMs: 6 * 60_000,
      refreshMs: 30 * 60_000,
      maxAttempts: 12,
      retryMs: 1_000,
      ...rest,
    }
    this.#clock = clock
    this.#random = random
    this.#sweepLater()
  }

  get counts(): EventCounts {
    const { size } = this.#queue
    return { written: this.#written, dropped: this.#dropped, failed: this.#failed, waiting: size }
  }

  event(input: EventInput): void {
    if (this.#disposed) return
    const key = eventKey(input)
    const nowMs = this.#clock.wallMs()
    const row = this.#rows.get(key)
    if (row !== undefined) {
      row.count++
      row.lastObservedMs = nowMs
      // The server learns that there is a series; how long it gets, when it ends.
      if (row.writtenCount < 2) this.#enqueue(key)
      return
    }
    if (this.#rows.size >= this.#options.maxEvents) {
      this.#dropped++
      return
    }
    const identity = identify(input, nowMs, this.#told++)
    this.#rows.set(key, {
      identity,
      count: 1,
      lastObservedMs: nowMs,
      writtenCount: 0,
      writtenMs: nowMs,
      attempts: 0,
    })
    this.#enqueue(key)
  }

  /** Resolves when all that was told is written or dropped, or after so long: for a process that is about to end. */
  async settled(withinMs: number): Promise<void> {
    if ((this.#queue.size === 0 && !this.#writing) || this.#disposed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    using _timer = this.#clock.after(withinMs, resolve)
    await promise
    this.#waiting.delete(resolve)
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#timer?.[Symbol.dispose]()
    this.#sweep?.[Symbol.dispose]()
    this.#release()
  }

  #enqueue(key: string): void {
    this.#queue.add(key)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#writing || this.#disposed || this.#queue.size === 0) return
    const delayMs = Math.max(this.#notBeforeMs - this.#clock.nowMs(), 0)
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined
      void this.#writeNext()
    })
  }

  async #writeNext(): Promise<void> {
    const [key] = this.#queue
    const row = key === undefined ? undefined : this.#rows.get(key)
    if (key === undefined || row === undefined) return
    this.#queue.delete(key)
    this.#writing = true
    try {
      await this.#write(row)
      this.#failures = 0
    } catch (reason) {
      this.#afterFailure(key, row, reason)
    } finally {
      this.#writing = false
      if (this.#queue.size === 0) this.#release()
      this.#schedule()
    }
  }

  async #write(row: Row): Promise<void> {
    const { api, reportingInstance } = this.#options
    const { count, lastObservedMs, identity } = row
    const series = count < 2 ? undefined : { count, lastObservedMs }
    if (series !== undefined && row.writtenCount > 0)
      await api.patch(patchPath(identity), seriesPatch(series), 'merge')
    else await api.create(createPath(identity), eventObject(identity, reportingInstance, series))
    this.#written++
    row.writtenCount = count
    row.writtenMs = this.#clock.wallMs()
    row.attempts = 0
    const key = eventKey(identity.input)
    if (row.count >= 2 && row.writtenCount < 2) this.#queue.add(key)
    // It may have been put back meanwhile, with nothing more to say.
    if (row.count === row.writtenCount) this.#queue.delete(key)
  }

  #afterFailure(key: string, row: Row, reason: unknown): void {
    const { code = '', retryAfterMs = 0 } = Object(reason) as EventFailure
    const message = reason instanceof Error ? reason.message : String(reason)
    const { namespace, name } = row.identity
    this.#failed++
    row.attempts++
    // Somebody has removed it, or an attempt that nobody answered has made it.
    const turned = code === (row.writtenCount > 0 ? 'absent' : 'conflict')
    if (turned) row.writtenCount = row.writtenCount > 0 ? 0 : 1
    const done = turned && row.writtenCount === row.count
    const hopeless = !turned && ['absent', 'conflict', 'forbidden', 'unsupported'].includes(code)
    if (done) return
    if (hopeless || row.attempts >= this.#options.maxAttempts) {
      this.#rows.delete(key)
      // Told again while the server had it: that is not tried either.
      this.#queue.delete(key)
      this.#dropped++
      this.#options.logger.warn(
        { event: `${namespace}/${name}`, err: message },
        'an Event could not be written',
      )
      return
    }
    // First again: what the server does not take now, it will not take of another Event either.
    const others = [...this.#queue]
    this.#queue.clear()
    for (const each of [key, ...others]) this.#queue.add(each)
    if (turned) return
    this.#failures++
    const backoffMs = Math.min(this.#options.retryMs * 2 ** (this.#failures - 1), MAX_RETRY_MS)
    const delayMs = Math.max(backoffMs * (1 + this.#random() / 4), retryAfterMs)
    this.#notBeforeMs = this.#clock.nowMs() + delayMs
    this.#options.logger.debug({ err: message, delayMs }, 'an Event could not be written yet')
  }

  /** Ends what has not been told for long, and keeps alive what goes on. */
  #sweepLater(): void {
    this.#sweep = this.#clock.after(this.#options.seriesMs, () => {
      const nowMs = this.#clock.wallMs()
      for (const [key, row] of this.#rows) {
        const unwritten = row.count > row.writtenCount
        const ended = nowMs - row.lastObservedMs >= this.#options.seriesMs
        const stale = nowMs - row.writtenMs >= this.#options.refreshMs
        if (unwritten && (ended || stale)) this.#enqueue(key)
        else if (ended && !this.#queue.has(key)) this.#rows.delete(key)
      }
      this.#sweepLater()
    })
  }

  #release(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}
