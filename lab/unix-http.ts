import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { KpngError } from '@kpng/api'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

/** POSTs JSON to a process that listens on a unix socket; gives the JSON it answers. Throws io. */
export async function post(
  socketPath: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const call = request({ socketPath, method: 'POST', path, headers, timeout: timeoutMs }, response => {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('error', reject)
    response.on('end', () => {
      const answer = Buffer.concat(pieces).toString()
      if (response.statusCode !== 200)
        reject(new KpngError('io', `POST ${path}: ${response.statusCode} ${answer.trim()}`))
      else
        try {
          resolve(JSON.parse(answer))
        } catch (reason) {
          reject(KpngError.from(reason, 'io', `POST ${path}`))
        }
    })
  })
  call.on('timeout', () =>
    call.destroy(new KpngError('io', `no answer to POST ${path} within ${timeoutMs} ms`)),
  )
  call.on('error', reject)
  call.end(text)
  return promise
}

/** The same, while the process that will listen there is still starting. Throws io when it ends instead. */
export async function postOnceUp(
  owner: ProcessIdentity,
  socketPath: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<unknown> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const alive = isAlive(owner)
    try {
      return await post(socketPath, path, body, Math.max(1, deadline - Date.now()))
    } catch (reason) {
      const code = reason instanceof Error && 'code' in reason ? reason.code : undefined
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw KpngError.from(reason, 'io')
    }
    if (!alive) throw new KpngError('io', `it has ended (pid ${owner.pid})`)
    if (Date.now() >= deadline)
      throw new KpngError('io', `${socketPath} did not appear within ${timeoutMs} ms`)
    await sleep(10)
  }
}
