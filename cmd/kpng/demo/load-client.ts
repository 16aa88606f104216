/**
 * Opens one TCP connection after the other, as `node load-client.ts ADDRESS PORT CLIENTS PER-SECOND`, reads one line of each and
 * closes it. Prints what became of them so far ten times a second, one LoadReport as JSON per line, and a last
 * time on SIGTERM, when the connections that are open have ended.
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadReport } from './load.ts'

const connectionTimeoutMs = 2_000
const reportIntervalMs = 100

const [host = '', port = '', clients = '4', perSecond = '200'] = process.argv.slice(2)
const pauseMs = (1_000 * Number(clients)) / Number(perSecond)
const answered: Record<string, number> = {}
const failed: Record<string, number> = {}
let stopping = false

function once(): Promise<void> {
  return new Promise(resolve => {
    let line = ''
    let failure = 'closed'
    const socket = connect({ host, port: Number(port), timeout: connectionTimeoutMs })
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      line += chunk
      if (line.includes('\n')) socket.destroy()
    })
    socket.on('timeout', () => {
      failure = 'timeout'
      socket.destroy()
    })
    socket.on('error', error => {
      failure = (error as NodeJS.ErrnoException).code ?? error.message
    })
    socket.on('close', () => {
      const pod = line.includes('\n') ? (JSON.parse(line) as { pod: string }).pod : undefined
      if (pod === undefined) failed[failure] = (failed[failure] ?? 0) + 1
      else answered[pod] = (answered[pod] ?? 0) + 1
      resolve()
    })
  })
}

async function client(): Promise<void> {
  while (!stopping) {
    await once()
    await sleep(pauseMs)
  }
}

function report(): void {
  process.stdout.write(`${JSON.stringify({ answered, failed } satisfies LoadReport)}\n`)
}

process.on('SIGTERM', () => {
  stopping = true
})
const timer = setInterval(report, reportIntervalMs)
await Promise.all(Array.from({ length: Number(clients) }, client))
clearInterval(timer)
report()
