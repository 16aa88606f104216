import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { createInterface } from 'node:readline'
import type { ApiAnswer, ApiRequest } from './api-client.ts'

/**
 * Speaks to the API server from inside the network namespace that it was started in: `node api-client-main.ts URL CA
 * CERTIFICATE KEY`. Reads ApiRequests on standard input, one JSON a line, and answers each with an ApiAnswer, in the
 * order in which they come back; a watch with one for each of its lines, and one at its end. Ends with its input.
 */
const [url = '', ca = '', certificate = '', key = ''] = process.argv.slice(2)
const agent = new Agent({
  keepAlive: true,
  maxSockets: 32,
  ca: readFileSync(ca),
  cert: readFileSync(certificate),
  key: readFileSync(key),
})

const answer = (line: ApiAnswer): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

function ask({
  id,
  method,
  path,
  body,
  contentType = 'application/json',
  timeoutMs,
  watch,
}: ApiRequest): void {
  const headers = { accept: 'application/json', ...(body !== undefined && { 'content-type': contentType }) }
  const asked = request(new URL(path, url), { agent, method, headers, timeout: timeoutMs }, response => {
    if (watch === true && response.statusCode === 200) {
      const lines = createInterface({ input: response })
      lines.on('line', line => answer({ id, line }))
      lines.on('close', () => answer({ id, status: 200, body: '' }))
      return
    }
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('error', reason => answer({ id, error: reason.message }))
    response.on('end', () => {
      answer({ id, status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString() })
    })
  })
  asked.on('timeout', () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)))
  asked.on('error', reason => answer({ id, error: reason.message }))
  asked.end(body)
}

const input = createInterface({ input: process.stdin })
// Written by this package's own code: not checked again.
input.on('line', line => ask(JSON.parse(line) as ApiRequest))
input.on('close', () => agent.destroy())
