import { open, rename } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Pace } from './pace.ts'

export interface ViewJournalOptions {
  readonly path: string
  /** The document in pieces, made when it is written. */
  readonly pieces: () => Iterable<string>
  /** At least this long between two writes; a hundred times the CPU time of a write where that is longer. Default 1,000. */
  readonly minIntervalMs?: number
  readonly onError: (reason: unknown) => void
}

/**
 * Keeps view.json up to date: written after a change, at a bounded rate and for at most 1 % of a CPU, replaced by
 * rename so that a reader sees the old document or the new. A failed write is reported and tried again with the next
 * change. Only who asks about a dead agent reads it, and is told how old it is.
 */
export class ViewJournal implements AsyncDisposable {
  readonly #options: ViewJournalOptions
  readonly #pace: Pace

  constructor(options: ViewJournalOptions) {
    this.#options = options
    this.#pace = new Pace(() => this.#write(), { minIntervalMs: options.minIntervalMs ?? 1_000 })
  }

  /** Says that the view has changed. */
  touch(): void {
    this.#pace.request()
  }

  /** Writes what is not yet written. Never rejects: see onError. */
  flush(): Promise<void> {
    return this.#pace.flush()
  }

  async #write(): Promise<void> {
    try {
      const scratch = `${this.#options.path}.new`
      {
        await using file = await open(scratch, 'w', 0o640)
        for (const piece of this.#options.pieces()) {
          // Unlike write() goes on until all of it is there, or says why not.
          await file.writeFile(piece)
          await nextTurn()
        }
      }
      await rename(scratch, this.#options.path)
    } catch (reason) {
      this.#options.onError(reason)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
    this.#pace[Symbol.dispose]()
  }
}
