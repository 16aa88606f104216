import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { type ServiceSample, ServiceSeries } from './service-series.ts'

const sample = (service: string, port: string, connections: number): ServiceSample => ({
  ...{ namespace: 'shop', service, port, protocol: 'TCP', connections },
  ...{ datagrams: 0, refused: 1, unreachable: 2 },
})

async function scraped(maxServices: number, samples: readonly ServiceSample[]) {
  const registry = new Registry()
  new ServiceSeries({ registry, maxServices }).take(samples)
  const once = await registry.metrics()
  assert.equal(await registry.metrics(), once, 'totals are read, not added up')
  return once.split('\n').filter(line => !line.startsWith('#') && line !== '')
}

const samples = [sample('web', 'http', 3), sample('db', '', 4), sample('web', 'https', 5)]

test('each service port has what was counted for it', async () => {
  assert.deepEqual(
    (await scraped(2, samples)).filter(line => /connections|without|refused/.test(line)).sort(),
    [
      'kpng_service_connections_total{namespace="shop",service="db",port="",protocol="TCP"} 4',
      'kpng_service_connections_total{namespace="shop",service="web",port="http",protocol="TCP"} 3',
      'kpng_service_connections_total{namespace="shop",service="web",port="https",protocol="TCP"} 5',
      'kpng_service_refused_total{namespace="shop",service="db",port="",protocol="TCP"} 1',
      'kpng_service_refused_total{namespace="shop",service="web",port="http",protocol="TCP"} 1',
      'kpng_service_refused_total{namespace="shop",service="web",port="https",protocol="TCP"} 1',
      'kpng_services_without_series 0',
    ],
  )
})

test('beyond the bound Services are left out whole, the last by name, and counted', async () => {
  assert.deepEqual(
    (await scraped(1, samples)).filter(line => /connections|without/.test(line)),
    [
      'kpng_service_connections_total{namespace="shop",service="db",port="",protocol="TCP"} 4',
      'kpng_services_without_series 1',
    ],
  )
  assert.deepEqual(await scraped(0, samples), ['kpng_services_without_series 2'])
})
