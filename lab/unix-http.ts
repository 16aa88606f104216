import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError } from '@kpng/api'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

export interface Call {
  readonly socketPath: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Sent as JSON; nothing is sent where there is none. */
  readonly body?: unknown
  readonly timeoutMs: number
}

/** Asks a process that listens on a unix socket; gives the JSON it answers. Throws io, or what connecting threw. */
export function call({ socketPath, method, path, body, timeoutMs }: Call): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const what = `${method} ${path}`
  const text = body === undefined ? '' : JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const asked = request({ socketPath, method, path, headers, timeout: timeoutMs }, response => {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('error', reject)
    response.on('end', () => {
      const answer = Buffer.concat(pieces).toString()
      if (response.statusCode !== 200) {
        reject(new KpngError('io', `${what}: ${response.statusCode} ${answer.trim()}`))
        return
      }
      try {
        resolve(JSON.parse(answer))
      } catch (reason) {
        reject(KpngError.from(reason, 'io', what))
      }
    })
  })
  asked.on('timeout', () => asked.destroy(new KpngError('io', `no answer to ${what} within ${timeoutMs} ms`)))
  asked.on('error', reject)
  asked.end(text)
  return promise
}

/** The same, while the process that will listen there is still starting. Throws io when it ends instead. */
export async function callOnceUp(owner: ProcessIdentity, options: Call): Promise<unknown> {
  const deadline = Date.now() + options.timeoutMs
  for (;;) {
    const wasAlive = isAlive(owner)
    try {
      return await call({ ...options, timeoutMs: Math.max(1, deadline - Date.now()) })
    } catch (reason) {
      if (!isNobody(reason)) throw KpngError.from(reason, 'io')
    }
    if (!wasAlive) throw new KpngError('io', `it has ended (pid ${owner.pid})`)
    if (Date.now() >= deadline)
      throw new KpngError('io', `nobody listens on ${options.socketPath} after ${options.timeoutMs} ms`)
    await sleep(10)
  }
}

/** Whether a call failed because nobody listens there. */
function isNobody(reason: unknown): boolean {
  const code = reason instanceof Error && 'code' in reason ? reason.code : undefined
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}
