import { Worker } from 'node:worker_threads'
import { EbpfError } from '../error.ts'
import { LOST_EXIT_CODE } from '../sys/netns.ts'
import type { NetnsFinderOptions } from './netns-finder.ts'
import type {
  DestroyedSockets,
  NetnsRequestKind,
  NetnsRequests,
  OpenedSocket,
  SocketToDestroy,
  SocketToOpen,
  SourceAddresses,
  SourceAddressRequest,
} from './requests.ts'
import type { SockDiagCacheOptions } from './sock-diag-cache.ts'

export interface NetnsWorkerOptions extends NetnsFinderOptions, SockDiagCacheOptions {}

export type NetnsRequestMessage =
  | 'close'
  | {
      [K in NetnsRequestKind]: {
        readonly id: number
        readonly kind: K
        readonly request: NetnsRequests[K]['request']
      }
    }[NetnsRequestKind]

export type NetnsAnswerMessage =
  | { readonly id: number; readonly answer: NetnsRequests[NetnsRequestKind]['answer'] }
  | { readonly id: number; readonly failure: string }

interface Pending {
  readonly resolve: (answer: never) => void
  readonly reject: (error: EbpfError) => void
}

/**
 * Does in other network namespaces what can only be done there, in a thread of its own: the rest of the process
 * never leaves its namespace. The thread starts with the first request and lets the process end when idle. If it
 * cannot come back from a namespace it ends, requests under way are rejected (GONE), and the next request starts a
 * new one.
 */
export class NetnsWorker implements AsyncDisposable {
  readonly #options: NetnsWorkerOptions
  readonly #script: URL
  readonly #pending = new Map<number, Pending>()
  #worker: Worker | undefined
  #lastId = 0
  #closed = false

  /** `script` replaces the code of the thread: for tests. */
  constructor(options: NetnsWorkerOptions = {}, script = new URL('./netns-thread.ts', import.meta.url)) {
    this.#options = options
    this.#script = script
  }

  /** Destroys connected sockets in whatever namespace. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN there. */
  destroySockets(rows: readonly SocketToDestroy[]): Promise<DestroyedSockets> {
    return this.#ask('destroy-sockets', rows)
  }

  /** Which source addresses sockets have in other namespaces. Needs CAP_SYS_ADMIN there. */
  sourceAddresses(request: SourceAddressRequest): Promise<SourceAddresses> {
    return this.#ask('source-addresses', request)
  }

  /** Opens bound or listening sockets. Answers in the order of the requests; the descriptors are the caller's. */
  openSockets(requests: readonly SocketToOpen[]): Promise<readonly OpenedSocket[]> {
    return this.#ask('open-sockets', requests)
  }

  /** Ends the thread after the requests under way; new ones are rejected (CLOSED). */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    if (worker === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    worker.once('exit', () => resolve())
    worker.ref()
    // Not terminate(): the thread closes its descriptors, which belong to the process, by itself.
    worker.postMessage('close' satisfies NetnsRequestMessage)
    await promise
  }

  #ask<K extends NetnsRequestKind>(
    kind: K,
    request: NetnsRequests[K]['request'],
  ): Promise<NetnsRequests[K]['answer']> {
    if (this.#closed)
      return Promise.reject(new EbpfError('CLOSED', 'the network namespace thread was closed'))
    const { promise, resolve, reject } = Promise.withResolvers<NetnsRequests[K]['answer']>()
    const id = ++this.#lastId
    this.#worker ??= this.#start()
    this.#pending.set(id, { resolve, reject })
    this.#worker.ref()
    this.#worker.postMessage({ id, kind, request })
    return promise
  }

  #start(): Worker {
    const worker = new Worker(this.#script, { workerData: this.#options, name: 'netns' })
    let reason: unknown
    worker.on('message', (message: NetnsAnswerMessage) => this.#settle(worker, message))
    worker.on('error', error => {
      reason = error
    })
    worker.on('exit', code => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      const why =
        code === LOST_EXIT_CODE ? 'it could not come back from another namespace' : `exit code ${code}`
      this.#rejectAll(new EbpfError('GONE', `the network namespace thread ended: ${why}`, { cause: reason }))
    })
    return worker
  }

  #settle(worker: Worker, message: NetnsAnswerMessage): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (this.#pending.size === 0) worker.unref()
    if ('failure' in message) pending?.reject(new EbpfError('KERNEL', message.failure))
    else pending?.resolve(message.answer as never)
  }

  #rejectAll(error: EbpfError): void {
    for (const pending of this.#pending.values()) pending.reject(error)
    this.#pending.clear()
  }
}
