import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { metricsAnswer } from './metrics-server.ts'

const pages = {
  metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
  proxyMode: 'ebpf',
  configuration: { kind: 'KubeProxyConfiguration', mode: '' },
}

async function answer(url: string, method = 'GET') {
  const request = new IncomingMessage(new Socket())
  Object.assign(request, { url, method })
  return await metricsAnswer(request, pages)
}

for (const [url, contentType, body] of [
  ['/metrics', 'text/plain; version=0.0.4', 'up 1\n'],
  ['/metrics?name[]=up', 'text/plain; version=0.0.4', 'up 1\n'],
  ['/healthz', 'text/plain; charset=utf-8', 'ok'],
  ['/healthz/ping', 'text/plain; charset=utf-8', 'ok'],
  ['/proxyMode', 'text/plain; charset=utf-8', 'ebpf'],
  ['/configz', 'application/json', '{"kubeproxy.config.k8s.io":{"kind":"KubeProxyConfiguration","mode":""}}'],
] as const)
  test(`[KP-8.3.1] ${url}`, async () => {
    const { status, headers, body: got } = await answer(url)
    assert.deepEqual([status, headers['Content-Type'], got], [200, contentType, body])
    assert.equal((await answer(url, 'POST')).status, 200)
  })

for (const url of ['/', '/metric', '/debug/pprof/', '/livez', '/v1/status'])
  test(`[KP-8.3.1] ${url} is not found`, async () => {
    const { status, body } = await answer(url)
    assert.deepEqual([status, body], [404, '404 page not found\n'])
  })
