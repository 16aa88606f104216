/** Ways to an API server, on the wire: logins that expire and are refused, proxies, impersonation. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import type { LoginSource } from './login.ts'
import { expiryOf, refreshIdToken } from './oidc-refresh.ts'
import { cert, key } from './testing/certificate.ts'
import { FakeApi } from './testing/fake-api.ts'
import { ForwardProxy } from './testing/forward-proxy.ts'
import { serviceJson } from './testing/objects.ts'
import { OidcIssuer } from './testing/oidc-issuer.ts'
import { FakeServer } from './testing/serve.ts'
import { Wired } from './testing/wired.ts'
import { UndiciTransport } from './undici-transport.ts'

const web = serviceJson('web', 1)
const db = serviceJson('db', 2)

/** A server that has web. */
function webApi(): FakeApi {
  const api = new FakeApi()
  api.put(web)
  return api
}

/** An exec plugin that prints what its file says; gone at the end. */
class PluginFile implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'kpng-plugin-'))
  readonly #runs = join(this.#directory, 'runs')

  says(status: object): void {
    const answer = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }
    writeFileSync(join(this.#directory, 'answer'), JSON.stringify(answer))
  }

  get login(): LoginSource {
    const command = join(this.#directory, 'plugin')
    writeFileSync(command, `#!/bin/sh\necho >>${this.#runs}\ncat ${this.#directory}/answer\n`)
    chmodSync(command, 0o700)
    const apiVersion = 'client.authentication.k8s.io/v1'
    const plugin = { apiVersion, command, args: [], env: [], installHint: '', provideClusterInfo: false }
    return { kind: 'exec', user: 'jane', plugin }
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true })
  }
}

test('an exec plugin’s token that the server refuses is fetched anew', async () => {
  using file = new PluginFile()
  file.says({ token: 'first' })
  let valid = 'first'
  const api = webApi()
  const authorized = (headers: Readonly<Record<string, string | undefined>>): boolean =>
    headers.authorization === `Bearer ${valid}`
  await using wired = await Wired.start(api, { login: file.login }, { authorized })
  await wired.has('web')
  valid = 'second'
  api.cutAll()
  await wired.problem(/401 Unauthorized/)
  file.says({ token: 'second' })
  api.put(db)
  await wired.has('db web')
})

test('an exec plugin that fails holds nothing up for ever: it is asked again', async () => {
  using file = new PluginFile()
  const { login } = file
  await using wired = await Wired.start(webApi(), { login })
  await wired.problem(/^user "jane": no credentials from .*plugin: cat: /)
  file.says({ token: 't' })
  await wired.has('web')
})

test('an exec plugin that hangs does not keep its user from going', async () => {
  const plugin = { apiVersion: '', command: 'sleep', args: ['1000'], env: [], installHint: '' }
  const login: LoginSource = { kind: 'exec', user: 'u', plugin: { ...plugin, provideClusterInfo: false } }
  const wired = await Wired.start(webApi(), { login })
  await sleep(300)
  const startMs = performance.now()
  await wired[Symbol.asyncDispose]()
  assert.ok(performance.now() - startMs < 10_000)
})

for (const http2 of [false, true]) {
  test(`an exec plugin’s client certificate is shown, over HTTP/${http2 ? 2 : 1.1}, and another one after it has expired`, async () => {
    using file = new PluginFile()
    const pair = { clientCertificateData: cert, clientKeyData: key }
    file.says({ ...pair, expirationTimestamp: new Date(Date.now() + 1000).toISOString() })
    const api = webApi()
    let shown = 0
    await using wired = await Wired.start(
      api,
      { login: file.login, certificateAuthority: { text: cert } },
      {
        ...{ tls: { cert, key, requestCert: true, ca: cert, rejectUnauthorized: true }, http2 },
        authorized: (_, socket) => {
          if ((socket as TLSSocket).getPeerCertificate().subject !== undefined) shown++
          return true
        },
      },
    )
    await wired.has('web')
    assert.ok(shown > 0)
    const { connections } = wired.server
    file.says({ ...pair, clientCertificateData: `${cert}\n` })
    await sleep(1100)
    api.put(db)
    await wired.source.rescan()
    await wired.has('db web')
    assert.ok(wired.server.connections > connections, 'another certificate is another connection')
  })
}

