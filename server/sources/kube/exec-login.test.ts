import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiFailure } from './api-failure.ts'
import type { ClusterAccess } from './cluster-access.ts'
import { ExecLogin } from './exec-login.ts'

const apiVersion = 'client.authentication.k8s.io/v1'

/** A plugin that writes a line to `runs` each time; gone at the end. */
class Plugin implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'kpng-exec-'))
  readonly command = join(this.directory, 'plugin')
  readonly #access: ClusterAccess

  constructor(script: string, access: Partial<ClusterAccess> = {}) {
    this.#access = { server: new URL('https://10.0.0.1:6443'), ...access }
    this.write(script)
  }

  write(script: string): void {
    writeFileSync(this.command, `#!/bin/sh\ncd ${this.directory}\necho >>runs\n${script}\n`)
    chmodSync(this.command, 0o700)
  }

  get runs(): number {
    const file = join(this.directory, 'runs')
    return existsSync(file) ? readFileSync(file, 'utf8').length : 0
  }

  read(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8')
  }

  login(more: { timeoutMs?: number; provideClusterInfo?: boolean; command?: string } = {}): ExecLogin {
    const { timeoutMs = 60_000, provideClusterInfo = false, command = this.command } = more
    const plugin = {
      ...{ apiVersion, command, args: ['get', 'token'], env: [{ name: 'AUDIENCE', value: 'x' }] },
      ...{ installHint: 'get it from the shop', provideClusterInfo },
    }
    return new ExecLogin({ user: 'jane', plugin, timeoutMs }, this.#access)
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true })
  }
}

const says = (status: object) => `echo '${JSON.stringify({ apiVersion, kind: 'ExecCredential', status })}'`

/** The message of the failure. */
async function failure(login: ExecLogin): Promise<string> {
  const reason: unknown = await login.current().then(
    () => assert.fail('there are credentials'),
    error => error,
  )
  assert.ok(reason instanceof ApiFailure)
  assert.equal(reason.code, 'unreachable')
  return reason.message
}

test('a token without an end is asked for once, until it is refused', async () => {
  using plugin = new Plugin(says({ token: 'secret' }))
  using login = plugin.login()
  const all = await Promise.all([login.current(), login.current(), login.current()])
  assert.deepEqual(all[0], { token: 'secret', clientCertificate: undefined })
  await login.current()
  assert.equal(plugin.runs, 1)
  plugin.write(says({ token: 'other' }))
  login.refuse()
  assert.equal((await login.current()).token, 'other')
  assert.equal(plugin.runs, 2)
})

test('a token that has expired is asked for again', async () => {
  const until = Date.UTC(2030, 0, 1)
  mock.timers.enable({ apis: ['Date'], now: until - 60_000 })
  try {
    using plugin = new Plugin(says({ token: 'first', expirationTimestamp: '2030-01-01T00:00:00Z' }))
    using login = plugin.login()
    assert.equal((await login.current()).token, 'first')
    plugin.write(says({ token: 'second', expirationTimestamp: '2030-01-01T01:00:00Z' }))
    mock.timers.setTime(until - 1)
    assert.equal((await login.current()).token, 'first')
    mock.timers.setTime(until)
    assert.equal((await login.current()).token, 'second')
    assert.equal((await login.current()).token, 'second')
    assert.equal(plugin.runs, 2)
  } finally {
    mock.timers.reset()
  }
})

test('a client certificate', async () => {
  using plugin = new Plugin(says({ clientCertificateData: 'CERT', clientKeyData: 'KEY' }))
  using login = plugin.login()
  assert.deepEqual(await login.current(), {
    token: undefined,
    clientCertificate: { cert: 'CERT', key: 'KEY' },
  })
})

