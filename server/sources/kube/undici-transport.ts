import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type Clock, systemClock } from '@kpng/api'
import type { Dispatcher } from 'undici'
import { ApiFailure, type ApiFailureCode } from './api-failure.ts'
import { BearerToken } from './bearer-token.ts'
import type { ClusterAccess } from './cluster-access.ts'
import { impersonationHeaders } from './impersonation.ts'
import { type Credentials, type Login, openLogin } from './login.ts'
import { ServerAddresses } from './server-addresses.ts'
import { type ClientCertificate, makeSockets } from './sockets.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'
import type { ApiRequest, ApiResponse, Connection, Transport } from './transport.ts'

export interface UndiciTransportOptions {
  /** For the User-Agent, as `name/version`. */
  readonly userAgent: string
  /** How long connecting may take. Default 10 s. */
  readonly connectTimeoutMs?: number
  /** Bound on requests, as client-go's: one for reading and one for writing. A list's second page is no request. */
  readonly rate?: Rate | undefined
  readonly clock?: Clock
  /** Every request ends with this, when its answer begins or it has come to nothing. Must only take note. */
  readonly onAnswer?: (answer: ApiAnswer) => void
}

/** How a request ended. */
export interface ApiAnswer {
  readonly method: string
  /** host:port of the server. */
  readonly host: string
  /** HTTP status; undefined where there was no answer. */
  readonly status: number | undefined
}

/** What the connections of one transport have in common. */
interface Shared {
  readonly access: ClusterAccess
  readonly options: UndiciTransportOptions
  readonly addresses: ServerAddresses
  readonly reads: TokenBucket | undefined
  readonly writes: TokenBucket | undefined
  /** undefined: there is nobody to ask. */
  readonly login: () => Promise<Login | undefined>
}

/** HTTP to a real API server: HTTP/2 where it offers that. */
export class UndiciTransport implements Transport {
  readonly #shared: Shared
  readonly #open = new Set<UndiciConnection>()
  #login: Promise<Login | undefined> | undefined
  #current: UndiciConnection | undefined
  #closed = false

