import type { ApiFailureCode } from './api-failure.ts'

/** How the API server is reached: no more of HTTP than is needed, so that tests can stand in for it. */
export interface ApiRequest {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Aborts the request and the reading of its body. */
  readonly signal: AbortSignal
  /** The body may come compressed; it is handed out as it was before. */
  readonly gzip: boolean
  /** The answer may come in Kubernetes' protobuf, or else in JSON. */
  readonly protobuf?: boolean
  /** Somebody has asked for it and waits: no rate holds it back. */
  readonly prompt?: boolean
  /** It goes out now: what it has waited for, its turn or credentials, was not the server. */
  readonly onSend: () => void
  /** What is sent; default: nothing, and the method is GET. */
  readonly write?: ApiWrite
}

export interface ApiWrite {
  readonly method: 'POST' | 'PATCH'
  readonly contentType: string
  readonly body: string
}

export interface ApiResponse {
  readonly status: number
  /** Headers as they came. */
  readonly retryAfter: string | undefined
  readonly contentType: string | undefined
  /** Rejects when it is cut. Leaving the loop early closes it. */
  readonly body: AsyncIterable<Uint8Array>
}

/** One set of credentials and the sockets that use them. */
export interface Connection {
  /** Rejects when there is no answer. */
  request(request: ApiRequest): Promise<ApiResponse>
  /**
   * Something is wrong with it: who asks from now on gets another one, for which tokens and certificates are read
   * anew; after `unauthorized` those that were handed out are fetched anew. What is under way goes on. Again is
   * nothing.
   */
  retire(code: ApiFailureCode): void
}

export interface Transport extends AsyncDisposable {
  /** The server's address, for people. */
  readonly server: string
  /** Canonical addresses that it stands for, as far as is known; a proxy in between keeps them to itself. */
  readonly addresses: ReadonlySet<string>
  /** The one to use now. Throws `unreachable` once the transport is disposed of. */
  readonly connection: Connection
}
