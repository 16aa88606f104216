import { request } from 'node:http'
import { KpngError } from '@kpng/api'

/** undefined when nobody listens: the agent is dead. Other failures throw. */
export function callAgent(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  timeoutMs = 10_000,
): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
  const call = request({ socketPath, method, path, timeout: timeoutMs }, response => {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('error', reject)
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
  call.on('error', (reason: NodeJS.ErrnoException) => {
    if (reason.code === 'ENOENT' || reason.code === 'ECONNREFUSED') resolve(undefined)
    else reject(KpngError.from(reason, 'io', socketPath))
  })
  call.end()
  return promise
}
