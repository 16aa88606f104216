import type { Clock } from '@kpng/api'
import { Sharing } from '../../objects/share.ts'
import type { KubeObject } from '../../objects/types.ts'
import type { ObjectRef } from '../../store/store.ts'
import { TimeSlice } from '../../view/time-slice.ts'
import type { ListPage, WatchEvent } from './answers.ts'
import { ApiFailure, type ApiFailureCode } from './api-failure.ts'
import { Attempt } from './attempt.ts'
import { Backoff } from './backoff.ts'
import type { ReflectorLimits } from './limits.ts'
import { type Item, readItem, readRef, refKey } from './read-item.ts'
import type { Resource } from './resources.ts'
import type { Transport } from './transport.ts'

/** Where a reflector writes. */
export interface ReflectorTarget {
  /** Nothing else is called before it resolves. */
  replace(items: ReadonlyMap<string, Item>): Promise<void>
  put(item: Item): void
  delete(ref: ObjectRef): void
}

export interface ReflectorOptions {
  readonly resource: Resource
  readonly transport: Transport
  readonly target: ReflectorTarget
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  readonly limits: ReflectorLimits
  /** A last touch to every object that was read. */
  readonly adjust: (object: KubeObject) => KubeObject
  /** Told when `failure` is another one; must only take note. */
  readonly onFailure: () => void
}

type Asked = PromiseWithResolvers<void>

/** The server has answered, and what it answered is of no use: asking the same again may never help. */
const ANSWERED: readonly ApiFailureCode[] = ['unavailable', 'broken', 'forbidden', 'absent']
/** What a watch may die of without anything being wrong. */
const UNTOLD: readonly ApiFailureCode[] = ['broken', 'silent']

/**
 * Follows the objects of one kind: one list, then the changes since, for ever. What the target has is always a
 * state that the server was in, and never goes because a request failed: only a new list that is whole, or the
 * server's word that an object is gone, takes something away.
 */
export class Reflector implements AsyncDisposable {
  readonly #options: ReflectorOptions
  readonly #backoff: Backoff
  readonly #sharing = new Sharing()
  /** Where a watch goes on; undefined: a list is needed. */
  #version: string | undefined
  #listed = false
  /** Whether to ask for a streamed list, as far as we know the server. */
  #streams: 'yes' | 'not-next' | 'never' = 'yes'
  /** Refused or broken watches in a row. */
  #resumes = 0
  #failure: ApiFailure | undefined
  /** Who waits for a list that has not begun yet. */
  #asked: Asked[] = []
  /** Who waits for the list that is under way; undefined when there is none. */
  #listing: Asked[] | undefined
  /** Ends what is being done or waited for. */
  #interrupt: () => void = () => {}
  #closed = false
  #running: Promise<void> = Promise.resolve()

  constructor(options: ReflectorOptions) {
    this.#options = options
    const { firstBackoffMs, maxBackoffMs } = options.limits
    this.#backoff = new Backoff({ firstMs: firstBackoffMs, maxMs: maxBackoffMs, random: options.random })
  }

