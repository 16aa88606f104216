import { backgroundClock, type Clock, type Problem } from '@kpng/api'
import type { KeyedMap, SourceAddresses, SourceAddressRequest } from '@kpng/ebpf'
import type { NetnsMissing, NetnsValue } from '../bindings.gen.ts'
import { NamespaceTable } from './namespace-table.ts'

export interface SourceFinderOptions {
  readonly netns: KeyedMap<bigint, NetnsValue>
  readonly missing: KeyedMap<bigint, NetnsMissing>
  /** Looks into namespaces; rejects where that cannot be done at all. */
  readonly look: (request: SourceAddressRequest) => Promise<SourceAddresses>
  readonly clock?: Clock
  readonly times?: Partial<SourceFinderTimes>
}

export interface SourceFinderTimes {
  /** Between looks at which namespaces the hooks have asked for. Default 100. */
  readonly pollMs: number
  /** Between passes over all namespaces: how old a source may be. Default 5,000. */
  readonly passMs: number
  /** A namespace that cannot be found, or has no address, is not looked at again before. Default 500. */
  readonly againMs: number
}

const DEFAULT_TIMES: SourceFinderTimes = { pollMs: 100, passMs: 5_000, againMs: 500 }

/** A pass takes one part in so many of a processor's time. */
const PAUSE_FACTOR = 50

/**
 * On no link and nobody's address (RFC 7600, and one of a block that is not given out): the source towards it is that
 * of the default route, whatever Services there are.
 */
const OFF_LINK = ['192.0.0.8', '2000::1'] as const

/** Load balancer addresses that are tried where there is no default route. */
const MAX_DESTINATIONS = 8

/**
 * Keeps the map netns filled while a Service has loadBalancerSourceRanges: all namespaces every few seconds, and at
 * once those that a hook has missed. Otherwise it does nothing, and the map is empty.
 */
export class SourceFinder implements Disposable {
  readonly #options: SourceFinderOptions
  readonly #table: NamespaceTable
  readonly #clock: Clock
  readonly #times: SourceFinderTimes
  /** Where sources are asked for; undefined: nobody asks. */
  #destinations: readonly string[] | undefined
  #nextPassMs = 0
  /** When those that could not be found are looked for again. */
  readonly #notBeforeMs = new Map<bigint, number>()
  #timer: Disposable | undefined
  #running = false
  /** Nobody asks, and nothing of a former agent is left either. */
  #isEmpty = false
  #closed = false
  #last: SourceAddresses | undefined
  #failure: Error | undefined
  /** Settled when the first pass since somebody asks is over. */
  #filled = Promise.withResolvers<void>()

  constructor(options: SourceFinderOptions) {
    this.#options = options
    this.#table = new NamespaceTable(options.netns)
    this.#clock = options.clock ?? backgroundClock
    this.#times = { ...DEFAULT_TIMES, ...options.times }
  }

