import type { Clock } from '@kpng/api'
import { type Answerer, HttpCore } from './http-core.ts'
import { type Listen, type Listener, listenTcp } from './listen.ts'

export interface DoorOptions {
  /** Canonical IP; 0.0.0.0 and :: both take every address of both families, as Go's listener does. */
  readonly address: string
  readonly port: number
  readonly answer: Answerer
  /** It cannot listen, or listens no more; tried again, unless hardFail. */
  readonly onFailed: (reason: Error) => void
  readonly onListening?: (port: number) => void
  /** The first failure is the last: it is not tried again. Default false. */
  readonly hardFail?: boolean
  /** Between attempts. Default 5,000. */
  readonly retryMs?: number
  readonly clock: Clock
  readonly listen?: Listen
}

/** An HTTP server that keeps trying to have its port. */
export class Door implements AsyncDisposable {
  readonly #options: DoorOptions
  readonly #listen: Listen
  readonly #core = new HttpCore()
  #listener: Listener | undefined
  #attempt: Promise<void> | undefined
  #retry: Disposable | undefined
  #closed = false

  constructor(options: DoorOptions) {
    this.#options = options
    this.#listen = options.listen ?? listenTcp
  }

  /** Resolves after the first attempt, whatever becomes of it. */
  async open(): Promise<void> {
    this.#attempt = this.#tryListen()
    await this.#attempt
  }

  async #tryListen(): Promise<void> {
    try {
      this.#listener = await this.#listenAnyway()
      this.#options.onListening?.(this.#listener.port)
    } catch (reason) {
      this.#fail(reason instanceof Error ? reason : new Error(String(reason)))
    }
  }

  async #listenAnyway(): Promise<Listener> {
    const { address, port, answer } = this.#options
    const events = {
      onConnection: (socket: Parameters<HttpCore['serve']>[0]) => this.#core.serve(socket, answer),
      onError: (reason: Error) => void this.#reopen(reason),
    }
    if (address !== '0.0.0.0' && address !== '::') return await this.#listen({ address, port }, events)
    try {
      return await this.#listen({ address: '::', port }, events)
    } catch (reason) {
      if (!hasNoIPv6(reason)) throw reason
      return await this.#listen({ address: '0.0.0.0', port }, events)
    }
  }

  async #reopen(reason: Error): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    if (listener === undefined) return
    await listener.close()
    this.#fail(reason)
  }

  #fail(reason: Error): void {
    if (this.#closed) return
    this.#options.onFailed(reason)
    if (this.#options.hardFail === true) return
    this.#retry = this.#options.clock.after(this.#options.retryMs ?? 5_000, () => void this.open())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#retry?.[Symbol.dispose]()
    await this.#attempt
    const listener = this.#listener
    this.#listener = undefined
    await listener?.close()
  }
}

const hasNoIPv6 = (reason: unknown): boolean =>
  reason instanceof Error &&
  'code' in reason &&
  (reason.code === 'EAFNOSUPPORT' || reason.code === 'EADDRNOTAVAIL' || reason.code === 'EINVAL')
