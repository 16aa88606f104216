import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AgentMetrics, type MetricsSample } from './metrics.ts'
import { aSample } from './testing/metrics-sample.ts'

const subject = (sample: () => MetricsSample) =>
  new AgentMetrics({ sample: async () => sample(), families: ['IPv4', 'IPv6'], maxServiceSeries: 1 })

test('a scrape looks at the services once, and each one anew', async () => {
  let looks = 0
  using metrics = subject(() => aSample({ services: ++looks }))
  assert.match(await metrics.text(), /^kpng_services 1$/m)
  assert.match(await metrics.text(), /^kpng_services 2$/m)
  assert.equal(looks, 2)
})

test('totals are of all Services, also of those without series of their own', async () => {
  const port = { port: '', protocol: 'TCP', datagrams: 0, refused: 1, unreachable: 0 } as const
  const traffic = [
    { ...port, namespace: 'shop', service: 'web', connections: 3 },
    { ...port, namespace: 'shop', service: 'db', connections: 4 },
  ]
  using metrics = subject(() => aSample({ traffic }))
  const text = await metrics.text()
  assert.match(text, /^kpng_traffic_total\{what="connections"\} 7$/m)
  assert.match(text, /^kpng_traffic_total\{what="refused"\} 2$/m)
  assert.match(text, /^kpng_service_connections_total\{.*service="db".*\} 4$/m)
  assert.match(text, /^kpng_services_without_series 1$/m)
})

test('bounds of the agent stand beside those of the datapath', async () => {
  const bounds = { health_check_listeners: { used: 3, max: 1_024 } }
  using metrics = subject(() => aSample({ bounds }))
  const text = await metrics.text()
  assert.match(text, /^kpng_used\{resource="health_check_listeners"\} 3$/m)
  assert.match(text, /^kpng_max\{resource="lists"\} 2$/m)
})

test('who asks while a scrape is under way gets the same', async () => {
  let looks = 0
  using metrics = subject(() => aSample({ services: ++looks }))
  const [one, two] = await Promise.all([metrics.text(), metrics.text()])
  assert.equal(one, two)
  assert.equal(looks, 1)
  assert.match(await metrics.text(), /^kpng_services 2$/m)
})
