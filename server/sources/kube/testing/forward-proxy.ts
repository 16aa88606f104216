import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** An HTTP proxy on loopback that tunnels (CONNECT), wherever it is asked to. */
export class ForwardProxy implements AsyncDisposable {
  /** What was asked for: `HOST:PORT`, then the Proxy-Authorization if there was one. */
  readonly asked: string[] = []
  /** Everybody is turned away with this status instead. */
  refuseWith: number | undefined
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()

  private constructor() {
    this.#server = createServer().on('connect', (request, socket) => this.#tunnel(request, socket))
  }

  static async listen(): Promise<ForwardProxy> {
    const proxy = new ForwardProxy()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    proxy.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    await promise
    return proxy
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
  }

  #tunnel(request: IncomingMessage, client: Duplex): void {
    const { 'proxy-authorization': authorization } = request.headers
    this.asked.push([request.url, authorization].filter(it => it !== undefined).join(' '))
    if (this.refuseWith !== undefined) {
      client.end(`HTTP/1.1 ${this.refuseWith} No\r\n\r\n`)
      return
    }
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? []
    const server: Socket = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      client.pipe(server).pipe(client)
    })
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        server.destroy()
        this.#sockets.delete(socket)
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    for (const socket of this.#sockets) socket.destroy()
    await promise
  }
}
