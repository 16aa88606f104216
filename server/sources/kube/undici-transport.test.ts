/** The same server on a real wire: HTTP/1.1 and HTTP/2, TLS, tokens, compression, cuts. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { Store } from '../../store/store.ts'
import type { ClusterAccess } from './cluster-access.ts'
import { KubeSource } from './kube-source.ts'
import { cert, key } from './testing/certificate.ts'
import { FakeApi } from './testing/fake-api.ts'
import { serviceJson } from './testing/objects.ts'
import { FakeServer, type ServeOptions } from './testing/serve.ts'
import { UndiciTransport } from './undici-transport.ts'

const web = serviceJson('web', 1)
const db = serviceJson('db', 2)

/** A source on a server on the wire, with short waits. */
class Wired implements AsyncDisposable {
  readonly store = new Store()
  readonly server: FakeServer
  readonly source: KubeSource

  private constructor(server: FakeServer, access: Omit<ClusterAccess, 'server'>, scheme: string) {
    this.server = server
    const transport = new UndiciTransport(
      { server: new URL(`${scheme}://127.0.0.1:${server.port}`), ...access },
      { userAgent: 'kpng/test' },
    )
    const limits = { firstBackoffMs: 10, maxBackoffMs: 50 }
    this.source = new KubeSource(this.store, transport, { nodeName: 'n1', limits })
  }

  static async start(
    api: FakeApi,
    access: Omit<ClusterAccess, 'server'> = {},
    options: ServeOptions = {},
  ): Promise<Wired> {
    const server = await FakeServer.listen(api, options)
    const wired = new Wired(server, access, options.tls === undefined ? 'http' : 'https')
    await wired.source.start()
    return wired
  }

  /** Waits for the Services in the store to be these, five seconds at most. */
  async has(expected: string): Promise<void> {
    const names = (): string =>
      [...this.store.services()]
        .map(it => it.name)
        .sort()
        .join(' ')
    for (let i = 0; i < 500 && names() !== expected; i++) await sleep(10)
    assert.equal(names(), expected, JSON.stringify(this.source.problems()))
  }

  /** Waits for a problem, five seconds at most. */
  async problem(pattern: RegExp): Promise<void> {
    const messages = (): string =>
      this.source
        .problems()
        .map(it => it.message)
        .join('\n')
    for (let i = 0; i < 500 && !pattern.test(messages()); i++) await sleep(10)
    assert.match(messages(), pattern)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]()
    await this.server[Symbol.asyncDispose]()
  }
}

for (const version of ['1.1', '2.0']) {
  /** A server with TLS that speaks one version only. */
  const options = () => ({ tls: { cert, key }, http2: version === '2.0' })
  const access = () => ({ certificateAuthority: { text: cert } })

  test(`HTTP/${version}: lists, changes, a cut in the middle of a line, a server that goes and comes back`, async () => {
    const api = new FakeApi()
    api.put(web)
    await using wired = await Wired.start(api, access(), options())
    await wired.has('web')
    api.put(db)
    await wired.has('db web')
    assert.deepEqual([...new Set(wired.server.versions)], [version])
    api.watch('Service').write('{"type":"DELETED","object":{"metadata":{"name":"web"')
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
