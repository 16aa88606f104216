import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BackendStatus } from '@kpng/backend-ebpf'
import { AgentMetrics } from './metrics.ts'

const usage = { used: 1, max: 2, limbo: 0 }
const status = (services: number): BackendStatus => ({
  synced: true,
  revision: 1,
  settledRevision: 1,
  problems: [],
  notServed: [],
  counts: {
    services,
    unfit: 0,
    failing: 0,
    frontends: 1,
    addresses: 1,
    lists: usage,
    ranges: { IPv4: usage, IPv6: usage },
    backendIds: usage,
    servicePortIds: usage,
  },
  counters: {} as BackendStatus['counters'],
  generation: 1,
  reasons: {},
})

test('a scrape looks at the services once, and each one anew', async () => {
  let looks = 0
  const metrics = new AgentMetrics(
    () => status(++looks),
    () => ({ connections: 0, datagrams: 0, refused: 0, unreachable: 0 }),
  )
  assert.match(await metrics.text(), /^kpng_services 1$/m)
  assert.match(await metrics.text(), /^kpng_services 2$/m)
  assert.equal(looks, 2)
})
