import { request } from 'node:http'
import { KpngError } from '@kpng/api'

const deadCodes: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'])

/** undefined when nobody listens, or ends while it answers: the agent is dead. Other failures throw. */
export function callAgent(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs = 10_000,
): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
  const fail = (reason: NodeJS.ErrnoException): void => {
    if (deadCodes.has(reason.code)) resolve(undefined)
    else reject(KpngError.from(reason, 'io', socketPath))
  }
  const call = request({ socketPath, method, path, timeout: timeoutMs }, response => {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('error', fail)
    response.on('end', () => {
      const text = Buffer.concat(pieces).toString()
      if (response.statusCode === 200) resolve(text)
      else
        reject(
          new KpngError(
            'io',
            `the agent answered ${response.statusCode} to ${method} ${path}: ${text.trim()}`,
          ),
        )
    })
  })
  call.on('timeout', () =>
    call.destroy(new KpngError('io', `the agent did not answer within ${timeoutMs} ms`)),
  )
  call.on('error', fail)
  call.end()
  return promise
}
