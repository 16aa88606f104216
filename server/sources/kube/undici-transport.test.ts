/** The same server on a real wire: HTTP/1.1 and HTTP/2, TLS, tokens, compression, cuts. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { Store } from '../../store/store.ts'
import { KubeSource } from './kube-source.ts'
import { cert, key } from './testing/certificate.ts'
import { eventLine, FakeApi } from './testing/fake-api.ts'
import { serviceJson } from './testing/objects.ts'
import { protobufEvent } from './testing/protobuf.ts'
import { FakeServer } from './testing/serve.ts'
import { Wired } from './testing/wired.ts'
import { type ApiAnswer, UndiciTransport } from './undici-transport.ts'

const web = serviceJson('web', 1)
const db = serviceJson('db', 2)

for (const version of ['1.1', '2.0']) {
  /** A server with TLS that speaks one version only. */
  const options = () => ({ tls: { cert, key }, http2: version === '2.0' })
  const access = () => ({ certificateAuthority: { text: cert } })

  for (const protobuf of [true, false])
    test(`HTTP/${version}, ${protobuf ? 'protobuf' : 'JSON'}: lists, changes, a cut in the middle of an event, a server that goes and comes back`, async () => {
      const api = new FakeApi()
      api.protobuf = protobuf
      api.put(web)
      await using wired = await Wired.start(api, access(), options())
      await wired.has('web')
      api.put(db)
      await wired.has('db web')
      assert.deepEqual([...new Set(wired.server.versions)], [version])
      const half = protobuf
        ? protobufEvent('DELETED', web).subarray(0, 60)
        : eventLine('DELETED', web).slice(0, 60)
      api.watch('Service').write(half)
      api.watch('Service').cut()
      api.delete(db)
      await wired.has('web')
      wired.server.cutAll()
      api.put(db)
      await wired.has('db web')
      assert.equal(
        api
          .modes('Service')
          .split(' ')
          .filter(it => it === 'stream').length,
        1,
        'one list',
      )
    })

  test(`HTTP/${version}: lists by pages are compressed, watches are not`, async () => {
    const api = new FakeApi()
    api.streams = false
    api.put(web)
    await using wired = await Wired.start(api, access(), options())
    await wired.has('web')
    api.put(db)
    await wired.has('db web')
    const encodings = api.requests
      .filter(it => it.kind === 'Service')
      .map(it => [it.mode, it.headers['accept-encoding']])
    assert.deepEqual(encodings, [
      ['stream', 'identity'],
      ['list', 'gzip'],
      ['watch', 'identity'],
    ])
  })
}

test('HTTP/2: all watches share one connection', async () => {
  const api = new FakeApi()
  api.put(web)
  await using wired = await Wired.start(
    api,
    { certificateAuthority: { text: cert } },
    { tls: { cert, key }, http2: true },
  )
  await wired.has('web')
  await wired.source.rescan()
  assert.equal(wired.server.connections, 1)
})

test('clear text on loopback', async () => {
  const api = new FakeApi()
  api.put(web)
  await using wired = await Wired.start(api)
  await wired.has('web')
  assert.equal(api.lastRequest('Service').headers['user-agent'], 'kpng/test')
})

test('[KP-9.19] every request ends with its status, or without one where nobody answered', async () => {
  const answers: ApiAnswer[] = []
  const server = await FakeServer.listen(new FakeApi())
  const host = `127.0.0.1:${server.port}`
  const onAnswer = (answer: ApiAnswer) => answers.push(answer)
  await using transport = new UndiciTransport(
    { server: new URL(`http://${host}`) },
    { userAgent: 'kpng/test', onAnswer },
  )
  const ask = async (path: string): Promise<void> => {
    const signal = AbortSignal.timeout(5_000)
    const { body } = await transport.connection.request({ path, query: {}, signal, gzip: false, onSend() {} })
    for await (const _piece of body);
  }
  await ask('/api/v1/services')
  await ask('/nowhere')
  await server[Symbol.asyncDispose]()
  await assert.rejects(ask('/api/v1/services'))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 404, undefined],
  )
  assert.deepEqual(answers[0], { method: 'GET', host, status: 200 })
})

