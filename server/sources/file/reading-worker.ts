/** The thread of a FileReader: reads one file a request, answers with its parts, then with the reading. */
import { parentPort } from 'node:worker_threads'
import { type Part, type Reading, type ReadRequest, readManifestFile } from './reading.ts'

export type WorkerMessage = { readonly part: Part } | { readonly reading: Reading }

parentPort?.on('message', (request: ReadRequest) => {
  const send = (message: WorkerMessage) => parentPort?.postMessage(message)
  const reading = readManifestFile(request, part => send({ part }))
  send({ reading })
})
