import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, Store } from '@kpng/server'
import { AgentEvents } from './agent-events.ts'
import { kubeSource } from './agent-source.ts'
import { recordedLog } from './testing/recorded-log.ts'

const uid = 'f00d'

function world() {
  const { logger, lines } = recordedLog()
  const services = new Set(['ns/web'])
  const events = new AgentEvents({
    ...{ nodeName: 'node-a', logger },
    store: { service: (key: string) => (services.has(key) ? ({ uid } as never) : undefined) },
  })
  return { events, lines }
}

test('[KP-11.1 KP-11.5] what is told before the API server is known goes to it, the start first', async () => {
  const { events } = world()
  using _ = events
  const created: Array<{ path: string; object: { reason: string; action: string; regarding: object } }> = []
  events.started('1.2.3')
  events.repaired('a link is gone')
  events.begin({
    create: async (path: string, object: never) => created.push({ path, object }),
  } as unknown as ApiClient)
  await events.settled(5_000)
  assert.deepEqual(
    created.map(({ path, object: { reason, action, regarding } }) => ({ path, reason, action, regarding })),
    ['Starting', 'DatapathRepaired'].map(reason => ({
      path: '/apis/events.k8s.io/v1/namespaces/default/events',
      reason,
      action: reason === 'Starting' ? 'StartKubeProxy' : 'Program',
      regarding: { kind: 'Node', apiVersion: 'v1', name: 'node-a' },
    })),
  )
  assert.deepEqual(events.counts, { written: 2, dropped: 0, failed: 0, waiting: 0 })
})

test('without an API server Events go to the log alone', async () => {
  const { events, lines } = world()
  using _ = events
  events.begin(undefined)
  events.started('1.2.3')
  await events.settled(5_000)
  assert.deepEqual(lines, [
    {
      level: 'debug',
      object: 'node-a',
      kind: 'Node',
      type: 'Normal',
      reason: 'Starting',
      action: 'StartKubeProxy',
      note: 'kpng 1.2.3',
      msg: 'Event occurred',
    },
  ])
})

test('Events are written no faster than clientConnection says', async () => {
  let written = 0
  await using server = createServer((_request, response) => {
    written++
    response.writeHead(201, { 'content-type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  // Three now; the next one in more than a day.
  const connection = { kubeconfig: '', qps: 1e-5, burst: 3 }
  const open = kubeSource({ server: `http://127.0.0.1:${port}` }, connection)
  await using source = open({ store: new Store(), nodeName: 'node-a', onRead() {}, onAnswer() {} })
  const { events } = world()
  using _ = events
  events.begin(source.client)
  for (let version = 0; version < 6; version++) {
    const regarding = { kind: 'Node', apiVersion: 'v1', name: `n${version}` } as const
    events.event({ regarding, type: 'Normal', reason: 'Starting', action: 'StartKubeProxy', note: '' })
  }
  for (let i = 0; i < 500 && written < 3; i++) await sleep(10)
  await sleep(100)
  assert.equal(written, 3)
  // One waits for its turn, the others for that one.
  assert.deepEqual(events.counts, { written: 3, dropped: 0, failed: 0, waiting: 2 })
})