test('what a plugin is given: arguments, environment, the cluster if it wants it, no terminal and no input', async () => {
  using plugin = new Plugin(
    `echo "$*,$AUDIENCE,$PATH" >given; echo "$KUBERNETES_EXEC_INFO" >info; cat >input
(: </dev/tty) 2>/dev/null && echo yes >terminal
${says({ token: 't' })}`,
    {
      certificateAuthority: { text: 'CA' },
      tlsServerName: 'kubernetes',
      insecureSkipTlsVerify: true,
      proxy: new URL('http://proxy:3128'),
      execConfig: { audience: 'a' },
    },
  )
  using login = plugin.login()
  await login.current()
  assert.equal(plugin.read('given'), `get token,x,${process.env.PATH}\n`)
  assert.equal(plugin.read('input'), '')
  assert.equal(existsSync(join(plugin.directory, 'terminal')), false)
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } }
  assert.deepEqual(JSON.parse(plugin.read('info')), info)
  using curious = plugin.login({ provideClusterInfo: true })
  await curious.current()
  const cluster = {
    server: 'https://10.0.0.1:6443',
    'tls-server-name': 'kubernetes',
    'insecure-skip-tls-verify': true,
    'certificate-authority-data': Buffer.from('CA').toString('base64'),
    'proxy-url': 'http://proxy:3128/',
    config: { audience: 'a' },
  }
  assert.deepEqual(JSON.parse(plugin.read('info')), { ...info, spec: { interactive: false, cluster } })
})

const failures: ReadonlyArray<[name: string, script: string, message: RegExp]> = [
  ['fails', 'echo "no network" >&2; echo more >&2; exit 3', /plugin: no network$/],
  ['fails in silence', 'exit 3', /plugin: it failed and said nothing$/],
  ['says no JSON', 'echo hello', /plugin: it did not answer with JSON$/],
  ['says something else', 'echo "{}"', /user "jane": no credentials from .*plugin: /],
  [
    'says nothing of use',
    says({ clientCertificateData: 'CERT' }),
    /neither a token nor a client certificate/,
  ],
  ['says too much', 'exec yes', /it says more than 1 MiB/],
]
for (const [name, script, message] of failures) {
  test(`a plugin that ${name}: user and command are told, and the next time it is asked again`, async () => {
    using plugin = new Plugin(script)
    using login = plugin.login()
    const told = await failure(login)
    assert.match(told, message)
    assert.match(told, /^user "jane": no credentials from \//)
    assert.equal(await failure(login), told, 'the message stays the same')
    plugin.write(says({ token: 'now' }))
    assert.equal((await login.current()).token, 'now')
    assert.equal(plugin.runs, 3)
  })
}

test('a plugin that is not there: its hint is told', async () => {
  using plugin = new Plugin('')
  using login = plugin.login({ command: '/nonexistent/aws' })
  assert.match(await failure(login), /\/nonexistent\/aws: .*ENOENT: get it from the shop$/)
})

/** Whether the process whose id is in a file still runs; one that nobody has buried does not. */
function runs(plugin: Plugin, file: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${plugin.read(file).trim()}/stat`, 'utf8'))
  } catch {
    return false
  }
}

for (const [how, end] of [
  ['that hangs', 'wait'],
  ['that leaves behind who holds its output', 'exit 0'],
] as const)
  test(`a plugin ${how} is ended, with what it has started`, async () => {
    using plugin = new Plugin(`sleep 1000 & echo $! >child; ${end}`)
    using login = plugin.login({ timeoutMs: 2_000 })
    assert.match(await failure(login), /plugin: it did not answer within 2 s$/)
    for (let i = 0; i < 100 && runs(plugin, 'child'); i++) await sleep(10)
    assert.equal(runs(plugin, 'child'), false)
    plugin.write(says({ token: 'now' }))
    assert.equal((await login.current()).token, 'now')
  })

test('a plugin that is running ends with its user', async () => {
  using plugin = new Plugin('sleep 1000 & echo $! >child; wait')
  const login = plugin.login()
  const asked = failure(login)
  for (let i = 0; i < 200 && !existsSync(join(plugin.directory, 'child')); i++) await sleep(10)
  login[Symbol.dispose]()
  await asked
  for (let i = 0; i < 100 && runs(plugin, 'child'); i++) await sleep(10)
  assert.equal(runs(plugin, 'child'), false)
  assert.match(await failure(login), /nobody needs it any more$/)
  assert.equal(plugin.runs, 1)
})
