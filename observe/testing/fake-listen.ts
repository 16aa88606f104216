import type { Listen, ListenAt, ListenEvents } from '../http/listen.ts'

interface Port {
  readonly at: ListenAt
  readonly events: ListenEvents
}

/** Ports that nobody can connect to: who listens where, what is taken, and in which order things happen. */
export class FakePorts {
  readonly #open = new Set<Port>()
  /** Attempts to take one of these fail. */
  readonly taken = new Set<number>()
  /** `open ADDR PORT`, `refuse ADDR PORT`, `close ADDR PORT`. */
  readonly log: string[] = []

  readonly listen: Listen = async (at, events) => {
    await Promise.resolve()
    const clash = this.taken.has(at.port) || this.#open.values().some(it => conflict(it.at, at))
    this.log.push(`${clash ? 'refuse' : 'open'} ${at.address} ${at.port}`)
    if (clash) throw Object.assign(new Error(`listen EADDRINUSE ${at.port}`), { code: 'EADDRINUSE' })
    const port = { at, events }
    this.#open.add(port)
    return {
      port: at.port,
      close: async () => {
        await Promise.resolve()
        this.#open.delete(port)
        this.log.push(`close ${at.address} ${at.port}`)
      },
    }
  }

  get open(): string[] {
    return [...this.#open].map(({ at }) => `${at.address} ${at.port}`).sort()
  }

  /** What is open fails from now on. */
  break(): void {
    for (const { events } of this.#open) events.onError(new Error('broken'))
  }

  /** What happened since somebody last asked. */
  takeLog(): string[] {
    return this.log.splice(0)
  }
}

const conflict = (a: ListenAt, b: ListenAt): boolean => a.port === b.port && a.address === b.address
