/** What an agent tells with nothing but the rights of system:node-proxier, as kubectl shows it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { node, service } from '../manifests.ts'
import { ApiHost } from './api-host.ts'

interface Told {
  readonly reason: string
  readonly type: string
  readonly note: string
  readonly namespace: string
  readonly regarding: string
  readonly uid: string | undefined
  /** How often, as far as the API server knows. */
  readonly count: number
}

interface EventObject {
  readonly metadata: { readonly namespace: string }
  readonly reason: string
  readonly type: string
  readonly note: string
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid?: string }
  readonly series?: { readonly count: number }
}

/** Room for the Services of a test, and for default/kubernetes. */
const room = 16

let api: ApiHost
before(async () => {
  api = await ApiHost.up()
  await apply(node('node-a', ['172.31.255.1']))
  await api.startAgent(undefined, ['--max-service-ports', `${room}`, '-v', '2'])
  await api.agent.sync()
})
after(() => api?.[Symbol.asyncDispose]())

async function apply(...objects: readonly unknown[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await api.plane.kubectl(['apply', '-f', '-'], { input })
}

/** All Events that an agent has told, by object. */
async function events(): Promise<Told[]> {
  const args = ['get', 'events.v1.events.k8s.io', '--all-namespaces', '-o', 'json']
  const { items } = JSON.parse(await api.plane.kubectl(args)) as { items: EventObject[] }
  return items
    .filter(item => (item as { reportingController?: string }).reportingController === 'kpng')
    .map(({ metadata, reason, type, note, regarding, series }) => ({
      ...{ reason, type, note, namespace: metadata.namespace, uid: regarding.uid },
      regarding: `${regarding.kind}/${regarding.name}`,
      count: series?.count ?? 1,
    }))
}

/** Waits for Events on an object, 30 s at most. */
async function eventsOn(regarding: string, wanted: (told: Told[]) => boolean): Promise<Told[]> {
  let found: Told[] = []
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await sleep(200)) {
    found = (await events()).filter(event => event.regarding === regarding)
    if (wanted(found)) return found
  }
  throw new Error(
    `the Events on ${regarding} are not as expected: ${JSON.stringify(found)}\n${api.agent.log}`,
  )
}

const sctp = (name: string, protocol: 'SCTP' | 'TCP') =>
  service({ name, clusterIPs: ['10.96.0.50'], ports: [{ name: 'x', port: 80, protocol }] })

test('[KP-11.1 KP-11.5] the start of an agent is told once of its Node', async () => {
  const told = await eventsOn('Node/node-a', found => found.some(({ reason }) => reason === 'Starting'))
  const starts = told.filter(({ reason }) => reason === 'Starting')
  assert.deepEqual(
    starts.map(({ type, namespace, uid, count }) => ({ type, namespace, uid, count })),
    [{ type: 'Normal', namespace: 'default', uid: undefined, count: 1 }],
  )
})

test('a Service that does not fit has one Event, which kubectl get events and describe show', async () => {
  const names = Array.from({ length: room + 4 }, (_, i) => `full-${i}`)
  await apply(...names.map(name => service({ name, clusterIPs: [], ports: [{ port: 80 }] })))
  await api.agent.sync()
  const [told] = await eventsOn('Node/node-a', found =>
    found.some(({ reason }) => reason === 'CapacityExceeded'),
  )
  assert.notEqual(told, undefined)
  const unfit = (await settledEvents()).filter(
    ({ reason, regarding }) => reason === 'CapacityExceeded' && regarding.startsWith('Service/'),
  )
  assert.ok(unfit.length >= 4, `${unfit.length} of at least 4 are told`)
  assert.equal(new Set(unfit.map(({ regarding }) => regarding)).size, unfit.length, 'one each')
  for (const { type, count, uid } of unfit)
    assert.deepEqual([type, count, typeof uid], ['Warning', 1, 'string'])
  const name = unfit[0]?.regarding.split('/')[1] ?? ''
  const selector = ['--field-selector', 'reportingComponent=kpng,reason=CapacityExceeded']
  assert.match(await api.plane.kubectl(['get', 'events', ...selector]), new RegExp(`service/${name} `))
  assert.match(await api.plane.kubectl(['describe', 'service', name]), /Warning +CapacityExceeded .*kpng/)

  await api.plane.kubectl(['delete', 'service', ...names.filter(it => it !== name)])
  const healed = await eventsOn(`Service/${name}`, found => found.length > 1)
  assert.deepEqual(healed.map(({ reason, type, count }) => `${type} ${reason} ×${count}`).sort(), [
    'Normal Recovered ×1',
    'Warning CapacityExceeded ×1',
  ])
  await api.plane.kubectl(['delete', 'service', name])
})

/** The Events when no more have come for three seconds. */
async function settledEvents(): Promise<Told[]> {
  for (let before = -1; ; await sleep(3_000)) {
    const found = await events()
    if (found.length === before) return found
    before = found.length
  }
}

test('told again it is the same Event, with a count', async () => {
  await apply(sctp('again', 'SCTP'))
  await eventsOn('Service/again', found => found.length === 1)
  await apply(sctp('again', 'TCP'))
  await eventsOn('Service/again', found => found.length === 2)
  await apply(sctp('again', 'SCTP'))
  const told = await eventsOn('Service/again', found => found.some(({ count }) => count === 2))
  assert.deepEqual(told.map(({ reason, count }) => `${reason} ×${count}`).sort(), [
    'ProtocolNotServed ×2',
    'Recovered ×1',
  ])
})

test('[KP-10.2.2] the rights of system:node-proxier are enough', async () => {
  // Not by the number of the answer: the time of a line may end in it.
  assert.doesNotMatch(api.agent.log, /forbidden/i)
  assert.match(await api.agent.metrics(), /^kpng_events_dropped_total 0$/m)
})

for (const [reason, rule, flag, port] of [
  ['FailedToStartProxierHealthcheck', 'KP-11.2', '--healthz-bind-address', 10_256],
  ['FailedToStartMetricServer', 'KP-11.3', '--metrics-bind-address', 10_249],
] as const) {
  test(`[${rule}] a server that must listen and cannot is told, and the agent ends`, async () => {
    await api.agent.stop()
    await api.host.listen([{ address: '172.31.255.1', port }])
    await api.startAgent(undefined, [flag, `172.31.255.1:${port}`, '--bind-address-hard-fail'])
    const told = await eventsOn('Node/node-a', found => found.some(event => event.reason === reason))
    const [failed] = told.filter(event => event.reason === reason)
    assert.deepEqual([failed?.type, failed?.count], ['Warning', 1])
    assert.match(failed?.note ?? '', new RegExp(`172\\.31\\.255\\.1 port ${port}`))
    assert.equal(await api.agent.ended(), 1)
  })
}
