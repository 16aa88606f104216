import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { familyOf } from './address.ts'
import { answerLine, answerPrefix } from './endpoint-line.ts'
import type { ServedPort } from './state.ts'

/** One listener wanted: a port of an address in a namespace. */
export interface ListenRequest extends ServedPort {
  /** Name below /run/netns. */
  readonly netns: string
  readonly address: string
}

export interface ListenFailure extends ListenRequest {
  /** E.g. `EADDRINUSE`. */
  readonly error: string
}

/** A bound socket (TCP: listening), or the name of the errno. */
export type OpenedSocket = { readonly fd: number } | { readonly error: string }

/** Opens sockets inside namespaces; answers in the order of the requests. */
export type OpenSockets = (requests: readonly ListenRequest[]) => Promise<readonly OpenedSocket[]>

/** A client that holds its connection after the answer is closed in the end: descriptors are bounded. */
const holdMs = 10_000

/**
 * The servers of all endpoints of a lab: each TCP connection and each datagram is answered with one line. Made
 * listeners stay until the process ends; asking for them again does nothing.
 */
export class EndpointServer {
  readonly #open: OpenSockets
  readonly #listeners = new Map<string, Server | UdpSocket>()
  #before: Promise<unknown> = Promise.resolve()

  constructor(open: OpenSockets) {
    this.#open = open
  }

  get size(): number {
    return this.#listeners.size
  }

  /** Gives what could not be opened; it is tried again when it is asked for again. */
  async listen(requests: readonly ListenRequest[]): Promise<ListenFailure[]> {
    // One after the other: what somebody else is about to open is not in the way of who asks for the same.
    const mine = this.#before.then(() => this.#listen(requests))
    this.#before = mine.catch(() => undefined)
    return await mine
  }

  async #listen(requests: readonly ListenRequest[]): Promise<ListenFailure[]> {
    const wanted = new Map(
      requests
        .map(request => [keyOf(request), request] as const)
        .filter(([key]) => !this.#listeners.has(key)),
    )
    const missing = [...wanted.values()]
    const opened = await this.#open(missing)
    const failures: ListenFailure[] = []
    await Promise.all(
      missing.map(async (request, index) => {
        const socket = opened[index] ?? { error: 'EBADF' }
        if ('error' in socket) {
          failures.push({ ...request, error: socket.error })
          return
        }
        const listener = await (request.protocol === 'TCP'
          ? serveTcp(socket.fd, request)
          : serveUdp(socket.fd, request))
        this.#listeners.set(keyOf(request), listener)
      }),
    )
    return failures
  }

  close(): void {
    for (const listener of this.#listeners.values()) listener.close()
    this.#listeners.clear()
  }
}

const keyOf = (request: ListenRequest): string =>
  `${request.netns} ${request.address} ${request.port} ${request.protocol}`

async function serveTcp(fd: number, { address, port }: ListenRequest): Promise<Server> {
  const prefix = answerPrefix(address, port)
  const server = createServer({ noDelay: true }, socket => answer(socket, prefix))
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ fd, backlog: 4096 }, resolve)
  await promise
  server.off('error', reject)
  return server
}

/**
 * Says its line, closes its side, and reads on until the client closes: closing with unread data would send a
 * reset, which can overtake the line.
 */
function answer(socket: Socket, prefix: string): void {
  socket.on('error', () => socket.destroy())
  const source = socket.remoteAddress
  if (source === undefined) {
    socket.destroy()
    return
  }
  socket.setTimeout(holdMs, () => socket.destroy())
  socket.resume()
  socket.end(answerLine(prefix, source))
}

async function serveUdp(fd: number, { address, port }: ListenRequest): Promise<UdpSocket> {
  const prefix = answerPrefix(address, port)
  const socket = createSocket(familyOf(address) === 6 ? 'udp6' : 'udp4')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.once('error', reject)
  socket.bind({ fd }, resolve)
  await promise
  socket.off('error', reject)
  // What cannot be sent is lost, as datagrams are.
  socket.on('error', () => undefined)
  socket.on('message', (_message, from) =>
    socket.send(answerLine(prefix, from.address), from.port, from.address, () => undefined),
  )
  return socket
}
