import { type Clock, KpngError, type Problem, systemClock } from '@kpng/api'
import { type KubeObject, objectRef } from '../../objects/types.ts'
import type { Store } from '../../store/store.ts'
import { TimeSlice } from '../../view/time-slice.ts'
import { DirectoryWatch, type WatchEvent } from './directory-watch.ts'
import { ManifestFiles, type ManifestFilesOptions } from './manifest-files.ts'
import { readRoot, watchPlan } from './roots.ts'

export interface FileSourceOptions extends ManifestFilesOptions {
  /** Name of the source in the store. Default 'file'. */
  readonly name?: string
  /** Changes are read when nothing has happened for this long … Default 20 ms. */
  readonly debounceMs?: number
  /** … or when the first of them is this old. Default 250 ms. */
  readonly maxDebounceMs?: number
  /**
   * Everything is looked at this often, for what inotify does not tell. More rarely when looking takes long: it
   * never takes more than 2 % of the time. Default 2,000 ms.
   */
  readonly pollIntervalMs?: number
  /** Called after each reading that may have changed problems or notes; must only take note. */
  readonly onRead?: () => void
  readonly clock?: Clock
}

/** Polls take at most one part in so many of the time. */
const POLL_SHARE = 50

/**
 * Kubernetes objects from files and directories into a store, followed as they change. The source is complete
 * once every PATH could be read: a directory that does not exist yet is waited for. It is whole unless there are
 * files that could never be read.
 */
export class FileSource implements AsyncDisposable {
  readonly #store: Store
  readonly #files: ManifestFiles
  readonly #watch: DirectoryWatch
  readonly #name: string
  readonly #debounceMs: number
  readonly #maxDebounceMs: number
  readonly #pollIntervalMs: number
  readonly #onRead: () => void
  readonly #clock: Clock
  /** Keys that a bound of the store kept out. */
  readonly #refused = new Map<string, string>()
  #pending: Set<string> | 'anything' | undefined
  #pendingSinceMs = 0
  #debounce: Disposable | undefined
  #poll: Disposable | undefined
  #current: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #problems: readonly Problem[] = []
  #closed = false

  constructor(store: Store, paths: readonly string[], options: FileSourceOptions = {}) {
    this.#store = store
    this.#files = new ManifestFiles(paths, options)
    this.#watch = new DirectoryWatch(event => this.#note(event))
    this.#name = options.name ?? 'file'
    this.#debounceMs = options.debounceMs ?? 20
    this.#maxDebounceMs = options.maxDebounceMs ?? 250
    this.#pollIntervalMs = options.pollIntervalMs ?? 2_000
    this.#onRead = options.onRead ?? (() => {})
    this.#clock = options.clock ?? systemClock
    store.addSource(this.#name)
  }

  /** Reads everything once, then goes on watching. */
  async start(): Promise<void> {
    await this.rescan()
  }

  /** Looks at everything now; resolves when the store has it. */
  rescan(): Promise<void> {
    this.#pending = 'anything'
    return this.#read()
  }

  /** What is wrong with files and objects, as of the last reading. */
  problems(): Problem[] {
    return [...this.#problems]
  }

  /** What is passed over without being wrong. */
  notes(): Problem[] {
    return this.#files.notes()
  }

  /**
   * Files that could never be read without damage since the start. While there are any, something in them may
   * be missing from the store that was there before a restart.
   */
  neverGoodFiles(): string[] {
    return this.#files.neverGood
  }

  /** Stops watching; a reading that is under way ends first. The store keeps what it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#watch[Symbol.dispose]()
    this.#debounce?.[Symbol.dispose]()
    this.#poll?.[Symbol.dispose]()
    await Promise.allSettled([this.#current, this.#next])
    await this.#files[Symbol.asyncDispose]()
  }

  #note(event: WatchEvent): void {
    if (this.#closed) return
    if (this.#pending === undefined) this.#pendingSinceMs = this.#clock.nowMs()
    if (event === 'anything') this.#pending = 'anything'
    else if (this.#pending === undefined) this.#pending = new Set([event.file])
    else if (this.#pending !== 'anything') this.#pending.add(event.file)
    const boundMs = this.#pendingSinceMs + this.#maxDebounceMs - this.#clock.nowMs()
    this.#debounce?.[Symbol.dispose]()
    this.#debounce = this.#clock.after(
      Math.max(0, Math.min(this.#debounceMs, boundMs)),
      () => void this.#read(),
    )
  }

  /** Reads what is pending; those who ask while a reading is under way share the one after it. */
  #read(): Promise<void> {
    this.#next ??= this.#current
      .catch(() => {}) // whoever asked for that one has the error
      .then(() => {
        this.#next = undefined
        this.#current = this.#readNow()
        return this.#current
      })
    return this.#next
  }

  async #readNow(): Promise<void> {
    if (this.#closed) return
    const only = this.#pending === 'anything' ? undefined : this.#pending
    this.#pending = undefined
    this.#debounce?.[Symbol.dispose]()
    const startMs = this.#clock.nowMs()
    // Before reading: what changes after this is told.
    if (only === undefined) this.#watch.follow(watchPlan(this.#files.paths.map(readRoot)))
    const touched = await this.#files.refresh(only)
    if (this.#closed) return
    await this.#write(touched)
    // A directory that has turned up meanwhile may have changed before it was watched.
    if (only === undefined && this.#watch.follow(watchPlan(this.#files.roots))) this.#note('anything')
    this.#store.setWhole(this.#name, this.#files.neverGood.length === 0)
    if (this.#files.isComplete) this.#store.complete(this.#name)
    if (only === undefined) this.#pollAfter(this.#clock.nowMs() - startMs)
    this.#problems = [...this.#files.problems(), ...this.#refusals(), ...this.#watch.problems]
    this.#onRead()
  }

  /** As one update, in which others have their turns. */
  async #write(touched: ReadonlySet<string>): Promise<void> {
    using _ = this.#store.beginUpdate()
    const slice = new TimeSlice()
    // What goes makes room for what comes.
    const keys = new Set([...touched, ...this.#refused.keys()])
    for (const key of keys) {
      if (slice.isOver) await slice.next()
      if (this.#files.get(key) === undefined) this.#store.delete(this.#name, objectRef(key))
    }
    this.#refused.clear()
    for (const key of keys) {
      if (slice.isOver) await slice.next()
      const object = this.#files.get(key)
      if (object !== undefined) this.#set(key, object)
    }
  }

  #set(key: string, object: KubeObject): void {
    try {
      this.#store.set(this.#name, object)
    } catch (error) {
      const reason = KpngError.from(error)
      if (reason.code !== 'exhausted') throw error
      this.#refused.set(key, `is not used: ${reason.message}`)
    }
  }

  #refusals(): Problem[] {
    return [...this.#refused].map(([key, message]) => ({
      where: this.#files.whereIs(key),
      field: '',
      message,
    }))
  }

  #pollAfter(tookMs: number): void {
    this.#poll?.[Symbol.dispose]()
    if (this.#closed) return
    const delayMs = Math.max(this.#pollIntervalMs, tookMs * POLL_SHARE)
    this.#poll = this.#clock.after(delayMs, () => {
      this.#pending = 'anything'
      void this.#read()
    })
  }
}
