import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '@kpng/api'
import { Store } from '../../../store/store.ts'
import { KubeSource, type KubeSourceOptions } from '../kube-source.ts'
import { FakeApi } from './fake-api.ts'
import { MemoryTransport } from './memory-transport.ts'

export interface SubjectOptions extends Partial<KubeSourceOptions> {
  readonly maxObjects?: number
}

/** A source on a fake server, with a clock and dice of the test's own: every wait is the longest of its kind. */
export class Subject implements AsyncDisposable {
  readonly api = new FakeApi()
  readonly clock = new ManualClock()
  readonly transport = new MemoryTransport(this.api)
  readonly store: Store
  readonly source: KubeSource

  constructor({ maxObjects = 1000, ...options }: SubjectOptions = {}) {
    this.store = new Store({ maxObjects })
    this.source = new KubeSource(this.store, this.transport, {
      nodeName: 'n1',
      clock: this.clock,
      random: () => 0,
      ...options,
    })
  }

  async start(): Promise<void> {
    await this.source.start()
    await this.settle()
  }

  /** Until nothing moves without time going on: what is in memory needs turns only. */
  async settle(): Promise<void> {
    for (let i = 0; i < 40; i++) await turn()
  }

  async after(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settle()
  }

  /** Names of the Services in the store, sorted; with ? while their list is not complete. */
  services(): string {
    const names = [...this.store.services()].map(it => it.name).sort()
    return [...names, ...(this.store.isComplete(['Service']) ? [] : ['?'])].join(' ')
  }

  /** Messages of all problems. */
  problems(): string[] {
    return this.source.problems().map(it => it.message)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]()
  }
}
