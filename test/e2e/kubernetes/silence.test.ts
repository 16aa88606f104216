import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FaultProxy } from './fault-proxy.ts'
import { backends, WebHost, webSlice } from './web-host.ts'

const [first, second] = backends

test('a connection that has died in silence is given up after 150 s, and nothing is missed', async () => {
  await using web = await WebHost.up()
  using proxy = new FaultProxy(web.api)
  await web.api.startAgent(['--kubeconfig', proxy.kubeconfig(await web.proxierToken())])
  await web.serves(first)
  await proxy.command({ mute: true })
  const startMs = performance.now()
  await web.apply(webSlice(second))
  await web.serves(second, 400_000)
  const seconds = (performance.now() - startMs) / 1000
  assert.ok(seconds > 60, `${seconds} s: it was not silent`)
  assert.equal(await web.connect(), 'connected')
})
