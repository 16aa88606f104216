import { setImmediate } from 'node:timers/promises'
import type { EventApi } from '../events/api-event-recorder.ts'

export interface FakeEvent {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly regarding: { readonly kind: string; readonly name: string }
  readonly reason: string
  readonly type: string
  readonly note: string
  readonly series?: { readonly count: number; readonly lastObservedTime: string }
}

/** An API server's Events, with failures on order. */
export class FakeEventApi implements EventApi {
  /** By path. */
  readonly events = new Map<string, FakeEvent>()
  /** `create 201`, `patch absent`: every request and what came of it. */
  readonly requests: string[] = []
  /** What the next requests fail with; undefined: one that comes through. */
  readonly failures: (object | undefined)[] = []
  /** The next requests are carried out, and then fail all the same: their answers are lost. */
  lost = 0
  #held = Promise.resolve()
  #release: () => void = () => {}

  /** From now on it answers nobody. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    this.#release = resolve
  }

  release(): void {
    this.#release()
  }

  async create(path: string, object: unknown): Promise<unknown> {
    await this.#held
    const event = object as FakeEvent
    const at = `${path}/${event.metadata.name}`
    this.#begin('create', this.events.has(at) ? { code: 'conflict' } : undefined)
    this.events.set(at, event)
    return this.#end('create')
  }

  async patch(path: string, patch: unknown): Promise<unknown> {
    await this.#held
    const event = this.events.get(path)
    this.#begin('patch', event === undefined ? { code: 'absent' } : undefined)
    this.events.set(path, { ...(event as FakeEvent), ...(patch as object) })
    return this.#end('patch')
  }

  #begin(verb: string, natural: object | undefined): void {
    const failure = this.failures.shift() ?? natural
    if (failure === undefined) return
    this.requests.push(`${verb} ${(failure as { code?: string }).code ?? 'failed'}`)
    throw Object.assign(new Error(`${verb} failed`), failure)
  }

  #end(verb: string): object {
    if (this.lost === 0) {
      this.requests.push(`${verb} good`)
      return {}
    }
    this.lost--
    this.requests.push(`${verb} lost`)
    throw Object.assign(new Error('no answer'), { code: 'silent' })
  }

  /** `reason name ×count`, in the order of their making. */
  told(): string[] {
    return [...this.events.values()].map(
      ({ reason, regarding, series }) => `${reason} ${regarding.name} ×${series?.count ?? 1}`,
    )
  }
}

/** Lets promises and immediates run that a clock has set off. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}
