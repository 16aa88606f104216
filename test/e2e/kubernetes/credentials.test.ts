/** Who the agent is to a real API server with RBAC: what it needs, and what becomes of it when that ends. */
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { backends, WebHost, webSlice } from './web-host.ts'

const [first, second] = backends

let shared: WebHost | undefined
let web: WebHost
beforeEach(async () => {
  web = shared ??= await WebHost.up()
  await web.api.agent.stop('SIGKILL')
  await web.apply(webSlice(first))
})
after(() => shared?.[Symbol.asyncDispose]())

/** Whether a user may do something. */
async function can(kubeconfig: string, ...what: readonly string[]): Promise<boolean> {
  // It exits with 1 for no.
  return await web.api.plane.kubectl(['auth', 'can-i', ...what], { kubeconfig }).then(
    () => true,
    () => false,
  )
}

test('nothing more than system:node-proxier is needed', async () => {
  await web.proxierToken()
  const kubeconfig = await web.api.plane.kubeconfigFor({ serviceAccount: 'kpng', namespace: 'default' })
  assert.deepEqual(
    [await can(kubeconfig, 'list', 'services'), await can(kubeconfig, 'list', 'pods')],
    [true, false],
    'RBAC is real',
  )
  await web.api.startAgent(['--kubeconfig', kubeconfig])
  await web.serves(first)
  await web.apply(webSlice(second))
  await web.serves(second)
  await web.api.agent.sync()
  assert.deepEqual(await web.api.agent.problems(), [])
})

test('who may nothing is told what is missing, and serves once it is granted', async () => {
  const name = 'nobody'
  await web.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } })
  const kubeconfig = await web.api.plane.kubeconfigFor({ serviceAccount: name, namespace: 'default' })
  await web.api.startAgent(['--kubeconfig', kubeconfig])
  const kinds = ['services', 'endpointslices', 'nodes', 'servicecidrs']
  await web.problemsWhen(messages =>
    kinds.every(kind =>
      messages.some(
        it => it.includes(`${kind}`) && it.includes('User "system:serviceaccount:default:nobody" cannot'),
      ),
    ),
  )
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:node-proxier' }
  const subjects = [{ kind: 'ServiceAccount', name, namespace: 'default' }]
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  await web.apply({ apiVersion, kind: 'ClusterRoleBinding', metadata: { name }, roleRef, subjects })
  await web.serves(first, 60_000)
  // ServiceCIDRs are asked for again within ten minutes: a cluster may have its reasons to keep them.
  await web.problemsWhen(messages => messages.every(it => it.includes('servicecidrs')))
})

for (const end of ['expired', 'been revoked'] as const) {
  test(`a token that has ${end} is replaced in its file: the agent goes on with the new one`, async () => {
    const { plane } = web.api
    await web.proxierToken()
    const file = join(plane.directory, 'token')
    const startMs = performance.now()
    // The server forgives a minute.
    await plane.writeToken(file, 'default', 'kpng', end === 'expired' ? -30 : 3600)
    await web.api.startAgent(['--kubeconfig', plane.kubeconfigWithTokenFile(file)])
    await web.serves(first, 25_000)
    if (end === 'expired') await sleep(Math.max(0, 32_000 - (performance.now() - startMs)))
    else await plane.kubectl(['delete', 'serviceaccount', 'kpng', '-n', 'default'])
    await plane.restartApiServer()
    await web.problemsWhen(messages => messages.some(it => /^401 Unauthorized$/.test(it)))
    assert.equal(await web.connect(), 'connected')
    await web.proxierToken()
    await web.apply(webSlice(second))
    await plane.writeToken(file, 'default', 'kpng')
    await web.serves(second, 60_000)
    await web.problemsWhen(messages => messages.length === 0)
  })
}

test('an exec plugin’s token, and somebody else’s name', async () => {
  const { plane } = web.api
  const token = await web.proxierToken()
  const apiVersion = 'client.authentication.k8s.io/v1'
  const command = join(plane.directory, 'plugin')
  const answer = { apiVersion, kind: 'ExecCredential', status: { token } }
  writeFileSync(command, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`)
  chmodSync(command, 0o700)
  const users = {
    exec: { exec: { apiVersion, command: './plugin', interactiveMode: 'Never' } },
    as: { ...admin(), as: 'system:kube-proxy' },
    nobody: { ...admin(), as: 'nobody', 'as-groups': ['system:authenticated'] },
  }
  for (const name of ['exec', 'as'] as const) {
    await web.api.startAgent(['--kubeconfig', kubeconfigOf(users[name])])
    await web.serves(first)
    await web.api.agent.sync()
    assert.deepEqual(await web.api.agent.problems(), [], name)
    await web.api.agent.stop()
  }
  await web.api.startAgent(['--kubeconfig', kubeconfigOf(users.nobody)])
  await web.problemsWhen(messages => messages.some(it => it.includes('User "nobody" cannot')))
})

interface Config {
  readonly users: ReadonlyArray<{ readonly name: string; readonly user: object }>
}

const adminConfig = (): Config => JSON.parse(readFileSync(web.api.plane.adminKubeconfig, 'utf8')) as Config

/** The administrator's certificate. */
const admin = (): object => adminConfig().users[0]?.user ?? {}

/** The administrator's kubeconfig with another user. */
function kubeconfigOf(user: object): string {
  const path = join(web.api.plane.directory, 'other.kubeconfig')
  const config = adminConfig()
  const users = config.users.map(({ name }) => ({ name, user }))
  writeFileSync(path, JSON.stringify({ ...config, users }), { mode: 0o600 })
  return path
}