test('a server whose certificate nobody vouches for is not believed, unless told to', async () => {
  const api = new FakeApi()
  api.put(web)
  {
    await using wired = await Wired.start(api, {}, { tls: { cert, key } })
    await wired.problem(/self-signed certificate/)
    assert.equal(wired.store.isComplete(), false)
  }
  assert.equal(api.requests.length, 0)
  await using wired = await Wired.start(api, { insecureSkipTlsVerify: true }, { tls: { cert, key } })
  await wired.has('web')
})

test('a key behind a passphrase is a problem that says so', async () => {
  const [first = '', ...rest] = key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE').split('\n')
  const encrypted = [first, ...rest].join('\n')
  for (const text of [
    encrypted,
    `-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n${rest.join()}`,
  ]) {
    const access = { clientCertificate: { text: cert }, clientKey: { text } }
    await using wired = await Wired.start(new FakeApi(), access, { tls: { cert, key } })
    await wired.problem(/the key in client-key-data is encrypted: keys need to be without a passphrase/)
    assert.equal(wired.server.connections, 0)
  }
})

test('requests come no faster than a rate allows; the pages of a list count as one', async () => {
  const api = new FakeApi()
  api.streams = false
  api.put(...Array.from({ length: 20 }, (_, i) => serviceJson(`s${i}`, i + 1)))
  await using server = await FakeServer.listen(api)
  // Four streams that are refused and four lists; the next one in more than a day.
  const rate = { qps: 1e-5, burst: 8 }
  const transport = new UndiciTransport(
    { server: new URL(`http://127.0.0.1:${server.port}`) },
    { userAgent: 'kpng/test', rate },
  )
  const store = new Store()
  await using source = new KubeSource(store, transport, { nodeName: 'n1', limits: { pageSize: 2 } })
  await source.start()
  for (let i = 0; i < 2000 && !store.isComplete(); i++) await sleep(10)
  assert.equal([...store.services()].length, 20)
  await sleep(100)
  assert.doesNotMatch(api.modes('Service'), /watch/, 'it has to wait')
  api.put(serviceJson('more', 21))
  for (let i = 0; i < 3; i++) await source.rescan()
  assert.equal([...store.services()].length, 21, 'what somebody waits for is not held back')
  await source.client.create('/apis/events.k8s.io/v1/namespaces/a/events', { metadata: {} })
})

test('a client certificate is shown; tls-server-name is what the server is called', async () => {
  const api = new FakeApi()
  api.put(web)
  const names: unknown[] = []
  await using wired = await Wired.start(
    api,
    {
      certificateAuthority: { text: cert },
      tlsServerName: 'kubernetes',
      clientCertificate: { text: cert },
      clientKey: { text: key },
    },
    {
      tls: { cert, key, requestCert: true, ca: cert, rejectUnauthorized: true },
      authorized: (_, socket) => {
        names.push((socket as TLSSocket).servername)
        return true
      },
    },
  )
  await wired.has('web')
  assert.equal(names[0], 'kubernetes')
})

test('a token that rotates in its file: the old one is refused, the new one is read at once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kpng-token-'))
  try {
    const file = join(dir, 'token')
    writeFileSync(file, 'first\n')
    let valid = 'first'
    const api = new FakeApi()
    api.put(web)
    await using wired = await Wired.start(
      api,
      { token: { file } },
      { authorized: headers => headers.authorization === `Bearer ${valid}` },
    )
    await wired.has('web')
    valid = 'second'
    api.cutAll()
    await wired.problem(/401 Unauthorized/)
    api.put(db)
    writeFileSync(file, 'second\n')
    await wired.has('db web')
    await wired.source.rescan()
    assert.deepEqual(wired.source.problems(), [])
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('credentials that cannot be read are a problem until they can', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kpng-token-'))
  try {
    const file = join(dir, 'token')
    const api = new FakeApi()
    api.put(web)
    await using wired = await Wired.start(api, { token: { file } })
    await wired.problem(/cannot read .*token/)
    writeFileSync(file, 'now')
    await wired.has('web')
  } finally {
    rmSync(dir, { recursive: true })
  }
})
