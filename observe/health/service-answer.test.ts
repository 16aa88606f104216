import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceHealthAnswer } from './service-answer.ts'

for (const [localEndpoints, proxyHealthy, status] of [
  [2, true, 200],
  [0, true, 503],
  [2, false, 503],
  [0, false, 503],
] as const)
  test(`[KP-8.2.1 KP-8.2.2 KP-14.9] ${localEndpoints} local endpoints, the proxy ${proxyHealthy ? 'well' : 'late'}: ${status}, with count and weight`, () => {
    const answer = serviceHealthAnswer({ namespace: 'ns1', name: 'svc1', localEndpoints, proxyHealthy })
    assert.deepEqual(answer, {
      status,
      headers: {
        'Content-Type': 'application/json',
        'X-Content-Type-Options': 'nosniff',
        'X-Load-Balancing-Endpoint-Weight': `${localEndpoints}`,
      },
      body: `{\n\t"service": {\n\t\t"namespace": "ns1",\n\t\t"name": "svc1"\n\t},\n\t"localEndpoints": ${localEndpoints},\n\t"serviceProxyHealthy": ${proxyHealthy}\n}`,
    })
  })
