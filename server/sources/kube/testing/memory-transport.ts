import type { ApiRequest, ApiResponse, Connection, Transport } from '../transport.ts'
import type { FakeApi } from './fake-api.ts'
import { protobufType } from './protobuf.ts'

/** A fake API server without a wire. */
export class MemoryTransport implements Transport {
  readonly server = 'https://fake'
  /** What the server's name stands for. */
  addresses: ReadonlySet<string> = new Set()
  /** What a request waits for before it goes out. */
  turn: Promise<void> | undefined
  readonly #api: FakeApi
  #connection: Connection | undefined
  /** How many connections were given up. */
  retired = 0

  constructor(api: FakeApi) {
    this.#api = api
  }

  get connection(): Connection {
    this.#connection ??= this.#connect()
    return this.#connection
  }

  #connect(): Connection {
    const connection: Connection = {
      request: request => this.#answer(request),
      retire: () => {
        if (this.#connection !== connection) return
        this.#connection = undefined
        this.retired++
      },
    }
    return connection
  }

  async #answer({ path, query, signal, protobuf, write, onSend }: ApiRequest): Promise<ApiResponse> {
    signal.throwIfAborted()
    const aborted = Promise.withResolvers<never>()
    aborted.promise.catch(() => {})
    signal.addEventListener('abort', () => aborted.reject(signal.reason))
    if (this.turn !== undefined) await Promise.race([this.turn, aborted.promise])
    onSend()
    const headers = { accept: protobuf ? protobufType : 'application/json' }
    const answer = this.#api.handle(path, new URLSearchParams(query), headers, write)
    if (answer === 'hang') return await aborted.promise
    if (answer === 'refuse') throw new Error('connect ECONNREFUSED')
    const { status, body } = answer
    signal.addEventListener('abort', () => body.abort(signal.reason))
    const { 'retry-after': retryAfter, 'content-type': contentType } = answer.headers
    return { status, retryAfter, contentType, body }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
