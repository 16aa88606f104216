import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { EndpointServer, type ListenRequest } from './endpoint-server.ts'

const request: ListenRequest = { netns: 'none', address: '10.180.0.1', port: 80, protocol: 'TCP' }

test('two that ask for the same at once do not open it twice; what failed is tried again', async () => {
  let isOpening = false
  let calls = 0
  const server = new EndpointServer(async requests => {
    assert.equal(isOpening, false)
    isOpening = true
    calls++
    await sleep(5)
    isOpening = false
    return requests.map(() => ({ error: 'EADDRNOTAVAIL' }))
  })
  const answers = await Promise.all([server.listen([request]), server.listen([request])])
  assert.deepEqual(answers, [
    [{ ...request, error: 'EADDRNOTAVAIL' }],
    [{ ...request, error: 'EADDRNOTAVAIL' }],
  ])
  assert.equal(calls, 2)
  assert.equal(server.size, 0)
})
