import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Store } from '../../store/store.ts'
import { ApiClient } from './api-client.ts'
import { ApiFailure, type ApiFailureCode } from './api-failure.ts'
import { KubeSource } from './kube-source.ts'
import { cert, key } from './testing/certificate.ts'
import { answer, FakeApi, status } from './testing/fake-api.ts'
import { MemoryTransport } from './testing/memory-transport.ts'
import { FakeServer } from './testing/serve.ts'
import { Subject } from './testing/subject.ts'
import { UndiciTransport } from './undici-transport.ts'

const path = '/apis/events.k8s.io/v1/namespaces/shop/events'
const event = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: 'web.1', namespace: 'shop' },
}

const failsWith =
  (code: ApiFailureCode, message: RegExp, httpStatus = 0) =>
  (error: unknown) => {
    assert.ok(error instanceof ApiFailure)
    assert.equal(error.code, code)
    assert.equal(error.status, httpStatus)
    assert.match(error.message, message)
    return true
  }

for (const http2 of [false, true]) {
  test(`objects are created and patched over HTTP/${http2 ? 2 : 1.1}, with the credentials of the source`, async () => {
    const api = new FakeApi()
    const seen: Array<string | undefined> = []
    await using server = await FakeServer.listen(api, {
      ...{ tls: { cert, key }, http2 },
      authorized: headers => seen.push(headers.authorization) > 0,
    })
    await using transport = new UndiciTransport(
      {
        server: new URL(`https://127.0.0.1:${server.port}`),
        certificateAuthority: { text: cert },
        token: { text: 'secret' },
      },
      { userAgent: 'kpng/test' },
    )
    const client = new ApiClient(transport)
    const created = await client.create(path, event)
    assert.deepEqual(created, { ...event, metadata: { ...event.metadata, resourceVersion: '101' } })
    await client.patch(`${path}/web.1`, { metadata: {}, series: { count: 2 } }, 'strategic-merge')
    assert.deepEqual(api.writes, [
      { path, method: 'POST', contentType: 'application/json', body: JSON.stringify(event) },
      {
        ...{ path: `${path}/web.1`, method: 'PATCH' },
        contentType: 'application/strategic-merge-patch+json',
        body: '{"metadata":{},"series":{"count":2}}',
      },
    ])
    assert.deepEqual(seen, ['Bearer secret', 'Bearer secret'])
  })
}

test('an answer that is no yes is told by its status, what it says, and how long to wait', async () => {
  await using s = new Subject()
  s.api.writeFault(
    status(409, 'events "web.1" already exists'),
    status(404, 'namespaces "shop" not found'),
    status(429, 'too many requests', { 'retry-after': '3' }),
    answer(201, 'no JSON'),
    'refuse',
  )
  const { client } = s.source
  await assert.rejects(client.create(path, event), failsWith('conflict', /^409 .*already exists$/, 409))
  await assert.rejects(client.create(path, event), failsWith('absent', /not found/, 404))
  await assert.rejects(client.create(path, event), (error: unknown) => {
    return error instanceof ApiFailure && error.code === 'unavailable' && error.retryAfterMs === 3000
  })
  await assert.rejects(client.create(path, event), failsWith('broken', /no JSON/))
  await assert.rejects(client.create(path, event), failsWith('unreachable', /ECONNREFUSED/))
  assert.equal(s.api.writes.length, 5, 'nothing is tried twice')
})

test('a server that says nothing is given up after ten seconds', async () => {
  await using s = new Subject()
  s.api.writeFault('hang')
  const created = assert.rejects(
    s.source.client.create(path, event),
    failsWith('silent', /nothing was heard/),
  )
  await s.settle()
  await s.after(10_000)
  await created
  assert.equal(s.clock.pending, 0)
})

test('waiting for a turn is nobody’s silence: the ten seconds begin when the request goes out', async () => {
  await using s = new Subject()
  s.api.writeFault('hang')
  const turn = Promise.withResolvers<void>()
  s.transport.turn = turn.promise
  let code = ''
  const created = s.source.client.create(path, event).catch((reason: unknown) => {
    code = reason instanceof ApiFailure ? reason.code : String(reason)
  })
  await s.after(60_000)
  assert.equal(code, '')
  turn.resolve()
  await s.settle()
  await s.after(9_999)
  assert.equal(code, '')
  await s.after(1)
  await created
  assert.equal(code, 'silent')
})

test('what waits for its turn is given up when the source is closed', async () => {
  const api = new FakeApi()
  await using server = await FakeServer.listen(api)
  const transport = new UndiciTransport(
    { server: new URL(`http://127.0.0.1:${server.port}`) },
    { userAgent: 'kpng/test', rate: { qps: 1e-5, burst: 1 } },
  )
  const source = new KubeSource(new Store(), transport, { nodeName: 'n1' })
  await source.client.create(path, event)
  const waits = assert.rejects(source.client.create(path, event), failsWith('unreachable', /is closed/))
  await source[Symbol.asyncDispose]()
  await waits
  assert.equal(api.writes.length, 1)
})

test('requests and objects beyond a bound are refused, and nothing is sent', async () => {
  const api = new FakeApi()
  const client = new ApiClient(new MemoryTransport(api), { maxRequests: 2, maxBytes: 200 })
  const both = [client.create(path, event), client.create(path, event)]
  await assert.rejects(client.create(path, event), failsWith('unavailable', /2 requests are under way/))
  await Promise.all(both)
  await assert.rejects(client.create(path, { text: 'x'.repeat(200) }), failsWith('unsupported', /200 bytes/))
  assert.equal(api.writes.length, 2)
  await client.create(path, event)
})

test('a source that is closed writes nothing more', async () => {
  const api = new FakeApi()
  await using server = await FakeServer.listen(api)
  const transport = new UndiciTransport(
    { server: new URL(`http://127.0.0.1:${server.port}`) },
    { userAgent: 'kpng/test' },
  )
  await transport[Symbol.asyncDispose]()
  await assert.rejects(new ApiClient(transport).create(path, event), failsWith('unreachable', /is closed/))
  assert.equal(server.connections, 0)
})
