/** Health as it follows what kubectl says to a real API server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { endpointSlice, node, service } from '../manifests.ts'
import { curl, type HttpAnswer } from '../neighbour.ts'
import { ApiHost } from './api-host.ts'

const nodeAddress = '192.168.78.1'

/** Until the answer is so, 20 seconds at most. */
async function until(ask: () => Promise<HttpAnswer>, wanted: (answer: HttpAnswer) => boolean) {
  for (const deadline = performance.now() + 20_000; ; await sleep(50)) {
    const answer = await ask()
    if (wanted(answer)) return answer
    assert.ok(performance.now() < deadline, JSON.stringify(answer))
  }
}

test('[KP-8.1.1 KP-8.1.6 KP-8.2.1 KP-8.2.3] a taint takes a node out, a Service’s own health port comes and goes with it', async () => {
  await using api = await ApiHost.up()
  const { plane, host } = api
  const kubectl = (...args: string[]) => plane.kubectl(args)
  host.addAddresses([`${nodeAddress}/32`])
  const objects = [
    node('node-a', [nodeAddress]),
    service({
      ...{ name: 'web', type: 'LoadBalancer', ports: [{ port: 80 }] },
      spec: { externalTrafficPolicy: 'Local' },
    }),
    endpointSlice({ service: 'web', ports: [{ port: 8080 }], endpoints: ['10.1.0.1'], nodeName: 'node-a' }),
  ]
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await plane.kubectl(['apply', '-f', '-'], { input })
  await api.startAgent(undefined, ['--healthz-bind-address=127.0.0.1:10256'])
  await api.agent.sync()
  const health = (path: string) => curl(host, `http://127.0.0.1:10256${path}`)
  const port = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.healthCheckNodePort}')
  const ofService = () => curl(host, `http://${nodeAddress}:${port}/`)
  assert.equal((await health('/healthz')).status, 200)
  const { headers } = await until(ofService, ({ status }) => status === 200)
  assert.equal(headers['x-load-balancing-endpoint-weight'], '1')

  await kubectl('taint', 'node', 'node-a', 'ToBeDeletedByClusterAutoscaler=123:NoSchedule')
  await until(
    () => health('/healthz'),
    ({ status }) => status === 503,
  )
  assert.equal((await health('/livez')).status, 200)
  assert.equal((await ofService()).status, 200)
  await kubectl('taint', 'node', 'node-a', 'ToBeDeletedByClusterAutoscaler-')
  await until(
    () => health('/healthz'),
    ({ status }) => status === 200,
  )

  await kubectl('delete', 'service', 'web')
  // Who is connected when the listener goes is cut off; only the next one finds nobody.
  const cutOff = (reason: Error): HttpAnswer => ({ status: Number.NaN, headers: {}, body: reason.message })
  await until(
    () => ofService().catch(cutOff),
    ({ status }) => status === 0,
  )
})
