import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { KpngError } from '@kpng/api'
import { type ClusterAccessOptions, clusterAccess } from './kubeconfig.ts'

/** A directory with kubeconfigs in it; gone at the end. */
function directory(files: Readonly<Record<string, unknown>>) {
  const path = mkdtempSync(join(tmpdir(), 'kpng-kubeconfig-'))
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

const config = (cluster: object, user: object = {}) => ({
  'current-context': 'here',
  contexts: [
    { name: 'other', context: { cluster: 'nowhere', user: 'nobody' } },
    { name: 'here', context: { cluster: 'c', user: 'u' } },
  ],
  clusters: [{ name: 'c', cluster: { server: 'https://10.1.2.3:6443', ...cluster } }],
  users: [{ name: 'u', user }],
})

/** What comes of one kubeconfig; the URL as text. */
function access(content: unknown, options: ClusterAccessOptions = {}) {
  using dir = directory({ config: content })
  const found = clusterAccess({ env: {}, kubeconfig: join(dir.path, 'config'), ...options })
  const text = JSON.stringify(found).replaceAll(dir.path, 'DIR')
  return JSON.parse(text) as Record<string, unknown>
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('kubeconfig: YAML as kubeadm writes it, a client certificate as data', () => {
  const yaml = `apiVersion: v1
kind: Config
preferences: {}
current-context: admin@kubernetes
clusters:
- cluster:
    certificate-authority-data: ${base64('CA')}
    server: https://[fd00::1]:6443
  name: kubernetes
contexts:
- context: {cluster: kubernetes, user: admin}
  name: admin@kubernetes
users:
- name: admin
  user:
    client-certificate-data: ${base64('CERT')}
    client-key-data: ${base64('KEY')}
`
  assert.deepEqual(access(yaml), {
    server: 'https://[fd00::1]:6443/',
    certificateAuthority: { text: 'CA' },
    clientCertificate: { text: 'CERT' },
    clientKey: { text: 'KEY' },
  })
})

test('kubeconfig: paths are relative to the file; tokenFile counts before token; data before files', () => {
  const cluster = { 'certificate-authority': 'ca.pem', 'tls-server-name': 'kubernetes' }
  const user = { tokenFile: 'sub/token', token: 'old', 'client-certificate': '/c.pem', 'client-key': 'k.pem' }
  assert.deepEqual(access(config(cluster, user)), {
    server: 'https://10.1.2.3:6443/',
    certificateAuthority: { file: 'DIR/ca.pem' },
    tlsServerName: 'kubernetes',
    clientCertificate: { file: '/c.pem' },
    clientKey: { file: 'DIR/k.pem' },
    token: { file: 'DIR/sub/token' },
  })
  assert.deepEqual(
    access(config({ 'certificate-authority': 'x', 'certificate-authority-data': base64('CA') }))
      .certificateAuthority,
    { text: 'CA' },
  )
})

test('kubeconfig: --server replaces the URL and nothing else', () => {
  const found = access(config({ 'insecure-skip-tls-verify': true }, { token: 't' }), {
    server: 'https://localhost:1234/prefix',
  })
  assert.deepEqual(found, {
    server: 'https://localhost:1234/prefix',
    insecureSkipTlsVerify: true,
    token: { text: 't' },
  })
})

test('kubeconfig: KUBECONFIG may name several files that count as one; missing ones are passed over', () => {
  const { 'current-context': current, contexts, ...rest } = config({}, { token: 'first' })
  using dir = directory({
    one: { 'current-context': current, contexts },
    two: rest,
    three: config({ server: 'https://never' }, { token: 'never' }),
  })
  const env = { KUBECONFIG: ['one', 'missing', 'two', 'three'].map(it => join(dir.path, it)).join(':') }
  const found = clusterAccess({ env })
  assert.equal(found.server.href, 'https://10.1.2.3:6443/')
  assert.deepEqual(found.token, { text: 'first' })
})

test('[KP-10.2.2] kubeconfig: a pod finds its service account', () => {
  const found = clusterAccess({
    env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' },
    serviceAccountDir: '/sa',
  })
  assert.equal(found.server.href, 'https://[fd00::1]/')
  assert.deepEqual(found.token, { file: '/sa/token' })
  assert.deepEqual(found.certificateAuthority, { file: '/sa/ca.crt' })
})

test('kubeconfig: --server alone is a server without credentials', () => {
  const found = clusterAccess({ env: {}, server: 'http://10.9.9.9:8080' })
  assert.deepEqual({ ...found, server: found.server.href }, { server: 'http://10.9.9.9:8080/' })
})

const api = 'client.authentication.k8s.io'
const exec = { apiVersion: `${api}/v1`, command: 'aws', interactiveMode: 'Never' }

test('kubeconfig: an exec plugin; a command with a slash is relative to the file', () => {
  const more = { args: ['get-token'], env: [{ name: 'A', value: 'b' }], installHint: 'get it' }
  const user = { exec: { ...exec, ...more, command: './aws', provideClusterInfo: true } }
  const extension = { name: `${api}/exec`, extension: { audience: 'x' } }
  const found = access(config({ extensions: [{ name: 'other', extension: 1 }, extension] }, user))
  assert.deepEqual(found, {
    server: 'https://10.1.2.3:6443/',
    login: {
      kind: 'exec',
      user: 'u',
      plugin: { apiVersion: `${api}/v1`, command: 'DIR/aws', ...more, provideClusterInfo: true },
    },
    execConfig: { audience: 'x' },
  })
  const bare = access(config({}, { exec })).login as { plugin: { command: string } }
  assert.equal(bare.plugin.command, 'aws')
})

test('kubeconfig: OIDC; who has a token is not asked to log in', () => {
  const provider = { 'auth-provider': { name: 'oidc', config: { 'id-token': 't' } } }
  assert.deepEqual(access(config({}, provider)).login, {
    kind: 'oidc',
    user: 'u',
    config: { 'id-token': 't' },
  })
  const both = access(config({}, { ...provider, token: 'mine' }))
  assert.deepEqual([both.login, both.token], [undefined, { text: 'mine' }])
})

test('kubeconfig: impersonation', () => {
  const user = { as: 'jane', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { scopes: ['x'] } }
  assert.deepEqual(access(config({}, user)).impersonation, {
    user: 'jane',
    uid: '7',
    groups: ['a', 'b'],
    extra: { scopes: ['x'] },
  })
})

test('kubeconfig: its proxy goes before that of the environment', () => {
  const env = { HTTPS_PROXY: 'proxy:3128' }
  assert.equal(access(config({}), { env }).proxy, 'http://proxy:3128/')
  assert.equal(access(config({ 'proxy-url': 'socks5://p:1' }), { env }).proxy, 'socks5://p:1')
  assert.equal(access(config({}), { env: { ...env, NO_PROXY: '10.1.0.0/16' } }).proxy, undefined)
})

const refused: ReadonlyArray<
  [name: string, content: unknown, message: RegExp, options?: ClusterAccessOptions]
> = [
  [
    'passwords',
    config({}, { username: 'u', password: 'p' }),
    /username: no API server since .* takes passwords/,
  ],
  ['a proxy of another kind', config({ 'proxy-url': 'ftp://a:b@p' }), /proxy-url: no URL .*: "ftp:\/\/…@p"/],
  ['groups without a user', config({}, { 'as-groups': ['g'] }), /as-groups and as-user-extra need as/],
  ['groups that are no list', config({}, { as: 'a', 'as-groups': 'g' }), /as-groups is no list/],
  ['exec: old', config({}, { exec: { ...exec, apiVersion: `${api}/v1alpha1` } }), /v1alpha1" is neither/],
  ['exec: no command', config({}, { exec: { ...exec, command: '' } }), /exec: command is missing/],
  ['exec: terminal', config({}, { exec: { ...exec, interactiveMode: 'Always' } }), /there is no terminal/],
  ['exec: mode', config({}, { exec: { ...exec, interactiveMode: 'x' } }), /interactiveMode x is not/],
  ['exec: args', config({}, { exec: { ...exec, args: [1] } }), /exec: args is no list/],
  ['exec: env', config({}, { exec: { ...exec, env: [{ name: 'A' }] } }), /exec: env is no list/],
  ['exec and OIDC', config({}, { exec, 'auth-provider': {} }), /exclude each other/],
  ['gcp', config({}, { 'auth-provider': { name: 'gcp' } }), /auth-provider "gcp" is no more/],
  ['OIDC without', config({}, { 'auth-provider': { name: 'oidc' } }), /id-token is missing/],
  [
    'a login in clear text',
    config({}, { exec }),
    /a token would be sent without encryption/,
    { server: 'http://10.1.2.3' },
  ],
  ['a certificate without key', config({}, { 'client-certificate': 'c' }), /belong together/],
  ['no cluster', { ...config({}), clusters: [] }, /no cluster named "c"/],
  ['no user', { ...config({}), users: null }, /no user named "u"/],
  ['no context', { ...config({}), contexts: 'x' }, /no context named "here"/],
  ['no current-context', { ...config({}), 'current-context': '' }, /no current-context is set/],
  ['no server', config({ server: '' }), /server is missing/],
  ['a bad URL', config({ server: '10.1.2.3:6443' }), /is no URL of an API server/],
  ['a number for a text', config({ server: 6443 }), /server is no text/],
  [
    'clear text over the network',
    config({ server: 'http://10.1.2.3' }),
    /without encryption only to this machine/,
  ],
  [
    'a token in clear text, --server or not',
    config({}, { token: 't' }),
    /a token would be sent without encryption/,
    { server: 'http://10.1.2.3' },
  ],
  ['no YAML', '{', /cannot read the kubeconfig/],
  ['no kubeconfig', '[]', /is no kubeconfig/],
]
for (const [name, content, message, options] of refused) {
  test(`kubeconfig: refused: ${name}`, () => {
    assert.throws(
      () => access(content, options),
      (error: unknown) => error instanceof KpngError && error.code === 'usage' && message.test(error.message),
    )
  })
}

test('kubeconfig: clear text on this machine is fine', () => {
  for (const server of ['http://127.0.0.1:8001', 'http://[::1]:8001', 'http://localhost:8001'])
    assert.equal(access(config({ server }, { token: 't' })).server, `${server}/`)
})

test('kubeconfig: nothing at all is told what there is', () => {
  assert.throws(() => clusterAccess({ env: {} }), /--kubeconfig or --server, set KUBECONFIG, or run in a pod/)
  assert.throws(() => clusterAccess({ env: {}, kubeconfig: '/nonexistent' }), /cannot read the kubeconfig/)
})
