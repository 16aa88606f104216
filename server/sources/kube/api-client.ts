import { type Clock, systemClock } from '@kpng/api'
import { ApiFailure } from './api-failure.ts'
import { Attempt } from './attempt.ts'
import type { ApiWrite, Transport } from './transport.ts'

export interface ApiClientOptions {
  readonly clock?: Clock
  /** The longest silence from when a request goes out until its answer begins, and inside of that. Default 10 s. */
  readonly answerWithinMs?: number
  /** Requests under way at once; one more fails with `unavailable`. Default 16. */
  readonly maxRequests?: number
  /** Longest object, one way or the other, as JSON. Default 1 MiB. */
  readonly maxBytes?: number
}

/** How a patch is meant: RFC 7396, Kubernetes' own way with lists, RFC 6902. */
export type PatchType = 'merge' | 'strategic-merge' | 'json'

/**
 * Writes to the API server, over the connection and with the credentials of those who follow it. Every call is one
 * request, is never repeated, and throws an ApiFailure when it came to nothing; after `unreachable`, `broken` and
 * `silent` nobody knows whether it did.
 */
export class ApiClient implements Disposable {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #answerWithinMs: number
  readonly #maxRequests: number
  readonly #maxBytes: number
  readonly #attempts = new Set<Attempt>()

  /** The transport stays its owner's. */
  constructor(transport: Transport, options: ApiClientOptions = {}) {
    this.#transport = transport
    this.#clock = options.clock ?? systemClock
    this.#answerWithinMs = options.answerWithinMs ?? 10_000
    this.#maxRequests = options.maxRequests ?? 16
    this.#maxBytes = options.maxBytes ?? 1 << 20
  }

  /** POSTs an object to its collection (`/apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE`); gives it as the server has it. */
  async create(path: string, object: unknown): Promise<unknown> {
    return await this.#write(path, 'POST', 'application/json', object)
  }

  /** PATCHes the object at a path; gives it as the server has it. */
  async patch(path: string, patch: unknown, type: PatchType = 'merge'): Promise<unknown> {
    return await this.#write(path, 'PATCH', `application/${type}-patch+json`, patch)
  }

  async #write(path: string, method: ApiWrite['method'], contentType: string, value: unknown) {
    const body = JSON.stringify(value)
    if (Buffer.byteLength(body) > this.#maxBytes)
      throw new ApiFailure('unsupported', `what is sent is longer than ${this.#maxBytes} bytes`)
    if (this.#attempts.size >= this.#maxRequests)
      throw new ApiFailure('unavailable', `${this.#attempts.size} requests are under way already`)
    return await this.#ask(path, { method, contentType, body })
  }

  async #ask(path: string, write: ApiWrite): Promise<unknown> {
    const { connection } = this.#transport
    using attempt = new Attempt({ connection, clock: this.#clock, answerWithinMs: this.#answerWithinMs })
    this.#attempts.add(attempt)
    try {
      const answer = await attempt.request({ path, query: {}, gzip: false, write })
      return await answer.object(this.#maxBytes)
    } catch (reason) {
      throw attempt.failure(reason) ?? new ApiFailure('unreachable', 'the source is closed')
    } finally {
      this.#attempts.delete(attempt)
    }
  }

  /** Gives up what is under way. */
  [Symbol.dispose](): void {
    for (const attempt of this.#attempts) attempt.interrupt()
  }
}
