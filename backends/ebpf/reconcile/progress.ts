/** `written`: maps carry it; `settled`: the sockets that it made stale are dealt with, too. */
export type Milestone = 'written' | 'settled'

interface Waiter {
  readonly milestone: Milestone
  readonly revision: number
  readonly resolve: () => void
}

/** How far the kernel is behind the syncs, and who waits for it. */
export class Progress {
  readonly #reached: Record<Milestone, number> = { written: 0, settled: 0 }
  #waiters: Waiter[] = []

  /** The newest revision that has reached a milestone: it never goes back, for later failures are later work. */
  reached(milestone: Milestone): number {
    return this.#reached[milestone]
  }

  wait(milestone: Milestone, revision: number): Promise<void> {
    if (this.#reached[milestone] >= revision) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiters.push({ milestone, revision, resolve })
    })
  }

  reach(revisions: Readonly<Record<Milestone, number>>): void {
    for (const milestone of ['written', 'settled'] as const)
      this.#reached[milestone] = Math.max(this.#reached[milestone], revisions[milestone])
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) {
      if (this.#reached[waiter.milestone] >= waiter.revision) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }
}
