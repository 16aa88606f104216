import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Family, ManualClock } from '@kpng/api'
import { Registry } from 'prom-client'
import { SyncHealth } from './health/sync-health.ts'
import { SyncMetrics } from './metrics/sync-metrics.ts'
import { SyncWatch } from './sync-watch.ts'
import { aService } from './testing/views.ts'
import type { ViewFacts } from './view-tally.ts'

const families: readonly Family[] = ['IPv4', 'IPv6']

/** A watch with a sink that writes when it is told to. */
function subject() {
  const clock = new ManualClock()
  const health = new SyncHealth({ families, timeoutMs: 60_000, clock })
  const registry = new Registry()
  const metrics = new SyncMetrics({ registry, families })
  const calls: string[] = []
  const waiting: (() => void)[] = []
  const synced: ViewFacts[] = []
  const watch = new SyncWatch({
    sink: {
      setNode: ({ name }) => calls.push(`node ${name}`),
      setService: ({ name }) => calls.push(`set ${name}`),
      deleteService: (_namespace, name) => calls.push(`delete ${name}`),
      sync: state => calls.push(`sync ${state?.complete}`),
    },
    inForce: () => new Promise(resolve => waiting.push(resolve)),
    ...{ health, metrics, clock },
    onSynced: facts => synced.push(facts),
  })
  /** All that was handed over is in force. */
  const write = async (): Promise<void> => {
    for (const resolve of waiting.splice(0)) resolve()
    await turn()
  }
  const value = async (name: string, labels = ''): Promise<number> => {
    const text = await registry.getSingleMetricAsString(name.replace(/_(count|sum)$/, ''))
    const line = text.split('\n').find(it => it.startsWith(`${name}${labels}`))
    return Number(line?.split(' ').at(-1))
  }
  return { clock, health, metrics, calls, synced, watch, write, value }
}

const ipv4 = '{ip_family="IPv4"}'
const slice = { kind: 'EndpointSlice', key: 'shop/web-1', changed: true }
const service = { kind: 'Service', key: 'shop/web', changed: true }

test('passes everything on to the sink, as it came', () => {
  const { watch, calls } = subject()
  watch.setNode({ name: 'n1', addresses: [], zone: '', serviceCIDRs: [], eligible: true })
  watch.setService(aService({}))
  watch.deleteService('shop', 'old')
  watch.sync({ complete: false })
  assert.deepEqual(calls, ['node n1', 'set web', 'delete old', 'sync false'])
})

test('[KP-9.5 KP-9.6 KP-9.18] events count as they come, a Service’s once a family; pending are those not in force', async () => {
  const { watch, write, value } = subject()
  const counts = async () => {
    const names = [
      'service_changes_total',
      'service_changes_pending',
      'endpoint_changes_total',
      'endpoint_changes_pending',
    ]
    return await Promise.all(names.map(name => value(`kubeproxy_sync_proxy_rules_${name}`)))
  }
  watch.written(service, true)
  watch.written({ ...service, changed: false }, true)
  watch.written(slice, true)
  watch.written({ kind: 'Node', key: 'n1', changed: true }, true)
  assert.deepEqual(await counts(), [4, 1, 1, 1])
  watch.sync()
  watch.caughtUp()
  watch.written(slice, true)
  watch.written(slice, true)
  watch.written(service, true)
  assert.deepEqual(await counts(), [6, 1, 3, 3])
  await write()
  assert.deepEqual(await counts(), [6, 1, 3, 2], 'the first is in force, the later ones are not')
  watch.caughtUp()
  await write()
  assert.deepEqual(await counts(), [6, 0, 3, 0])
})

test('[KP-8.1.5] a change waits from when it came until it is in force', async () => {
  const { watch, clock, health, write } = subject()
  assert.equal(health.report().families.size, 2, 'the start counts as an update')
  clock.advance(600_000)
  watch.written(slice, true)
  clock.advance(59_999)
  assert.equal(health.report().healthy, true)
  watch.sync()
  watch.caughtUp()
  clock.advance(1)
  assert.equal(health.report().healthy, false)
  await write()
  assert.equal(health.report().healthy, true)
  clock.advance(600_000)
  assert.equal(health.report().healthy, true)
})

test('[KP-8.1.5] a change that comes while another is written is waited for by itself', async () => {
  const { watch, clock, health, write } = subject()
  watch.written(slice, true)
  watch.sync()
  watch.caughtUp()
  clock.advance(50_000)
  watch.written(slice, true)
  watch.sync()
  watch.caughtUp()
  await write()
  clock.advance(59_999)
  assert.equal(health.report().healthy, true)
  clock.advance(1)
  assert.equal(health.report().healthy, false)
  await write()
  assert.equal(health.report().healthy, true)
})

