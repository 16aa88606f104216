import process from 'node:process'
import { parentPort, workerData } from 'node:worker_threads'
import { destroySockets } from './destroy-sockets.ts'
import { NetnsFinder } from './netns-finder.ts'
import type { NetnsAnswerMessage, NetnsRequestMessage, NetnsWorkerOptions } from './netns-worker.ts'
import { openSockets } from './open-sockets.ts'
import { SockDiagCache } from './sock-diag-cache.ts'
import { sourceAddresses } from './source-addresses.ts'

// The thread of NetnsWorker: everything is synchronous, so at most one request is under way.
if (parentPort === null) throw new Error('runs as a worker thread only')
const port = parentPort
const options = workerData as NetnsWorkerOptions
const finder = new NetnsFinder(options)
const sockets = new SockDiagCache(finder, options)

// Descriptors belong to the process, not to the thread.
process.on('exit', () => {
  sockets[Symbol.dispose]()
  finder[Symbol.dispose]()
})

port.on('message', (message: NetnsRequestMessage) => {
  if (message === 'close') port.close()
  else port.postMessage(answer(message))
})

function answer(message: Exclude<NetnsRequestMessage, 'close'>): NetnsAnswerMessage {
  const { id } = message
  try {
    switch (message.kind) {
      case 'destroy-sockets':
        return { id, answer: destroySockets(message.request, finder, sockets) }
      case 'source-addresses':
        return { id, answer: sourceAddresses(message.request, finder) }
      case 'open-sockets':
        return { id, answer: openSockets(message.request, finder) }
    }
  } catch (error) {
    return { id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
