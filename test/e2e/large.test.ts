import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestHost } from './agent.ts'
import { kpngOk } from './lab.ts'
import { endpointSlice, node, service } from './manifests.ts'

const endpointCount = 5000
const perSlice = 100

/** Slices with their own port numbers: one port name, 50 of them. */
const slices = (count: number): unknown[] =>
  Array.from({ length: count / perSlice }, (_, slice) =>
    endpointSlice({
      service: 'huge',
      name: `huge-${slice}`,
      ports: [{ name: 'http', port: 8000 + slice }],
      endpoints: Array.from({ length: perSlice }, (_, index) => {
        const number = slice * perSlice + index
        return `10.180.${Math.floor(number / 250)}.${(number % 250) + 1}`
      }),
    }),
  )

test('[KP-2.10] a Service with 5,000 endpoints in 50 slices is served whole, and shrinks', async () => {
  await using host = new TestHost()
  host.ip('route add local 10.180.0.0/16 dev lo')
  const agent = host.agent()
  const objects = [
    node('node-a', ['192.168.78.1']),
    service({
      name: 'huge',
      clusterIPs: ['10.96.0.1'],
      ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    }),
  ]
  agent.write([...objects, ...slices(endpointCount)])
  await agent.start()
  const programmed = async (): Promise<string[]> => {
    const json = await kpngOk(['explain', '10.96.0.1:80', '--instance', agent.instance, '-o', 'json'])
    return (JSON.parse(json) as { programmed: string[] }).programmed
  }
  const all = await programmed()
  assert.equal(new Set(all).size, endpointCount)
  assert.ok(all.includes('10.180.19.250:8049'))
  // Nobody listens: who refuses is who was chosen.
  const chosen = await host.python<string[]>(`
import json, socket
seen = set()
for _ in range(2000):
    with socket.socket() as tcp:
        tcp.setblocking(False)
        try: tcp.connect(("10.96.0.1", 80))
        except OSError as error: seen.add(error.errno)
print(json.dumps(sorted(map(str, seen))))
`)
  assert.deepEqual(chosen, ['115'], 'EINPROGRESS: each attempt went to a backend')
  await agent.apply([...objects, ...slices(200)])
  assert.equal((await programmed()).length, 200)
})
