import { type ApiAnswer, Store, type StoreWrite } from '@kpng/server'
import type { AgentSource, OpenSource } from './agent-source.ts'

/** Ends of requests that are remembered until there is a listener; of more nobody is told. */
const maxEarly = 100

export interface IntakeListener {
  /** A source has written; ready: all its first lists are there. */
  written(write: StoreWrite, ready: boolean): void
  /** Problems may have changed. */
  changed(): void
  /** How a request to the API server ended. */
  answered(answer: ApiAnswer): void
}

/**
 * What an agent reads, and where it goes. Asked for at once, while there is nobody yet to take it: a server makes its
 * first lists ready while modules and programs are loaded. The store is empty until the source is started.
 */
export class Intake implements AsyncDisposable {
  readonly store: Store
  readonly source: AgentSource
  #listener: IntakeListener | undefined
  readonly #early: ApiAnswer[] = []
  #closed: Promise<void> | undefined

  constructor(openSource: OpenSource, nodeName: string) {
    const store: Store = new Store({ onWrite: write => this.#listener?.written(write, store.isComplete()) })
    this.store = store
    this.source = openSource({
      ...{ store, nodeName },
      onRead: () => this.#listener?.changed(),
      onAnswer: answer => {
        if (this.#listener !== undefined) this.#listener.answered(answer)
        else if (this.#early.length < maxEarly) this.#early.push(answer)
      },
    })
    this.source.prepare?.()
  }

  /** Before the source is started. */
  listen(listener: IntakeListener): void {
    this.#listener = listener
    for (const answer of this.#early.splice(0)) listener.answered(answer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= Promise.resolve(this.source[Symbol.asyncDispose]())
    await this.#closed
  }
}