  /** Why the last request came to nothing; undefined while all is well. */
  get failure(): ApiFailure | undefined {
    return this.#failure
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Asks for a new list now; rejects when that one request fails. What is served stays until it is whole. */
  relist(): Promise<void> {
    const asked = Promise.withResolvers<void>()
    this.#asked.push(asked)
    if (this.#listing === undefined) this.#interrupt()
    return asked.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#interrupt()
    await this.#running
    for (const asked of this.#asked.splice(0))
      asked.reject(new ApiFailure('unreachable', 'the source is closed'))
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const waitMs = await this.#step()
      if (waitMs > 0 && !this.#closed && this.#asked.length === 0) await this.#wait(waitMs)
    }
  }

  /** One list or watch until it ends; gives how long to wait before the next one. */
  async #step(): Promise<number> {
    const { transport, clock, limits } = this.#options
    const { connection } = transport
    using attempt = new Attempt({ connection, clock, answerWithinMs: limits.answerWithinMs })
    this.#interrupt = () => attempt.interrupt()
    try {
      if (this.#version !== undefined && this.#asked.length === 0) return await this.#watch(attempt)
      this.#listing = this.#asked.splice(0)
      return this.#streams === 'yes' ? await this.#streamedList(attempt) : await this.#pagedList(attempt)
    } catch (reason) {
      const failure = attempt.failure(reason)
      if (attempt.ageMs >= limits.steadyAfterMs) this.#backoff.reset()
      if (failure === undefined) return 0
      return this.#listing === undefined ? this.#watchFailed(failure) : await this.#listFailed(failure)
    } finally {
      this.#endListing(asked => asked.reject(new ApiFailure('unreachable', 'the source is closed')))
    }
  }

  async #watch(attempt: Attempt): Promise<number> {
    const query = { ...this.#watchQuery(), resourceVersion: this.#version ?? '' }
    const { resource, limits } = this.#options
    const answer = await attempt.request({ path: resource.path, query, gzip: false, protobuf: true })
    this.#setFailure(undefined)
    attempt.expect(limits.watchSilenceMs)
    for await (const events of answer.events(limits.maxEventBytes))
      for (const event of events) this.#apply(event)
    return this.#watchEnded(attempt.ageMs)
  }

  /** A watch that begins with what there is; a bookmark says where that ends. It then goes on as a watch. */
  async #streamedList(attempt: Attempt): Promise<number> {
    const { resource, limits } = this.#options
    const query = {
      ...this.#watchQuery(),
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
    }
    const prompt = this.#isAwaited
    const answer = await attempt.request({ path: resource.path, query, gzip: false, protobuf: true, prompt })
    attempt.expect(limits.listSilenceMs)
    let shadow: Map<string, Item> | undefined = new Map()
    for await (const events of answer.events(limits.maxEventBytes)) {
      for (const event of events) {
        if (shadow === undefined) this.#apply(event)
        else if (event.type !== 'bookmark') this.#collect(shadow, event)
        else if (event.endsList) {
          await this.#publish(shadow, event.version)
          shadow = undefined
          // Who asked while it was under way waits for the one after it.
          if (this.#asked.length > 0) return 0
          attempt.expect(limits.watchSilenceMs)
        }
      }
    }
    if (shadow !== undefined) throw new ApiFailure('broken', 'the answer ended before the list was whole')
    return this.#watchEnded(attempt.ageMs)
  }

  /** The way of servers that do not stream lists. When pages expire meanwhile it is one big page. */
  async #pagedList(attempt: Attempt): Promise<number> {
    const { limits } = this.#options
    let shadow = new Map<string, Item>()
    let next = ''
    let paged = true
    for (let pages = 0; pages < limits.maxPages; pages++) {
      try {
        const page = await this.#page(attempt, paged ? limits.pageSize : 0, next)
        const slice = new TimeSlice()
        for (const object of page.items) {
          if (slice.isOver) await slice.next()
          this.#collect(shadow, { type: 'put', object })
        }
        next = page.continue
        if (next !== '') continue
        await this.#publish(shadow, page.version)
        return 0
      } catch (reason) {
        if (!paged || next === '' || ApiFailure.from(reason, 'broken').code !== 'expired') throw reason
        shadow = new Map()
        next = ''
        paged = false
      }
    }
    throw new ApiFailure('broken', `a list has more than ${limits.maxPages} pages`)
  }

  async #page(attempt: Attempt, limit: number, next: string): Promise<ListPage> {
    const { resource, limits } = this.#options
    const query = {
      ...resource.selectors,
      ...(limit > 0 && { limit: `${limit}` }),
      ...(next !== '' && { continue: next }),
    }
    const prompt = this.#isAwaited
    const answer = await attempt.request({ path: resource.path, query, gzip: true, protobuf: true, prompt })
    attempt.expect(limits.listSilenceMs)
    return await answer.list(limits.maxPageBytes)
  }

  /** Somebody has asked for the list that is under way. */
  get #isAwaited(): boolean {
    return this.#listing !== undefined && this.#listing.length > 0
  }