test('OIDC: a token that has not expired is used as it is, one that has is refreshed, once', async () => {
  await using issuer = await OidcIssuer.listen()
  const config = {
    'client-id': 'kpng',
    'refresh-token': 'refresh-0',
    'idp-issuer-url': issuer.url,
    'idp-certificate-authority-data': Buffer.from(cert).toString('base64'),
  }
  const tokens = new Set<string>()
  const authorized = (headers: Readonly<Record<string, string | undefined>>): boolean => {
    tokens.add(headers.authorization ?? '')
    return true
  }
  const login = (idToken: string): LoginSource => ({
    kind: 'oidc',
    user: 'jane',
    config: { ...config, 'id-token': idToken },
  })
  const good = issuer.idToken(0, 3600)
  {
    await using wired = await Wired.start(webApi(), { login: login(good) }, { authorized })
    await wired.has('web')
    await wired.source.rescan()
    assert.deepEqual([[...tokens], issuer.refreshed], [[`Bearer ${good}`], []])
  }
  tokens.clear()
  await using wired = await Wired.start(webApi(), { login: login(issuer.idToken(0, -60)) }, { authorized })
  await wired.has('web')
  await wired.source.rescan()
  assert.equal(issuer.refreshed.length, 1)
  assert.equal(issuer.refreshed[0], 'grant_type=refresh_token&refresh_token=refresh-0&client_id=kpng')
  assert.equal(tokens.size, 1)
  const [, claims = ''] = [...tokens][0]?.split('.') ?? []
  assert.equal(JSON.parse(Buffer.from(claims, 'base64url').toString()).serial, 1)
})

test('OIDC: a token that is about to expire is refreshed, and so is one that the server refuses', async () => {
  await using issuer = await OidcIssuer.listen()
  const config = {
    'client-id': 'kpng',
    'refresh-token': 'refresh-0',
    'idp-issuer-url': issuer.url,
    'idp-certificate-authority-data': Buffer.from(cert).toString('base64'),
  }
  const ask = { path: '/', query: {}, gzip: false, onSend() {} }
  for (const [expiresInS, refuses, serials] of [
    [5, false, [0, 1, 1]],
    [3600, false, [0, 0, 0]],
    [3600, true, [0, 1, 2]],
  ] as const) {
    issuer.refreshed.length = 0
    const login: LoginSource = {
      kind: 'oidc',
      user: 'jane',
      config: { ...config, 'id-token': issuer.idToken(0, expiresInS) },
    }
    const seen: number[] = []
    const server = await FakeServer.listen(webApi(), {
      authorized: ({ authorization = '' }) => {
        const claims = Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()
        seen.push((JSON.parse(claims) as { serial: number }).serial)
        return !refuses
      },
    })
    await using _server = server
    const url = new URL(`http://127.0.0.1:${server.port}`)
    await using transport = new UndiciTransport({ server: url, login }, { userAgent: 'kpng/test' })
    for (let i = 0; i < 3; i++) {
      const { connection } = transport
      const { status } = await connection.request({ ...ask, signal: AbortSignal.timeout(10_000) })
      if (status === 401) connection.retire('unauthorized')
    }
    assert.deepEqual(seen, serials, `${expiresInS} s, ${refuses}`)
  }
})

test('OIDC: a client’s secret goes where the issuer wants it; what the issuer says is told', async () => {
  await using issuer = await OidcIssuer.listen()
  const config = {
    ...{ 'client-id': 'kpng', 'client-secret': 'pass word', 'idp-issuer-url': issuer.url },
    'idp-certificate-authority-data': Buffer.from(cert).toString('base64'),
  }
  const basic = Buffer.from('kpng:pass%20word').toString('base64')
  await refreshIdToken(config, 'r')
  issuer.methods = ['client_secret_post']
  const { id_token, refresh_token, expires_at } = await refreshIdToken(config, 'r')
  assert.deepEqual(issuer.refreshed, [
    `grant_type=refresh_token&refresh_token=r Basic ${basic}`,
    'grant_type=refresh_token&refresh_token=r&client_id=kpng&client_secret=pass+word',
  ])
  assert.equal(refresh_token, 'refresh-2')
  assert.equal(expires_at, expiryOf(id_token))
  assert.ok(Math.abs(expires_at - Date.now() / 1000 - 3600) < 60)
  issuer.error = 'invalid_grant'
  await assert.rejects(refreshIdToken(config, 'r'), /^Error: \/token: 400 invalid_grant$/)
  await assert.rejects(refreshIdToken({ ...config, 'idp-issuer-url': 'http://x' }, 'r'), /no https URL/)
})

