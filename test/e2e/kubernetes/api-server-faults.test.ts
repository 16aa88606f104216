/** What happens to traffic, and to the agent, when the API server is not there or does not answer as it should. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { service } from '../manifests.ts'
import { FaultProxy } from './fault-proxy.ts'
import { backends, WebHost, webSlice } from './web-host.ts'

const [first, second] = backends
const gone = service({ name: 'gone', clusterIPs: ['10.96.0.60'], ports: [{ name: '', port: 80 }] })

let shared: WebHost | undefined
let web: WebHost
beforeEach(async () => {
  web = shared ??= await WebHost.up()
  await web.api.agent.stop('SIGKILL')
  await web.api.plane.startApiServer()
  await web.apply(webSlice(first), gone)
})
after(() => shared?.[Symbol.asyncDispose]())

test('an API server that is killed and comes back: traffic goes on, and the watch where it was', async () => {
  await web.api.startAgent()
  await web.serves(first)
  const { plane } = web.api
  await plane.killApiServer()
  await web.problemsWhen(messages => messages.some(it => /ECONNREFUSED|other side closed|reset/.test(it)))
  assert.equal(await web.connect(), 'connected')
  await plane.startApiServer()
  await web.apply(webSlice(second))
  await web.serves(second, 60_000)
  assert.equal(await web.connect(), 'connected')
  await web.problemsWhen(messages => messages.length === 0)
  assert.equal(await web.api.agent.stop(), 0)
})

test('[KP-1.17] an agent that starts while the API server is down: traffic goes on with what is pinned', async () => {
  await web.api.startAgent()
  await web.serves(first)
  const before = await web.api.agent.maps()
  await web.api.agent.stop('SIGKILL')
  await web.api.plane.killApiServer()
  await web.api.startAgent()
  await web.problemsWhen(messages => messages.some(it => /ECONNREFUSED/.test(it)))
  assert.equal(await web.connect(), 'connected')
  assert.equal(await web.api.agent.maps(), before)
  await web.api.plane.startApiServer()
  await web.api.plane.kubectl(['delete', 'service', 'gone'])
  await web.api.agent.mapsWhen(lines => !lines.includes('10.96.0.60'), 60_000)
  assert.equal(await web.connect(), 'connected')
  await web.api.agent.stop()
})

test('an API server behind its own Service is found again, whatever that says meanwhile', {
  timeout: 300_000,
}, async () => {
  const { plane } = web.api
  await web.api.startAgent()
  await web.api.agent.mapsWhen(lines => lines.includes('172.31.255.1:6443'))
  await web.api.agent.stop()
  const config = JSON.parse(readFileSync(plane.adminKubeconfig, 'utf8')) as {
    readonly clusters: ReadonlyArray<{ readonly cluster: object }>
  }
  const [{ cluster } = { cluster: {} }] = config.clusters
  const own = { ...cluster, server: 'https://10.96.0.1', 'tls-server-name': 'kubernetes' }
  const path = join(plane.directory, 'own-service.kubeconfig')
  writeFileSync(path, JSON.stringify({ ...config, clusters: [{ name: 'lab', cluster: own }] }), {
    mode: 0o600,
  })
  await web.api.startAgent(['--kubeconfig', path])
  await web.apply(webSlice(second))
  await web.serves(second)
  // As a server does that goes away in order; this one puts itself back, every ten seconds.
  for (let told = false; !told; ) {
    await plane.kubectl(['patch', 'endpointslice', 'kubernetes', '--type=merge', '-p', '{"endpoints":[]}'])
    told = await web
      .problemsWhen(
        messages => messages.some(it => it.includes('the API server is reached through it')),
        3000,
      )
      .then(
        () => true,
        () => false,
      )
  }
  await plane.killApiServer()
  assert.equal(await web.connect(), 'connected')
  await plane.startApiServer()
  await web.apply(webSlice(first))
  await web.serves(first, 60_000)
  await web.problemsWhen(messages => messages.length === 0)
  await web.api.agent.stop()
})

test('etcd has forgotten what an agent has not heard: it reads everything anew, and what is gone goes', async () => {
  const { plane } = web.api
  using proxy = new FaultProxy(web.api)
  await web.api.startAgent(['--kubeconfig', proxy.kubeconfig(await web.proxierToken())])
  await web.serves(first)
  await proxy.isFollowed()
  // The agent hears nothing while everything that it has missed is forgotten, by etcd and by the server's own cache. It
  // is cut off only then: after some tries in vain it would ask for everything anew by itself.
  await proxy.command({ mute: true })
  await plane.kubectl(['delete', 'service', 'gone'])
  await web.apply(webSlice(second))
  await plane.compactEtcd()
  await plane.restartApiServer()
  await proxy.command({ listen: false })
  await web.problemsWhen(messages => messages.some(it => /ECONNREFUSED/.test(it)))
  assert.equal(await web.connect(), 'connected')
  await web.serves(first)
  await proxy.command({ listen: true })
  await web.serves(second, 60_000)
  await web.api.agent.mapsWhen(lines => !lines.includes('10.96.0.60'))
  assert.ok((await proxy.command()).expired > 0, 'the server has said so')
  await web.problemsWhen(messages => messages.length === 0)
  await web.api.agent.stop()
})

test('a watch that is cut inside of a line goes on, and nothing is missed', async () => {
  using proxy = new FaultProxy(web.api)
  await web.api.startAgent(['--kubeconfig', proxy.kubeconfig(await web.proxierToken())])
  await web.serves(first)
  await proxy.isFollowed()
  for (const backend of [second, first, second]) {
    const { cut } = await proxy.command({ cut: true })
    await web.apply(webSlice(backend))
    await web.serves(backend)
    assert.ok((await proxy.command()).cut > cut, 'it was cut')
  }
  await web.api.agent.stop()
})

test('429 with Retry-After: nothing is asked before, traffic goes on', async () => {
  using proxy = new FaultProxy(web.api)
  await web.api.startAgent(['--kubeconfig', proxy.kubeconfig(await web.proxierToken())])
  await web.serves(first)
  await proxy.isFollowed()
  await proxy.command({ refuse: 4, status: 429, retryAfter: 5, cut: true })
  // One change of each kind ends each watch.
  await web.apply(
    webSlice(second),
    service({ name: 'more', clusterIPs: ['10.96.0.61'], ports: [{ port: 80 }] }),
  )
  await web.problemsWhen(messages => messages.some(it => /^429 too many requests$/.test(it)))
  assert.equal(await web.connect(), 'connected')
  await web.serves(second, 60_000)
  const { timesMs, refused } = await proxy.command()
  assert.ok(refused >= 1)
  const pause = Math.max(...timesMs.slice(1).map((it, i) => it - (timesMs[i] ?? it)))
  assert.ok(pause >= 3000, `${timesMs}`)
  await web.api.plane.kubectl(['delete', 'service', 'more'])
  await web.api.agent.stop()
})

test('a slow API server is one that is late, not one that fails', async () => {
  using proxy = new FaultProxy(web.api)
  await proxy.command({ delayMs: 1500 })
  await web.api.startAgent(['--kubeconfig', proxy.kubeconfig(await web.proxierToken())])
  await web.serves(first, 60_000)
  await web.apply(webSlice(second))
  await sleep(500)
  assert.equal(await web.connect(), 'connected')
  await web.serves(second, 60_000)
  assert.deepEqual(await web.api.agent.problems(), [])
  await web.api.agent.stop()
})
