import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anEndpoint, aService, aSlice } from '../../objects/fixtures.ts'
import type { EndpointSlice } from '../../objects/types.ts'
import { hold, type OwnService, usable } from './lifeline-rule.ts'
import { serviceJson, sliceJson } from './testing/objects.ts'
import { Subject, type SubjectOptions } from './testing/subject.ts'

const port = { name: 'https', protocol: 'TCP', port: 443, nodePort: 0 } as const
const service = aService({ clusterIPs: { IPv4: '10.96.0.1', IPv6: 'fd00::1' }, ports: [port] })
const slice = (name: string, more: Partial<EndpointSlice> = {}): EndpointSlice =>
  aSlice({
    name,
    ports: [{ name: 'https', protocol: 'TCP', port: 6443 }],
    endpoints: [anEndpoint('192.168.0.1')],
    ...more,
  })
const v4 = slice('v4')
const v6 = slice('v6', { family: 'IPv6', endpoints: [anEndpoint('fd01::1')] })
const gone = slice('v4', { endpoints: [] })
const good: OwnService = { service, slices: [v4, v6] }

/** `what` and the names of the slices that are used, with the first one's first address. */
const rows: ReadonlyArray<
  [
    name: string,
    said: OwnService,
    addresses: readonly string[],
    what: string,
    slices: readonly EndpointSlice[],
  ]
> = [
  ['all is well', good, ['10.96.0.1'], 'nothing', [v4, v6]],
  ['an empty slice', { service, slices: [gone, v6] }, ['10.96.0.1'], 'endpoints', [v6, v4]],
  ['no slice', { service, slices: [] }, ['10.96.0.1'], 'endpoints', [v4]],
  ['no slice, both families used', { service, slices: [] }, ['10.96.0.1', 'fd00::1'], 'endpoints', [v4, v6]],
  ['the other family’s goes', { service, slices: [v4] }, ['10.96.0.1'], 'nothing', [v4]],
  ['another address is used', { service, slices: [gone] }, ['192.168.0.1'], 'nothing', [gone]],
  ['behind a proxy', { service, slices: [gone] }, [], 'nothing', [gone]],
  [
    'unready ones only',
    { service, slices: [slice('v4', { endpoints: [anEndpoint('192.168.0.2', { ready: false })] })] },
    ['10.96.0.1'],
    'endpoints',
    [v4],
  ],
  [
    'another port only',
    { service, slices: [slice('v4', { ports: [{ name: 'http', protocol: 'TCP', port: 80 }] })] },
    ['10.96.0.1'],
    'endpoints',
    [v4],
  ],
  ['the Service goes', { service: undefined, slices: [v4] }, ['10.96.0.1'], 'service', [v4]],
  ['all goes', { service: undefined, slices: [] }, ['10.96.0.1'], 'service', [v4]],
  ['the Service goes, and is not used', { service: undefined, slices: [v4] }, ['10.0.0.1'], 'nothing', [v4]],
]
for (const [name, said, addresses, what, slices] of rows) {
  test(`lifeline: ${name}: ${what} is held`, () => {
    const held = hold(said, good, new Set(addresses))
    assert.equal(held.what, what)
    assert.deepEqual(held.slices, slices)
    assert.equal(held.service, what === 'service' ? service : said.service)
  })
}

test('lifeline: terminating endpoints that serve are backends; nothing to fall back to is nothing to hold', () => {
  const last = slice('v4', { endpoints: [anEndpoint('192.168.0.2', { ready: false, terminating: true })] })
  assert.equal(hold({ service, slices: [last] }, good, new Set(['10.96.0.1'])).what, 'nothing')
  const never = { service, slices: [gone] }
  assert.equal(hold(never, usable(never, { service, slices: [] }), new Set(['10.96.0.1'])).what, 'nothing')
})

test('lifeline: what to fall back to is what had a backend last, per family', () => {
  const next = slice('v4', { endpoints: [anEndpoint('192.168.0.9')] })
  const after = usable({ service, slices: [next] }, good)
  assert.deepEqual(after.slices, [next, v6])
  assert.deepEqual(usable({ service: undefined, slices: [gone] }, after), { service, slices: [next, v6] })
})

const kubernetes = {
  ...serviceJson('kubernetes', 1),
  metadata: { name: 'kubernetes', namespace: 'default' },
}
const own = (...addresses: string[]) => {
  const { metadata, ...rest } = sliceJson('kubernetes', addresses)
  return { ...rest, metadata: { ...metadata, namespace: 'default', name: 'kubernetes' } }
}
const other = sliceJson('web', ['10.180.0.1'])

