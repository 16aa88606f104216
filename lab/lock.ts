import { connect, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError } from '@kpng/api'

/**
 * `operation`: one `up`, `apply` or `down` at a time. `fabric`: whoever changes namespaces and the state file,
 * for a moment only, so that clients can be made while an `apply` waits for the agents.
 */
export type LockKind = 'operation' | 'fabric'

/**
 * A lock that the kernel releases when its holder dies: a listening socket in the abstract namespace. Whoever
 * connects to it is told who holds it. Throws conflict when it is not free within the time.
 */
export async function acquireLock(
  lab: string,
  kind: LockKind,
  what: string,
  { timeoutMs = 180_000, retryMs = 20 }: { timeoutMs?: number; retryMs?: number } = {},
): Promise<AsyncDisposable> {
  const path = `\0kpng-lab/${lab}/${kind}`
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const server = await tryListen(path, `pid ${process.pid} (${what})`)
    if (server !== undefined) return { [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
    if (Date.now() >= deadline) {
      const holder = await askHolder(path)
      throw new KpngError('conflict', `lab ${lab} is being changed by ${holder ?? 'another command'}`)
    }
    await sleep(retryMs)
  }
}

function tryListen(path: string, holder: string): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>()
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.end(holder)
  })
  server.once('error', (reason: NodeJS.ErrnoException) => {
    if (reason.code === 'EADDRINUSE') resolve(undefined)
    else reject(KpngError.from(reason, 'io', 'lock'))
  })
  server.listen(path, () => {
    server.unref()
    resolve(server)
  })
  return promise
}

function askHolder(path: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  let text = ''
  const socket = connect(path)
  socket.setTimeout(500, () => socket.destroy())
  socket.on('data', piece => {
    text += piece.toString()
  })
  socket.on('error', () => resolve(undefined))
  socket.on('close', () => resolve(text === '' ? undefined : text))
  return promise
}
