import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { FaultProxy } from './fault-proxy.ts'
import { backends, WebHost, webSlice } from './web-host.ts'

const [first, second] = backends
const patienceMs = 20_000

test('a connection that has died in silence is given up in time, and nothing is missed', async () => {
  await using web = await WebHost.up()
  using proxy = new FaultProxy(web.api)
  const kubeconfig = proxy.kubeconfig(await web.proxierToken())
  const main = join(import.meta.dirname, 'source-main.ts')
  const child = web.api.host.startWithInput([process.execPath, main, kubeconfig, `${patienceMs}`])
  child.stderr.on('data', (piece: Buffer) => process.stderr.write(piece))
  const lines = createInterface({ input: child.stdout })
  try {
    const said = async (): Promise<unknown> => {
      const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(60_000) })) as [string]
      return JSON.parse(line)
    }
    // The Service may come before its slice.
    let endpoints = await said()
    while (JSON.stringify(endpoints) === '[]') endpoints = await said()
    assert.deepEqual(endpoints, [first])
    await proxy.isWatched()
    await proxy.command({ mute: true })
    const startMs = performance.now()
    const heard = said()
    await web.apply(webSlice(second))
    assert.deepEqual(await heard, [second])
    // A watch that is alive tells within milliseconds.
    const tookMs = performance.now() - startMs
    assert.ok(tookMs > patienceMs / 10, `${tookMs} ms: it was not silent`)
  } finally {
    child.kill('SIGKILL')
    lines.close()
  }
})
