import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Agent } from 'undici'
import { ApiFailure } from './api-failure.ts'
import { BearerToken } from './bearer-token.ts'
import { type ClusterAccess, readMaterial } from './cluster-access.ts'
import type { ApiRequest, ApiResponse, Connection, Transport } from './transport.ts'

export interface UndiciTransportOptions {
  /** For the User-Agent, as `name/version`. */
  readonly userAgent: string
  /** How long connecting may take. Default 10 s. */
  readonly connectTimeoutMs?: number
}

/** HTTP to a real API server: HTTP/2 where it offers that. */
export class UndiciTransport implements Transport {
  readonly #access: ClusterAccess
  readonly #options: UndiciTransportOptions
  readonly #open = new Set<UndiciConnection>()
  #current: UndiciConnection | undefined
  #closed = false

  constructor(access: ClusterAccess, options: UndiciTransportOptions) {
    this.#access = access
    this.#options = options
  }

  get server(): string {
    return this.#access.server.href
  }

  get connection(): Connection {
    if (this.#closed) throw new ApiFailure('unreachable', 'the source is closed')
    if (this.#current === undefined) {
      const connection: UndiciConnection = new UndiciConnection(this.#access, this.#options, () => {
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#open].map(it => it.destroy()))
  }
}

class UndiciConnection implements Connection {
  readonly #access: ClusterAccess
  readonly #options: UndiciTransportOptions
  readonly #token: BearerToken | undefined
  readonly #agent: Promise<Agent>
  readonly #onRetire: () => void
  #retired = false

  constructor(access: ClusterAccess, options: UndiciTransportOptions, onRetire: () => void) {
    this.#access = access
    this.#options = options
    this.#token = access.token === undefined ? undefined : new BearerToken(access.token)
    this.#onRetire = onRetire
    this.#agent = makeAgent(access, options)
    this.#agent.catch(() => {}) // whoever asks is told
  }

  async request({ path, query, signal, gzip, write }: ApiRequest): Promise<ApiResponse> {
    const agent = await this.#agent
    const authorization = await this.#token?.header()
    const { origin, pathname } = this.#access.server
    const response = await agent.request({
      origin,
      path: `${pathname.replace(/\/$/, '')}${path}${queryText(query)}`,
      method: write?.method ?? 'GET',
      ...(write !== undefined && { body: write.body }),
      signal,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.userAgent,
        'accept-encoding': gzip ? 'gzip' : 'identity',
        ...(write !== undefined && { 'content-type': write.contentType }),
        ...(authorization !== undefined && { authorization }),
      },
    })
    const compressed = response.headers['content-encoding'] === 'gzip'
    const retryAfter = response.headers['retry-after']
    return {
      status: response.statusCode,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      body: compressed ? decompressed(response.body) : response.body,
    }
  }

  retire(): void {
    if (this.#retired) return
    this.#retired = true
    this.#onRetire()
  }

  /** Resolves when what is under way has ended. */
  async close(): Promise<void> {
    const [made] = await Promise.allSettled([this.#agent])
    if (made.status === 'fulfilled' && !made.value.closed) await made.value.close()
  }

  async destroy(): Promise<void> {
    const [made] = await Promise.allSettled([this.#agent])
    if (made.status === 'fulfilled') await made.value.destroy()
  }
}

/** Certificates are those of this moment. */
async function makeAgent(access: ClusterAccess, options: UndiciTransportOptions): Promise<Agent> {
  const { certificateAuthority, clientCertificate, clientKey, tlsServerName } = access
  return new Agent({
    allowH2: true,
    // Silence is the reflector's to judge.
    bodyTimeout: 0,
    headersTimeout: 0,
    connect: {
      timeout: options.connectTimeoutMs ?? 10_000,
      rejectUnauthorized: access.insecureSkipTlsVerify !== true,
      ...(certificateAuthority && { ca: await readMaterial(certificateAuthority) }),
      ...(clientCertificate && { cert: await readMaterial(clientCertificate) }),
      ...(clientKey && { key: await readMaterial(clientKey) }),
      ...(tlsServerName !== undefined && { servername: tlsServerName }),
    },
  })
}

function queryText(query: ApiRequest['query']): string {
  const text = `${new URLSearchParams(query)}`
  return text === '' ? '' : `?${text}`
}

function decompressed(body: Readable): Readable {
  // What goes wrong on either side ends both, and whoever reads is told.
  return pipeline(body, createGunzip(), () => {})
}
