import { open, rename } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'

export interface ViewJournalOptions {
  readonly path: string
  /** The document in pieces, made when it is written. */
  readonly pieces: () => Iterable<string>
  /** At least this long between two writes. Default 1,000. */
  readonly minIntervalMs?: number
  readonly onError: (reason: unknown) => void
}

/**
 * Keeps view.json up to date: written after a change, at a bounded rate, replaced by rename so that a reader sees
 * the old document or the new. A failed write is reported and tried again with the next change.
 */
export class ViewJournal implements AsyncDisposable {
  readonly #options: ViewJournalOptions
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #lastWriteMs = Number.NEGATIVE_INFINITY
  #dirty = false

  constructor(options: ViewJournalOptions) {
    this.#options = options
  }

  /** Says that the view has changed. */
  touch(): void {
    this.#dirty = true
    if (this.#timer !== undefined) return
    const due = this.#lastWriteMs + (this.#options.minIntervalMs ?? 1_000) - performance.now()
    this.#timer = setTimeout(() => void this.flush(), Math.max(0, due))
    this.#timer.unref()
  }

  /** Writes what is not yet written. Never rejects: see onError. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    if (!this.#dirty) return
    this.#dirty = false
    try {
      const scratch = `${this.#options.path}.new`
      {
        await using file = await open(scratch, 'w', 0o640)
        for (const piece of this.#options.pieces()) {
          await file.write(piece)
          await nextTurn()
        }
      }
      await rename(scratch, this.#options.path)
    } catch (reason) {
      this.#options.onError(reason)
    }
    this.#lastWriteMs = performance.now()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
  }
}
