import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Store } from '../../../store/store.ts'
import type { ClusterAccess } from '../cluster-access.ts'
import { KubeSource } from '../kube-source.ts'
import { UndiciTransport } from '../undici-transport.ts'
import type { FakeApi } from './fake-api.ts'
import { FakeServer, type ServeOptions } from './serve.ts'

/** A source on a server on the wire, with short waits. */
export class Wired implements AsyncDisposable {
  readonly store = new Store()
  readonly server: FakeServer
  readonly source: KubeSource
  readonly transport: UndiciTransport

  private constructor(server: FakeServer, access: ClusterAccess) {
    this.server = server
    const transport = new UndiciTransport(access, { userAgent: 'kpng/test' })
    this.transport = transport
    const limits = { firstBackoffMs: 10, maxBackoffMs: 50 }
    this.source = new KubeSource(this.store, transport, { nodeName: 'n1', limits })
  }

  static async start(
    api: FakeApi,
    access: Omit<ClusterAccess, 'server'> = {},
    options: ServeOptions = {},
    host = '127.0.0.1',
  ): Promise<Wired> {
    const server = await FakeServer.listen(api, options)
    const scheme = options.tls === undefined ? 'http' : 'https'
    const wired = new Wired(server, { server: new URL(`${scheme}://${host}:${server.port}`), ...access })
    await wired.source.start()
    return wired
  }

  /** Waits for the Services in the store to be these, five seconds at most. */
  async has(expected: string): Promise<void> {
    const names = (): string =>
      [...this.store.services()]
        .map(it => it.name)
        .sort()
        .join(' ')
    for (let i = 0; i < 500 && names() !== expected; i++) await sleep(10)
    assert.equal(names(), expected, JSON.stringify(this.source.problems()))
  }

  /** Waits for a problem, five seconds at most. */
  async problem(pattern: RegExp): Promise<void> {
    const messages = (): string =>
      this.source
        .problems()
        .map(it => it.message)
        .join('\n')
    for (let i = 0; i < 500 && !pattern.test(messages()); i++) await sleep(10)
    assert.match(messages(), pattern)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]()
    await this.server[Symbol.asyncDispose]()
  }
}
