import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { endpointSlice, node, service } from '../manifests.ts'
import { ApiHost } from './api-host.ts'

const slices = 1_000
const services = 100
const atATime = 24

const serviceOf = (index: number) => service({ name: `many-${index}`, ports: [{ port: 80 }] })
const address = (network: number, index: number): string =>
  `10.${network}.${index % services}.${1 + Math.floor(index / services)}`
const sliceOf = (index: number) =>
  endpointSlice({
    service: `many-${index % services}`,
    name: `many-${index}`,
    ports: [{ port: 8080 }],
    endpoints: [address(244, index)],
  })

/** One request for each index, many at a time; all have to be done. */
async function each(
  count: number,
  work: (index: number) => Promise<{ status: number; body: unknown }>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const { status, body } = await work(next++)
      assert.ok(status < 300, JSON.stringify(body))
    }
  }
  await Promise.all(Array.from({ length: atATime }, worker))
}

const flips = async (host: ApiHost): Promise<number> => {
  const line = /^kpng_reconciler_total\{kind="flips"\} (\d+)$/m.exec(await host.agent.metrics())
  assert.ok(line, 'the agent tells how many lists it has flipped')
  return Number(line[1])
}

/** How many backends there are in the lists whose address is of that network. */
const backends = (maps: string, network: number): number =>
  maps.match(new RegExp(`\\b10\\.${network}\\.\\d+\\.\\d+:8080`, 'g'))?.length ?? 0

test('a thousand EndpointSlices that change at once are all in the maps soon after', async (t: TestContext) => {
  await using host = await ApiHost.up()
  const { plane } = host
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(node('node-a', ['192.168.78.1'])) })
  const make = (at: string) => (body: unknown) => plane.request('POST', at, { body })
  await each(services, index => make('/api/v1/namespaces/default/services')(serviceOf(index)))
  await each(slices, index => make(path)(sliceOf(index)))
  await host.startAgent()
  await host.agent.sync()
  assert.equal(backends(await host.agent.maps(), 244), slices)
  const flipsBefore = await flips(host)

  const started = performance.now()
  const contentType = 'application/json-patch+json'
  await each(slices, index => {
    const body = [{ op: 'replace', path: '/endpoints/0/addresses/0', value: address(245, index) }]
    return plane.request('PATCH', `${path}/many-${index}`, { body, contentType })
  })
  const asked = performance.now()
  const maps = await host.agent.mapsWhen(lines => backends(lines, 245) === slices)
  const done = performance.now()

  assert.equal(backends(maps, 244), 0)
  const flipped = (await flips(host)) - flipsBefore
  assert.ok(flipped >= services && flipped <= slices, `${flipped} lists flipped`)
  const ms = (from: number, to: number): string => `${Math.round(to - from)} ms`
  t.diagnostic(
    `${slices} slices of ${services} Services changed in ${ms(started, asked)}; ` +
      `all in the maps ${ms(asked, done)} after the last answer; ${flipped} lists flipped`,
  )
})
