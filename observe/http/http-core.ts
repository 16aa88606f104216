import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { type Answer, send, text } from './answer.ts'

export type Answerer = (request: IncomingMessage) => Answer | Promise<Answer>

/** Longer than load balancers and scrapers pause: one that comes back finds its connection open. */
const keepAliveTimeoutMs = 75_000
/** A client that says nothing for so long in the middle of a request is cut off. */
const silenceMs = 10_000

/**
 * HTTP on connections that somebody else accepts and ends: any number of ports share one. Bodies of requests are not
 * read.
 */
export class HttpCore {
  readonly #server: Server
  readonly #answerers = new WeakMap<Socket, Answerer>()

  constructor() {
    this.#server = createServer(
      {
        keepAliveTimeout: keepAliveTimeoutMs,
        maxHeaderSize: 16_384,
      },
      (request, response) => {
        request.resume()
        const answered = this.#answer(request).then(answer => send(response, answer))
        // Only a bug throws; the prober is not left waiting for it.
        answered.catch((reason: unknown) => response.destroy(reason instanceof Error ? reason : undefined))
      },
    )
    this.#server.timeout = silenceMs
    this.#server.on('clientError', (_reason, socket) => socket.destroy())
  }

  /** Serves one connection. */
  serve(socket: Socket, answerer: Answerer): void {
    this.#answerers.set(socket, answerer)
    this.#server.emit('connection', socket)
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const answerer = this.#answerers.get(request.socket)
    if (answerer === undefined) return text(500, 'nobody answers here\n')
    try {
      return await answerer(request)
    } catch (reason) {
      return text(500, `${reason instanceof Error ? reason.message : String(reason)}\n`)
    }
  }
}