  /** Load balancer addresses with source ranges: they may be none yet. undefined: no Service has such ranges. */
  watch(addresses: readonly string[] | undefined): void {
    const began = this.#destinations === undefined && addresses !== undefined
    this.#destinations = addresses && [...OFF_LINK, ...someOfEach(addresses)]
    if (began) {
      this.#nextPassMs = 0
      this.#isEmpty = false
      this.#filled = Promise.withResolvers()
    } else if (addresses === undefined) {
      this.#filled.resolve()
    }
    if (began || (addresses === undefined && !this.#isEmpty)) this.#wake(0)
  }

  /** Resolves when all namespaces have been looked at once, or could not be. */
  filled(): Promise<void> {
    return this.#destinations === undefined ? Promise.resolve() : this.#filled.promise
  }

  get problems(): Problem[] {
    const problems: Problem[] = []
    const tell = (message: string, reason: NonNullable<Problem['reason']>): void => {
      const consequence =
        'sockets there that are not bound to an address do not reach addresses with loadBalancerSourceRanges'
      problems.push({ where: 'network namespaces', field: '', message: `${message}: ${consequence}`, reason })
    }
    if (this.#destinations === undefined) return problems
    const unfit = this.#table.unfit.size + (this.#last?.leftOut ?? 0)
    if (unfit > 0) tell(`${unfit} do not fit, netns is full (${this.#table.maxEntries})`, 'CapacityExceeded')
    const [why] = this.#last?.failed.values() ?? []
    if (why !== undefined)
      tell(`${this.#last?.failed.size} cannot be looked into (${why})`, 'SourceRangesNotServed')
    if (this.#failure !== undefined)
      tell(`cannot be looked into (${this.#failure.message})`, 'SourceRangesNotServed')
    return problems
  }

  #wake(delayMs: number): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = this.#closed ? undefined : this.#clock.after(delayMs, () => void this.#run())
  }

  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      if (this.#destinations === undefined) this.#forget()
      else if (this.#clock.nowMs() >= this.#nextPassMs) await this.#pass(this.#destinations)
      else await this.#fillMissing(this.#destinations)
    } catch (reason) {
      if (this.#closed) return
      this.#failure = reason instanceof Error ? reason : new Error(String(reason))
      this.#nextPassMs = Math.max(this.#nextPassMs, this.#clock.nowMs() + this.#times.againMs)
      this.#filled.resolve()
    } finally {
      this.#running = false
    }
    if (this.#destinations !== undefined || !this.#isEmpty) this.#wake(this.#times.pollMs)
  }

  async #pass(destinations: readonly string[]): Promise<void> {
    const all = await this.#options.look({ destinations, max: this.#table.maxEntries })
    if (this.#closed || this.#destinations === undefined) return
    this.#table.replace(all)
    this.#last = all
    this.#failure = undefined
    this.#nextPassMs = this.#clock.nowMs() + Math.max(this.#times.passMs, PAUSE_FACTOR * all.tookMs)
    this.#filled.resolve()
  }

  async #fillMissing(destinations: readonly string[]): Promise<void> {
    const { missing, look } = this.#options
    const nowMs = this.#clock.nowMs()
    for (const [cookie, dueMs] of this.#notBeforeMs) if (dueMs <= nowMs) this.#notBeforeMs.delete(cookie)
    const asked = [...missing.entries()].filter(([cookie]) => !this.#notBeforeMs.has(cookie))
    if (asked.length === 0) return
    const namespaces = asked.map(([, value]) => value)
    // Also where looking fails.
    for (const [cookie] of asked) this.#notBeforeMs.set(cookie, nowMs + this.#times.againMs)
    const { found } = await look({ namespaces, destinations, max: asked.length })
    if (this.#closed || this.#destinations === undefined) return
    const sources = new Map(found.map(one => [one.inode, one]))
    for (const [cookie, { inode }] of asked) {
      const one = sources.get(inode)
      if (one !== undefined) this.#table.set(cookie, one)
      // Asked again, it is not found or has no such address: somebody tries again and again.
      this.#notBeforeMs.set(cookie, this.#clock.nowMs() + this.#times.againMs)
    }
    missing.deleteBatch(asked.map(([cookie]) => cookie))
  }

  /** Nobody asks any more. */
  #forget(): void {
    const { missing } = this.#options
    this.#table.clear()
    missing.deleteBatch([...missing.entries()].map(([cookie]) => cookie))
    this.#notBeforeMs.clear()
    this.#last = undefined
    this.#failure = undefined
    this.#isEmpty = true
  }

  /** The map stays as it is. */
  [Symbol.dispose](): void {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    this.#filled.resolve()
  }
}

const someOfEach = (addresses: readonly string[]): string[] =>
  [true, false].flatMap(isIPv6 =>
    addresses.filter(address => address.includes(':') === isIPv6).slice(0, MAX_DESTINATIONS),
  )