/** A source whose server is at web's or the API server's own ClusterIP. */
async function following(options: SubjectOptions = {}): Promise<Subject> {
  const s = new Subject(options)
  s.transport.addresses = new Set(['10.96.0.1'])
  s.api.put(kubernetes, own('192.168.0.1'), serviceJson('web', 2), other)
  await s.start()
  return s
}

const backends = (s: Subject, key = 'default/kubernetes'): string =>
  s.store
    .slicesOf(key)
    .flatMap(it => it.endpoints.map(endpoint => endpoint.address))
    .join(' ')

test('the API server’s own Service keeps its last backends while it is reached through it', async () => {
  await using s = await following()
  for (const leave of ['an empty slice', 'no slice', 'a new list']) {
    if (leave === 'an empty slice') s.api.put(own())
    else s.api.delete(own())
    if (leave === 'a new list') await s.source.rescan()
    await s.settle()
    assert.equal(backends(s), '192.168.0.1', leave)
    assert.match(s.problems().join(), /^has no endpoints left, and the API server is reached through it/)
    assert.equal(s.source.problems()[0]?.where, 'Service/default/kubernetes')
    s.api.put(own('192.168.0.1'))
    await s.settle()
    assert.deepEqual([backends(s), s.problems()], ['192.168.0.1', []], leave)
  }
  s.api.put(own())
  await s.settle()
  s.api.put(own('192.168.0.2'))
  await s.settle()
  assert.deepEqual([backends(s), s.problems()], ['192.168.0.2', []], 'new ones take over')
})

test('backends that come under another name replace the last ones', async () => {
  await using s = await following()
  s.api.delete(own())
  await s.settle()
  const { metadata, ...rest } = own('192.168.0.3')
  const next = { ...rest, metadata: { ...metadata, name: 'kubernetes-2' } }
  s.api.put(next)
  await s.settle()
  assert.deepEqual([backends(s), s.problems()], ['192.168.0.3', []])
  s.api.delete(next)
  await s.source.rescan()
  assert.equal(backends(s), '192.168.0.3')
})

test('the API server’s own Service stays while the server is reached through it', async () => {
  await using s = await following()
  s.api.delete(kubernetes)
  await s.settle()
  assert.equal(s.store.service('default/kubernetes')?.clusterIPs.IPv4, '10.96.0.1')
  assert.match(s.problems().join(), /^is gone, and the API server is reached through it/)
  s.api.delete(own())
  await s.source.rescan()
  assert.equal(s.store.service('default/kubernetes')?.clusterIPs.IPv4, '10.96.0.1')
  assert.equal(backends(s), '192.168.0.1')
  s.api.put(kubernetes, own('192.168.0.2'))
  await s.settle()
  assert.deepEqual([backends(s), s.problems()], ['192.168.0.2', []])
})

test('who reaches the API server in another way does as it says; so do all other Services', async () => {
  await using direct = await following()
  direct.transport.addresses = new Set(['192.168.0.1'])
  direct.api.delete(kubernetes, own())
  await direct.settle()
  assert.deepEqual([direct.services(), backends(direct), direct.problems()], ['web', '', []])
  await using s = await following()
  s.api.delete(other)
  await s.settle()
  assert.deepEqual([backends(s, 'shop/web'), backends(s)], ['', '192.168.0.1'])
})

test('a slice that goes to another Service is that one’s', async () => {
  await using s = await following()
  s.transport.addresses = new Set()
  const { metadata, ...rest } = own('192.168.0.1')
  s.api.put({ ...rest, metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'db' } } })
  await s.settle()
  assert.deepEqual([backends(s), backends(s, 'default/db')], ['', '192.168.0.1'])
  s.api.delete(own())
  await s.settle()
  assert.equal(backends(s, 'default/db'), '')
})

test('slices that are known before their Service count as well', async () => {
  await using s = new Subject()
  s.transport.addresses = new Set(['10.96.0.1'])
  s.api.put(own('192.168.0.1'))
  s.api.fault('Service', 'stream', 'refuse')
  await s.start()
  s.api.put(kubernetes)
  await s.after(500)
  s.api.delete(own())
  await s.settle()
  assert.equal(backends(s), '192.168.0.1')
})