  constructor(access: ClusterAccess, options: UndiciTransportOptions) {
    const { rate, clock = systemClock } = options
    const bucket = (): TokenBucket | undefined => rate && new TokenBucket(rate, clock)
    this.#shared = {
      ...{ access, options, addresses: new ServerAddresses(access), reads: bucket(), writes: bucket() },
      login: () => this.#openLogin(access),
    }
  }

  get server(): string {
    return this.#shared.access.server.href
  }

  get addresses(): ReadonlySet<string> {
    return this.#shared.addresses.known
  }

  get connection(): Connection {
    if (this.#closed) throw new ApiFailure('unreachable', 'the source is closed')
    if (this.#current === undefined) {
      const connection: UndiciConnection = new UndiciConnection(this.#shared, () => {
        if (this.#current === connection) this.#current = undefined
        // Destroyed meanwhile is closed as well.
        const forget = (): boolean => this.#open.delete(connection)
        void connection.close().then(forget, forget)
      })
      this.#current = connection
      this.#open.add(connection)
    }
    return this.#current
  }

  async #openLogin(access: ClusterAccess): Promise<Login | undefined> {
    if (access.login === undefined || this.#closed) return undefined
    this.#login ??= openLogin(access.login, access)
    return await this.#login
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    // One that could not be opened has been told to whoever asked for it.
    const login = await this.#login?.catch(() => undefined)
    login?.[Symbol.dispose]()
    await Promise.all([...this.#open].map(it => it.destroy()))
  }
}

/** Sockets that show one client certificate. */
interface Made {
  readonly certificate: ClientCertificate | undefined
  readonly sockets: Promise<Dispatcher>
}

class UndiciConnection implements Connection {
  readonly #shared: Shared
  readonly #token: BearerToken | undefined
  readonly #onRetire: () => void
  readonly #all = new Set<Made>()
  #made: Made | undefined
  #retired = false

  constructor(shared: Shared, onRetire: () => void) {
    this.#shared = shared
    this.#token = shared.access.token && new BearerToken(shared.access.token)
    this.#onRetire = onRetire
  }

  async request(request: ApiRequest): Promise<ApiResponse> {
    const { access, options } = this.#shared
    const asked = { method: request.write?.method ?? 'GET', host: access.server.host }
    try {
      const response = await this.#send(request)
      options.onAnswer?.({ ...asked, status: response.status })
      return response
    } catch (reason) {
      options.onAnswer?.({ ...asked, status: undefined })
      throw reason
    }
  }

  async #send(request: ApiRequest): Promise<ApiResponse> {
    const { path, query, signal, gzip, protobuf = false, write, onSend } = request
    const { access, options } = this.#shared
    await this.#turn(request)
    const credentials = await this.#credentials(signal)
    const sockets = await this.#sockets(credentials)
    const authorization =
      credentials?.token === undefined ? await this.#token?.header() : `Bearer ${credentials.token}`
    onSend()
    const response = await sockets.request({
      origin: access.server.origin,
      path: `${access.server.pathname.replace(/\/$/, '')}${path}${queryText(query)}`,
      method: write?.method ?? 'GET',
      ...(write !== undefined && { body: write.body }),
      signal,
      headers: {
        // A server that has no protobuf for something gives JSON.
        accept: protobuf ? 'application/vnd.kubernetes.protobuf, application/json' : 'application/json',
        'user-agent': options.userAgent,
        'accept-encoding': gzip ? 'gzip' : 'identity',
        ...(write !== undefined && { 'content-type': write.contentType }),
        ...(authorization !== undefined && { authorization }),
        ...(access.impersonation && impersonationHeaders(access.impersonation)),
      },
    })
    const compressed = response.headers['content-encoding'] === 'gzip'
    return {
      status: response.statusCode,
      retryAfter: single(response.headers['retry-after']),
      contentType: single(response.headers['content-type']),
      body: compressed ? decompressed(response.body) : response.body,
    }
  }

  retire(code: ApiFailureCode): void {
    if (this.#retired) return
    this.#retired = true
    // Asking for others is work for somebody else: not for every connection that breaks.
    if (code === 'unauthorized') void this.#refuse()
    this.#onRetire()
  }

  /** Resolves when what is under way has ended. */
  async close(): Promise<void> {
    await this.#each(sockets => sockets.close())
  }

  async destroy(): Promise<void> {
    await this.#each(sockets => sockets.destroy())
  }

  /** Waits for the turn of a request that begins something. */
  async #turn({ query, signal, write, prompt }: ApiRequest): Promise<void> {
    const bucket = write === undefined ? this.#shared.reads : this.#shared.writes
    if (query.continue === undefined && prompt !== true) await bucket?.take(signal)
  }

  /** undefined: there is nobody to ask. A plugin may take its time; who gives up does not wait for it. */
  async #credentials(signal: AbortSignal): Promise<Credentials | undefined> {
    if (this.#shared.access.login === undefined) return undefined
    const { promise, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      const asked = this.#shared.login().then(login => login?.current())
      return await Promise.race([asked, promise])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** Those that show this certificate; others end when what is under way has. */
  #sockets(credentials: Credentials | undefined): Promise<Dispatcher> {
    const certificate = credentials?.clientCertificate
    const made = this.#made
    if (made !== undefined && made.certificate?.cert === certificate?.cert) return made.sockets
    const { access, options, addresses } = this.#shared
    const sockets = makeSockets(access, {
      certificate,
      lookup: addresses.lookup,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    })
    sockets.catch(() => {}) // whoever asks is told
    this.#made = { certificate, sockets }
    this.#all.add(this.#made)
    if (made !== undefined) void this.#end(made, it => it.close())
    return sockets
  }

  async #each(end: (sockets: Dispatcher) => Promise<void>): Promise<void> {
    await Promise.all([...this.#all].map(made => this.#end(made, end)))
  }

  async #end(made: Made, end: (sockets: Dispatcher) => Promise<void>): Promise<void> {
    const [done] = await Promise.allSettled([made.sockets])
    // Being destroyed while it closes is an end as well.
    if (done.status === 'fulfilled') await Promise.allSettled([end(done.value)])
    this.#all.delete(made)
  }

  async #refuse(): Promise<void> {
    const [login] = await Promise.allSettled([this.#shared.login()])
    if (login.status === 'fulfilled') login.value?.refuse()
  }
}

/** A header that is given once, or not at all. */
const single = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined

function queryText(query: ApiRequest['query']): string {
  const text = `${new URLSearchParams(query)}`
  return text === '' ? '' : `?${text}`
}

function decompressed(body: Readable): Readable {
  // What goes wrong on either side ends both, and whoever reads is told.
  return pipeline(body, createGunzip(), () => {})
}
