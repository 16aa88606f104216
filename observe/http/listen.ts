import { createServer, type Socket } from 'node:net'

/** Where to listen. */
export interface ListenAt {
  /** Canonical IP address. */
  readonly address: string
  /** 0: any free one. */
  readonly port: number
  /** `::` takes IPv6 alone. Default: it takes IPv4, too, where the machine has both. */
  readonly ipv6Only?: boolean
}

export interface Listener {
  readonly port: number
  /** Ends open connections as well; resolves when the port is free. */
  close(): Promise<void>
}

export interface ListenEvents {
  readonly onConnection: (socket: Socket) => void
  /** It listens no more, or could not take a connection. */
  readonly onError: (reason: Error) => void
}

/** Rejects where it cannot listen. A parameter of whoever listens: tests stand in for it. */
export type Listen = (at: ListenAt, events: ListenEvents) => Promise<Listener>

/** More connections than any prober has at once are closed. */
const maxConnections = 512

export const listenTcp: Listen = async (at, events) => {
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    events.onConnection(socket)
  })
  server.maxConnections = maxConnections
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host: at.address, port: at.port, ipv6Only: at.ipv6Only ?? false }, resolve)
  await promise
  server.off('error', reject)
  server.on('error', events.onError)
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : at.port,
    close: async () => {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      for (const socket of open) socket.destroy()
      await closed.promise
    },
  }
}
