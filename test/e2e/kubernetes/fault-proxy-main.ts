/**
 * Stands in front of an API server and gets in its way; a process of its own, so that it can run in a test's network
 * namespace: `fault-proxy-main.ts PORT URL CA-FILE`. It has the tests' certificate and listens on 127.0.0.1. Commands
 * are lines of JSON on standard input, each answered with a line that counts what has happened since the start.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { request as ask } from 'node:https'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { cert, key } from '../../../server/sources/kube/testing/certificate.ts'

/** Everything that is left out stays as it is. */
export interface FaultCommand {
  /** How many requests from now on are answered with `status`. */
  readonly refuse?: number
  readonly status?: number
  /** Seconds, with those answers. */
  readonly retryAfter?: number
  /** Each piece of an answer comes so much later. */
  readonly delayMs?: number
  /** Watches that are open now end inside of what they are told next. */
  readonly cut?: true
  /** Answers that are open now say nothing any more, and do not end. */
  readonly mute?: true
  /** false: every connection is cut, and nobody gets another one before it is true again. */
  readonly listen?: boolean
}

export interface FaultCounts {
  readonly requests: number
  readonly refused: number
  readonly cut: number
  /** Answers that said that a version is too old (410). */
  readonly expired: number
  /** Watches that are open now, lists that are streamed among them. */
  readonly watches: number
  /** When each request came, in milliseconds since the start. */
  readonly timesMs: readonly number[]
}

interface Open {
  readonly isWatch: boolean
  fault: 'none' | 'cut' | 'mute'
}

const [port, url = '', ca = ''] = process.argv.slice(2)
const upstream = new URL(url)
const authority = readFileSync(ca)
const open = new Set<Open>()
const settings = { refuse: 0, status: 429, retryAfter: 1, delayMs: 0 }
const counts = { requests: 0, refused: 0, cut: 0, expired: 0, timesMs: [] as number[] }

function refuse(response: Http2ServerResponse): void {
  settings.refuse--
  counts.refused++
  const { status, retryAfter } = settings
  response.writeHead(status, { 'content-type': 'application/json', 'retry-after': `${retryAfter}` })
  response.end(
    JSON.stringify({ kind: 'Status', status: 'Failure', code: status, message: 'too many requests' }),
  )
}

/** What the server answers to the same request. */
async function forward(request: Http2ServerRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !name.startsWith(':')),
  )
  const { hostname, port } = upstream
  const { method, url: path } = request
  const options = {
    hostname,
    port,
    ca: authority,
    method,
    path,
    headers: { ...headers, host: upstream.host },
  }
  request.pipe(ask(options, resolve).once('error', reject))
  return await promise
}

async function relay(answer: IncomingMessage, response: Http2ServerResponse, here: Open): Promise<void> {
  for await (const piece of answer as AsyncIterable<Buffer>) {
    // The reason of such a Status is written the same in JSON and in protobuf.
    if (answer.statusCode === 410 || piece.includes('Expired')) counts.expired++
    if (settings.delayMs > 0) await sleep(settings.delayMs)
    if (here.fault === 'mute') continue
    if (here.fault === 'none') response.write(piece)
    else {
      counts.cut++
      response.write(piece.subarray(0, piece.length / 2), () => response.stream.destroy())
      return
    }
  }
  if (here.fault === 'none') response.end()
}

const server = createSecureServer({ cert, key }, async (request, response) => {
  counts.requests++
  counts.timesMs.push(Math.round(performance.now()))
  if (settings.refuse > 0) return refuse(response)
  const here: Open = { isWatch: request.url.includes('watch=true'), fault: 'none' }
  open.add(here)
  try {
    const answer = await forward(request)
    response.once('close', () => answer.destroy())
    const { 'content-type': type = '', 'content-encoding': encoding } = answer.headers
    response.writeHead(answer.statusCode ?? 502, {
      'content-type': type,
      ...(encoding !== undefined && { 'content-encoding': encoding }),
    })
    await relay(answer, response, here)
  } catch {
    if (here.fault !== 'mute') response.stream.destroy()
  } finally {
    open.delete(here)
  }
})
const sockets = new Set<Socket>()
server.on('connection', (socket: Socket) => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
})

async function listen(wanted: boolean): Promise<void> {
  if (wanted === server.listening) return
  const { promise, resolve } = Promise.withResolvers<void>()
  if (wanted) server.listen(Number(port), '127.0.0.1', resolve)
  else server.close(() => resolve())
  if (!wanted) for (const socket of sockets) socket.destroy()
  await promise
}

await listen(true)

for await (const line of createInterface({ input: process.stdin })) {
  const { cut, mute, listen: wanted, ...others } = JSON.parse(line) as FaultCommand
  Object.assign(settings, others)
  if (cut) for (const it of open) if (it.isWatch) it.fault = 'cut'
  if (mute) for (const it of open) it.fault = 'mute'
  if (wanted !== undefined) await listen(wanted)
  const watches = [...open].filter(it => it.isWatch).length
  process.stdout.write(`${JSON.stringify({ ...counts, watches } satisfies FaultCounts)}\n`)
}
process.exit()
