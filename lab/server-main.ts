import { rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { NetnsWorker } from '@kpng/ebpf'
import { EndpointServer, type ListenRequest } from './endpoint-server.ts'
import { netnsPath } from './names.ts'

/**
 * The endpoint server of one lab, a process of its own: `node server-main.ts SOCKET`. On the unix socket,
 * POST /v1/listen with ListenRequest[] answers ListenFailure[] once all the others listen.
 */
const [socketPath = ''] = process.argv.slice(2)
const worker = new NetnsWorker()
const endpoints = new EndpointServer(requests =>
  worker.openSockets(requests.map(request => ({ ...request, netns: { path: netnsPath(request.netns) } }))),
)

const control = createServer(async (request, response) => {
  try {
    if (request.method !== 'POST' || request.url !== '/v1/listen') {
      response.writeHead(404).end()
      return
    }
    // Written by this package's own commands: not checked again.
    const requests = JSON.parse(await text(request)) as ListenRequest[]
    const failures = await endpoints.listen(requests)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(failures))
  } catch (reason) {
    process.stderr.write(`${reason instanceof Error ? reason.stack : reason}\n`)
    response.writeHead(500).end(reason instanceof Error ? reason.message : String(reason))
  }
})
rmSync(socketPath, { force: true })
control.listen(socketPath)