test('[KP-8.1.5] before the first lists are there nothing is queued', () => {
  const { watch, clock, health } = subject()
  watch.written(service, false)
  watch.look(false)
  clock.advance(600_000)
  assert.equal(health.report().healthy, true)
})

test('[KP-6.2] repairs that fail make unhealthy, and healthy again when they succeed', async () => {
  const { watch, clock, health, value } = subject()
  const pass = { durationMs: 3, full: true }
  watch.passed({ ...pass, failed: true, upToDate: false })
  clock.advance(60_000)
  assert.equal(health.report().healthy, false)
  watch.passed({ ...pass, failed: false, upToDate: true })
  assert.equal(health.report().healthy, true)
  assert.equal(await value('kpng_sync_failures_total'), 1)
})

test('programs that were in place and are not any more are something to be done', () => {
  const { watch, clock, health } = subject()
  watch.look(true)
  watch.look(false)
  clock.advance(60_000)
  watch.look(false)
  assert.equal(health.report().healthy, false)
  watch.look(true)
  assert.equal(health.report().healthy, true)
})

test('[KP-9.1 KP-9.2 KP-9.18] durations of all passes, the failed ones too, full and partial ones apart', async () => {
  const { watch, value } = subject()
  watch.passed({ durationMs: 1500, full: true, failed: false, upToDate: true })
  watch.passed({ durationMs: 250, full: false, failed: true, upToDate: false })
  watch.passed({ durationMs: 250, full: false, failed: false, upToDate: true })
  const counts = async (family: string) => [
    await value('kubeproxy_sync_proxy_rules_duration_seconds_count', family),
    await value('kubeproxy_sync_full_proxy_rules_duration_seconds_count', family),
    await value('kubeproxy_sync_partial_proxy_rules_duration_seconds_count', family),
  ]
  assert.deepEqual(await counts(ipv4), [3, 1, 2])
  assert.deepEqual(await counts('{ip_family="IPv6"}'), [3, 1, 2])
  assert.equal(await value('kubeproxy_sync_proxy_rules_duration_seconds_sum', ipv4), 2)
})

test('[KP-9.3] when a sync was last wanted, and when one last succeeded', async () => {
  const { watch, clock, write, value } = subject()
  const times = async () => [
    await value('kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds', ipv4),
    await value('kubeproxy_sync_proxy_rules_last_timestamp_seconds', ipv4),
  ]
  const start = clock.wallMs() / 1_000
  assert.deepEqual(await times(), [start, Number.NaN], 'none has succeeded')
  clock.advance(2_000)
  watch.written(slice, true)
  watch.sync()
  watch.caughtUp()
  clock.advance(1_500)
  await write()
  assert.deepEqual(await times(), [start + 2, start + 3.5])
})

test('[KP-9.4 KP-9.17] from what made a slice change until connections see it, by family', async () => {
  const { watch, clock, write, value } = subject()
  const cause = clock.wallMs()
  clock.advance(400)
  watch.written(slice, true)
  watch.sync()
  watch.triggered([
    { atMs: cause, family: 'IPv4' },
    { atMs: cause + 100, family: 'IPv4' },
    { atMs: cause, family: 'IPv6' },
  ])
  watch.caughtUp()
  clock.advance(100)
  const name = 'kubeproxy_network_programming_duration_seconds'
  assert.equal(await value(`${name}_count`, ipv4), Number.NaN, 'not in force yet')
  await write()
  assert.equal(await value(`${name}_count`, ipv4), 2)
  assert.equal(await value(`${name}_sum`, ipv4), 0.9)
  assert.equal(await value(`${name}_count`, '{ip_family="IPv6"}'), 1)
})

test('[KP-8.2.3 KP-9.16] health ports and no_local_endpoints follow what is in force, not what is wanted', async () => {
  const { watch, write, synced, value } = subject()
  const name = 'kubeproxy_sync_proxy_rules_no_local_endpoints_total'
  const labels = '{traffic_policy="internal",ip_family="IPv4"}'
  watch.setService(aService({ healthCheckNodePort: 31000, internal: ['drop'] }))
  watch.sync()
  watch.setService(aService({ name: 'later', healthCheckNodePort: 31001, internal: ['drop'] }))
  watch.caughtUp()
  assert.deepEqual([synced.length, await value(name, labels)], [0, Number.NaN])
  await write()
  assert.deepEqual([[...(synced.at(-1)?.health.keys() ?? [])], await value(name, labels)], [['shop/web'], 1])
  watch.sync()
  watch.caughtUp()
  await write()
  assert.deepEqual(
    [[...(synced.at(-1)?.health.keys() ?? [])], await value(name, labels)],
    [['shop/web', 'shop/later'], 2],
  )
})
