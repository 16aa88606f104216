import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { KpngError, type Problem } from '@kpng/api'

/** What GET /v1/status answers. */
export interface AgentStatus {
  readonly pid: number
  readonly version: string
  readonly instance: string
  readonly node: string
  readonly startedAt: string
  /** The first complete view is in the kernel. */
  readonly synced: boolean
  readonly revision: number
  readonly cgroupRoot: string
  readonly problems: readonly Problem[]
  /** Figures of the reconciler, for people and tests. */
  readonly datapath: unknown
}

export interface StatusServerOptions {
  readonly path: string
  status(): AgentStatus
  /** Re-reads the sources; resolves when the datapath carries them. */
  sync(): Promise<void>
  view(): Iterable<string>
  /** A connection could not be taken. */
  onError(reason: Error): void
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** The status API on a unix socket: mode 0660, no other transport. */
export class StatusServer implements AsyncDisposable {
  readonly #server: Server
  readonly #options: StatusServerOptions

  private constructor(options: StatusServerOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((reason: unknown) => {
        sendJson(response, 500, { error: KpngError.from(reason).message })
      })
    })
  }

  /** Listens. The caller holds the instance's lock, so a socket that is there is a dead agent's. */
  static async listen(options: StatusServerOptions): Promise<StatusServer> {
    const status = new StatusServer(options)
    rmSync(options.path, { force: true })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    status.#server.once('error', reason =>
      reject(new KpngError('io', `cannot listen on ${options.path}`, { cause: reason })),
    )
    status.#server.listen(options.path, resolve)
    await promise
    // Too many open files, say: whoever calls waits or calls again, and the agent goes on.
    status.#server.on('error', options.onError)
    try {
      chmodSync(options.path, 0o660)
    } catch (reason) {
      await status[Symbol.asyncDispose]()
      throw new KpngError('io', `cannot listen on ${options.path}`, { cause: reason })
    }
    return status
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (`${request.method} ${request.url}`) {
      case 'GET /v1/status':
        sendJson(response, 200, this.#options.status())
        return
      case 'POST /v1/sync':
        request.resume()
        await this.#options.sync()
        sendJson(response, 200, this.#options.status())
        return
      case 'GET /v1/view':
        response.writeHead(200, { 'content-type': 'application/json' })
        for (const piece of this.#options.view()) {
          if (response.destroyed) return
          if (!response.write(piece)) await drained(response)
        }
        response.end()
        return
      case 'GET /metrics': {
        const { contentType, text } = await this.#options.metrics()
        response.writeHead(200, { 'content-type': contentType })
        response.end(text)
        return
      }
      default:
        request.resume()
        sendJson(response, 404, {
          error: `no ${request.method} ${request.url}; there are GET /v1/status, GET /v1/view, POST /v1/sync, GET /metrics`,
        })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
    rmSync(this.#options.path, { force: true })
  }
}

function sendJson(response: ServerResponse, statusCode: number, body: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(statusCode, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}

function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('drain', resolve).once('close', resolve)
  return promise
}
