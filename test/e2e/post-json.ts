import { request } from 'node:http'
import { text } from 'node:stream/consumers'

/** POST to an agent's unix socket; gives the parsed answer, throws for any status but 200. */
export async function postJson(socketPath: string, path: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const call = request({ socketPath, method: 'POST', path, timeout: 120_000 }, response => {
    text(response).then(body => {
      if (response.statusCode === 200) resolve(JSON.parse(body))
      else reject(new Error(`status ${response.statusCode}: ${body}`))
    }, reject)
  })
  call.on('timeout', () => call.destroy(new Error(`${path} was not answered in time`)))
  call.on('error', reject).end()
  return await promise
}
