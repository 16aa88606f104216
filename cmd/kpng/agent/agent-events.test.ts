import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiClient } from '@kpng/server'
import { AgentEvents } from './agent-events.ts'
import { recordedLog } from './testing/recorded-log.ts'

const uid = 'f00d'

function world() {
  const { logger, lines } = recordedLog()
  const services = new Set(['ns/web'])
  const events = new AgentEvents({
    ...{ nodeName: 'node-a', qps: 0, burst: 10, logger },
    store: () => ({ service: (key: string) => (services.has(key) ? ({ uid } as never) : undefined) }),
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
