import { request } from 'node:http'
import { text } from 'node:stream/consumers'

/** Calls an agent's unix socket; gives the body, throws for any status but 200. */
async function call(socketPath: string, method: 'GET' | 'POST', path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const calling = request({ socketPath, method, path, timeout: 120_000 }, response => {
    text(response).then(body => {
      if (response.statusCode === 200) resolve(body)
      else reject(new Error(`status ${response.statusCode}: ${body}`))
    }, reject)
  })
  calling.on('timeout', () => calling.destroy(new Error(`${path} was not answered in time`)))
  calling.on('error', reject).end()
  return await promise
}

export const getText = (socketPath: string, path: string): Promise<string> => call(socketPath, 'GET', path)

export const postJson = async (socketPath: string, path: string): Promise<unknown> =>
  JSON.parse(await call(socketPath, 'POST', path))
