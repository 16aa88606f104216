import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { countEvents } from './event-counters.ts'

test('what became of Events is read at each look', async () => {
  const registry = new Registry()
  const counts = { written: 1, dropped: 2, failed: 3, waiting: 4 }
  countEvents(registry, () => counts)
  const values = async () =>
    (await registry.metrics()).split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const lines = (a: number, b: number, c: number, d: number) => [
    `kpng_events_written_total ${a}`,
    `kpng_events_dropped_total ${b}`,
    `kpng_event_failures_total ${c}`,
    `kpng_events_waiting ${d}`,
  ]
  assert.deepEqual(await values(), lines(1, 2, 3, 4))
  Object.assign(counts, { written: 10, waiting: 0 })
  assert.deepEqual(await values(), lines(10, 2, 3, 0))
})
