import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { TLSSocketOptions } from 'node:tls'
import { createGzip } from 'node:zlib'
import { type FakeApi, type FakeRequest, status } from './fake-api.ts'

export interface ServeOptions {
  /** Default: HTTP/1.1 in clear text. */
  readonly tls?: TLSSocketOptions
  /** With TLS only. Default: HTTP/1.1. */
  readonly http2?: boolean
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default: any. */
  readonly port?: number
  /** Whom to let in; default everybody. */
  readonly authorized?: (headers: FakeRequest['headers'], socket: Socket) => boolean
}

/** A fake API server on the wire, on loopback. */
export class FakeServer implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that were made. */
  connections = 0
  /** `HTTP/VERSION` of each request. */
  readonly versions: string[] = []

  private constructor(api: FakeApi, options: ServeOptions) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.versions.push(request.httpVersion)
      void respond(api, options, request, response)
    }
    // What HTTP/2's compatibility layer hands over is the same as far as it is used here.
    const handle2 = handle as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void
    this.#server =
      options.tls === undefined
        ? createServer(handle)
        : options.http2 === true
          ? createSecureServer(options.tls, handle2)
          : createHttpsServer(options.tls, handle)
    const event = options.tls === undefined ? 'connection' : 'secureConnection'
    this.#server.on(event, () => this.connections++)
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  static async listen(api: FakeApi, options: ServeOptions = {}): Promise<FakeServer> {
    const server = new FakeServer(api, options)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.#server.once('error', reject).listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
    await promise
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts every connection; goes on listening. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.cutAll()
    await promise
  }
}

async function written(request: IncomingMessage) {
  const { method = 'GET' } = request
  if (method === 'GET') return undefined
  return { method, contentType: request.headers['content-type'] ?? '', body: await text(request) }
}

async function respond(
  api: FakeApi,
  options: ServeOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = request.headers as FakeRequest['headers']
  const url = new URL(request.url ?? '/', 'http://fake')
  const allowed = options.authorized?.(headers, request.socket) ?? true
  const write = await written(request)
  const answer = allowed
    ? api.handle(url.pathname, url.searchParams, headers, write)
    : status(401, 'Unauthorized')
  if (answer === 'hang') return
  if (answer === 'refuse') {
    request.socket.destroy()
    return
  }
  const { body } = answer
  response.on('close', () => body.abort(new Error('the client is gone')))
  const gzip = headers['accept-encoding'] === 'gzip'
  response.writeHead(answer.status, { ...answer.headers, ...(gzip && { 'content-encoding': 'gzip' }) })
  response.flushHeaders()
  const out = gzip ? createGzip() : response
  if (out !== response) out.pipe(response)
  try {
    for await (const piece of body) out.write(piece)
    out.end()
  } catch {
    // An HTTP/2 response is more than its stream, which is what has to break.
    if ('stream' in response) (response.stream as Duplex).destroy()
    else response.destroy()
  }
}