test('OIDC: an expired token and nobody to ask is told with the user', async () => {
  await using issuer = await OidcIssuer.listen()
  const config = { 'id-token': issuer.idToken(0, -60) }
  await using alone = await Wired.start(webApi(), { login: { kind: 'oidc', user: 'jane', config } })
  await alone.problem(/^user "jane": no token from OIDC: the id-token has expired, and there is nothing/)
  const more = { 'client-id': 'kpng', 'refresh-token': 'r', 'idp-issuer-url': 'https://127.0.0.1:9' }
  const login: LoginSource = { kind: 'oidc', user: 'jane', config: { ...config, ...more } }
  await using down = await Wired.start(webApi(), { login })
  await down.problem(/^user "jane": no token from https:\/\/127.0.0.1:9: /)
})

test('who has a token loads nothing of what exec plugins and OIDC need', async () => {
  const login = { kind: 'exec', user: 'u', plugin: { command: '/nonexistent', env: [] } }
  for (const [access, expected] of [
    [{ token: { text: 't' } }, ''],
    [{ login }, 'exec_auth.js'],
    [{ login: { kind: 'oidc', user: 'u', config: { 'id-token': 'x' } } }, 'oidc_auth.js'],
  ] as const) {
    const script = `
import { registerHooks } from 'node:module'
const loaded = new Set()
registerHooks({ load(url, context, next) { loaded.add(url); return next(url, context) } })
const { UndiciTransport } = await import(${JSON.stringify(import.meta.resolve('./undici-transport.ts'))})
const transport = new UndiciTransport({ server: new URL('http://127.0.0.1:9'), ...${JSON.stringify(access)} }, { userAgent: 'x' })
await transport.connection.request({ path: '/', query: {}, signal: AbortSignal.timeout(5000), gzip: false }).catch(() => {})
await transport[Symbol.asyncDispose]()
const found = [...loaded].filter(it => it.includes('@kubernetes/client-node'))
process.stdout.write(found[0]?.split('/').at(-1) ?? '')`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
    assert.equal(stdout, expected)
  }
})

for (const http2 of [false, true]) {
  test(`through a proxy, over HTTP/${http2 ? 2 : 1.1}: the server’s certificate is what counts`, async () => {
    await using proxy = await ForwardProxy.listen()
    const url = new URL(`http://user:pass@${proxy.url.host}`)
    const access = { certificateAuthority: { text: cert }, proxy: url, tlsServerName: 'kubernetes' }
    const api = webApi()
    await using wired = await Wired.start(api, access, { tls: { cert, key }, http2 })
    await wired.has('web')
    api.put(db)
    await wired.has('db web')
    const basic = Buffer.from('user:pass').toString('base64')
    assert.deepEqual([...new Set(proxy.asked)], [`127.0.0.1:${wired.server.port} Basic ${basic}`])
    assert.deepEqual([...new Set(wired.server.versions)], [http2 ? '2.0' : '1.1'])
    assert.deepEqual([...wired.transport.addresses], [], 'who is behind a proxy is the proxy’s to know')
  })
}

test('a proxy that refuses, and one that is not there, are problems until they are not', async () => {
  await using proxy = await ForwardProxy.listen()
  proxy.refuseWith = 403
  const access = { certificateAuthority: { text: cert }, proxy: proxy.url }
  await using wired = await Wired.start(webApi(), access, { tls: { cert, key } })
  await wired.problem(/Proxy response \(403\)/)
  proxy.refuseWith = undefined
  await wired.has('web')
  const nobody = { ...access, proxy: new URL('http://127.0.0.1:9') }
  await using other = await Wired.start(webApi(), nobody, { tls: { cert, key } })
  await other.problem(/ECONNREFUSED/)
})

test('impersonation is asked for with every request', async () => {
  const api = webApi()
  const impersonation = {
    user: 'jane',
    uid: '7',
    groups: ['dev', 'ops'],
    extra: { 'example.com/scopes': ['a', 'b'] },
  }
  await using wired = await Wired.start(api, { impersonation })
  await wired.has('web')
  const { headers } = api.lastRequest('Service')
  const found = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('impersonate')))
  assert.deepEqual(found, {
    'impersonate-user': 'jane',
    'impersonate-uid': '7',
    'impersonate-group': 'dev, ops',
    'impersonate-extra-example.com%2fscopes': 'a, b',
  })
})

test('a name stands for the addresses that it was looked up to, an address for itself', async () => {
  const api = webApi()
  await using wired = await Wired.start(api)
  await wired.has('web')
  assert.deepEqual([...wired.transport.addresses], ['127.0.0.1'])
  await using named = await Wired.start(api, {}, {}, 'localhost')
  assert.deepEqual([...named.transport.addresses], [])
  await named.has('web')
  assert.ok(named.transport.addresses.has('127.0.0.1'))
})
