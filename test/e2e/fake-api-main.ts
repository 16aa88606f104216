/**
 * A fake API server as a process of its own, so that it can run in a test's network namespace. Commands are lines of
 * JSON on standard input, each answered with a line: {"put": [objects]}, {"delete": [objects]}, {"compact": true},
 * {"listen": true} (on every address of the namespace) and {"listen": false} (which cuts all connections).
 */
import { createInterface } from 'node:readline'
import { FakeApi, type KubeJson } from '../../server/sources/kube/testing/fake-api.ts'
import { FakeServer } from '../../server/sources/kube/testing/serve.ts'

interface Command {
  readonly put?: readonly KubeJson[]
  readonly delete?: readonly KubeJson[]
  readonly compact?: boolean
  readonly listen?: boolean
}

const port = Number(process.argv[2])
const api = new FakeApi()
let server: FakeServer | undefined
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command
  api.put(...(command.put ?? []))
  api.delete(...(command.delete ?? []))
  if (command.compact === true) api.compact()
  if (command.listen === true) server ??= await FakeServer.listen(api, { port, host: '0.0.0.0' })
  if (command.listen === false) {
    await server?.[Symbol.asyncDispose]()
    server = undefined
  }
  process.stdout.write('done\n')
}
