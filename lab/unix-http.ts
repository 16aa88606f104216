import { request } from 'node:http'
import { text } from 'node:stream/consumers'
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

/** Asks a process that listens on a unix socket; gives the body of its answer. Throws io, or what connecting threw. */
export function callText({ socketPath, method, path, body, timeoutMs }: Call): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const what = `${method} ${path}`
  const sent = body === undefined ? '' : JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) }
  const asked = request({ socketPath, method, path, headers, timeout: timeoutMs }, response => {
    text(response).then(answer => {
      if (response.statusCode === 200) resolve(answer)
      else reject(new KpngError('io', `${what}: ${response.statusCode} ${answer.trim()}`))
    }, reject)
  })
  asked.on('timeout', () => asked.destroy(new KpngError('io', `no answer to ${what} within ${timeoutMs} ms`)))
  asked.on('error', reject)
  asked.end(sent)
  return promise
}

/** The same, where the answer is JSON. */
export async function call(options: Call): Promise<unknown> {
  const answer = await callText(options)
  try {
    return JSON.parse(answer)
  } catch (reason) {
    throw KpngError.from(reason, 'io', `${options.method} ${options.path}`)
  }
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