  #watchQuery(): Record<string, string> {
    const { resource, limits, random } = this.#options
    return {
      ...resource.selectors,
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: `${Math.round(limits.watchSeconds * (1 + random()))}`,
    }
  }

  #read(object: unknown): Item {
    const item = readItem(object, this.#options.resource, this.#options.adjust)
    if (item.object !== undefined) this.#sharing.share(item.object)
    return item
  }

  #collect(shadow: Map<string, Item>, { type, object }: { type: 'put' | 'delete'; object: unknown }): void {
    const item = this.#read(object)
    if (type === 'put') shadow.set(refKey(item.ref), item)
    else shadow.delete(refKey(item.ref))
  }

  #apply(event: WatchEvent): void {
    const { target, resource } = this.#options
    if (event.type === 'put') target.put(this.#read(event.object))
    if (event.type === 'delete') {
      const ref = readRef(event.object, resource)
      if (ref !== undefined) target.delete(ref)
    }
    if (event.version !== '') this.#version = event.version
    this.#resumes = 0
  }

  async #publish(items: ReadonlyMap<string, Item>, version: string): Promise<void> {
    if (version === '') throw new ApiFailure('broken', 'a list has no version')
    await this.#options.target.replace(items)
    this.#version = version
    this.#listed = true
    this.#resumes = 0
    if (this.#streams === 'not-next') this.#streams = 'yes'
    this.#setFailure(undefined)
    this.#endListing(asked => asked.resolve())
  }

  #endListing(tell: (asked: Asked) => void): void {
    for (const asked of this.#listing?.splice(0) ?? []) tell(asked)
    this.#listing = undefined
  }

  /** In order: the server's own time is up, or it goes away. */
  #watchEnded(ageMs: number): number {
    const { steadyAfterMs, minWatchMs } = this.#options.limits
    if (ageMs >= steadyAfterMs) this.#backoff.reset()
    return ageMs >= minWatchMs ? 0 : this.#backoff.nextMs()
  }

  #watchFailed(failure: ApiFailure): number {
    // A watch may be cut at any time; that the next one is cut as well is worth a word.
    if (failure.code !== 'expired' && (this.#resumes > 0 || !UNTOLD.includes(failure.code)))
      this.#setFailure(failure)
    if (ANSWERED.includes(failure.code)) this.#resumes++
    if (
      ['expired', 'unsupported'].includes(failure.code) ||
      this.#resumes >= this.#options.limits.maxResumes
    ) {
      this.#version = undefined
      this.#resumes = 0
    }
    return this.#waitAfter(failure)
  }

  async #listFailed(failure: ApiFailure): Promise<number> {
    const { optional } = this.#options.resource
    const missing = optional && ['absent', 'forbidden'].includes(failure.code)
    if (this.#streams === 'yes' && failure.code === 'unsupported') {
      this.#streams = 'never'
      this.#endListing(asked => this.#asked.push(asked)) // the list by pages, at once, is theirs
      return 0
    }
    this.#endListing(asked => (missing ? asked.resolve() : asked.reject(failure)))
    // An old server takes the request for an ordinary watch and never says that the list is whole.
    if (this.#streams === 'yes' && ['silent', 'broken'].includes(failure.code)) this.#streams = 'not-next'
    if (missing && !this.#listed) {
      this.#listed = true
      await this.#options.target.replace(new Map())
    }
    this.#setFailure(optional && failure.code === 'absent' ? undefined : failure)
    const { absentRetryMs } = this.#options.limits
    return missing ? absentRetryMs * (1 - this.#options.random() / 2) : this.#waitAfter(failure)
  }

  /** Never sooner than the server asks for, within reason, and not all nodes at once. */
  #waitAfter({ retryAfterMs }: ApiFailure): number {
    const askedMs = Math.min(retryAfterMs, this.#options.limits.maxRetryAfterMs)
    return Math.max(this.#backoff.nextMs(), askedMs * (1 + this.#options.random() / 5))
  }

  #setFailure(failure: ApiFailure | undefined): void {
    const changed = failure?.message !== this.#failure?.message
    this.#failure = failure
    if (changed) this.#options.onFailure()
  }

  async #wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    using _timer = this.#options.clock.after(delayMs, resolve)
    this.#interrupt = resolve
    await promise
  }
}
