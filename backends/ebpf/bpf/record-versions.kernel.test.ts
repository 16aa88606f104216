import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Reason, Version } from '../bindings.gen.ts'
import { TestDatapath } from './testing/datapath.ts'
import { type Client, SocketHost } from './testing/socket-host.ts'
import { versionDirectory } from './testing/versions.ts'

/** Programs of two versions take turns on the same maps, under sockets that live on. */

const [a, b] = ['10.1.0.1#7000', '10.1.0.2#7000']

const owned = new AsyncDisposableStack()
let host: SocketHost
let datapath: TestDatapath
let client: Client

before(async () => {
  host = owned.use(new SocketHost())
  await host.serve(a, b)
  datapath = owned.use(new TestDatapath({ cgroup: host.cgroup }))
})
after(() => owned.disposeAsync())
beforeEach(() => {
  datapath.replacePrograms()
  client = host.client()
})

const unknown = (): number => datapath.reasonCount(Reason.RECORD_UNKNOWN)

/** A stream and a datagram socket that are connected to a Service, and one that only sends to it. */
async function open(suffix: string, vip: string): Promise<void> {
  await client.call(`socket t${suffix} inet stream`)
  await client.call(`connect t${suffix} ${vip} 80`)
  await client.call(`socket u${suffix} inet dgram`)
  await client.call(`connect u${suffix} ${vip} 80`)
  await client.call(`socket s${suffix} inet dgram`)
  await client.call(`sendto s${suffix} ${vip} 80 hello`)
}

const peers = async (suffix: string): Promise<string[]> => [
  await client.call(`getpeername t${suffix}`),
  await client.call(`getpeername u${suffix}`),
  (await client.call(`recvfrom s${suffix}`)).split(' ').slice(0, 2).join(' '),
]

test('records of the version before are read: names, replies, and counts that end', async () => {
  const service = datapath.service({ vips: ['10.96.1.1#80'], backends: [a] })
  await open('1', '10.96.1.1')
  datapath.replacePrograms(versionDirectory('next'))
  await open('2', '10.96.1.1')
  for (const suffix of ['1', '2'])
    assert.deepEqual(await peers(suffix), ['10.96.1.1 80', '10.96.1.1 80', '10.96.1.1 80'])
  assert.equal(service.count(a).open, 4)
  for (const socket of ['t1', 'u1', 't2', 'u2']) await client.call(`close ${socket}`)
  assert.equal(service.count(a).open, 0)
  assert.equal(unknown(), 0)
})

test('records of a version that is not known count as absent and are counted; nothing in them is believed', async () => {
  datapath.service({ vips: ['10.96.2.1#80'], backends: [a] })
  datapath.replacePrograms(versionDirectory('next'))
  await open('1', '10.96.2.1')
  datapath.replacePrograms()
  const before = unknown()
  // The backend itself: neither the Service nor what its port looks like to who misreads it.
  assert.deepEqual(await peers('1'), ['10.1.0.1 7000', '10.1.0.1 7000', '10.1.0.1 7000'])
  assert.equal(unknown(), before + 3)
})

test('a connection whose record is not known is open until it ends, and its backend’s id is in use until then', async () => {
  const vip = '10.96.5.1'
  const service = datapath.service({ vips: [`${vip}#80`], backends: [a] })
  datapath.replacePrograms(versionDirectory('next'))
  await open('1', vip)
  await open('2', vip)
  await open('3', vip)
  datapath.replacePrograms()
  const before = unknown()
  const rows = () =>
    [...datapath.records('tcp'), ...datapath.records('udp')].filter(row => row.backend === service.idOf(a))
  const nothingElse = { servicePort: 0, generation: 0, backendPort: 0, backendAddr: new Uint8Array(16) }
  for (const row of rows()) assert.deepEqual({ ...row, ...nothingElse }, row)
  assert.deepEqual([rows().length, service.count(a).open], [6, 6])
  // Closed, connected to a Service, connected to something else: once each.
  const other = datapath.service({ vips: ['10.96.5.2#80'], backends: [b] })
  for (const socket of ['t1', 'u1']) await client.call(`close ${socket}`)
  assert.deepEqual([rows().length, service.count(a).open], [4, 4])
  await client.call('connect u2 10.96.5.2 80')
  await client.call('connect u3 10.1.0.2 7000')
  assert.deepEqual([rows().length, service.count(a).open, other.count(b).open], [2, 2, 1])
  for (const socket of ['t2', 't3', 'u2', 'u3', 's1', 's2', 's3']) await client.call(`close ${socket}`)
  assert.deepEqual([rows().length, service.count(a).open, other.count(b).open], [0, 0, 0])
  assert.ok(unknown() > before)
})

test('what was ended without being read stays ended for the version that can', async () => {
  const service = datapath.service({ vips: ['10.96.6.1#80'], backends: [a] })
  datapath.replacePrograms(versionDirectory('next'))
  await open('1', '10.96.6.1')
  datapath.replacePrograms()
  await client.call('connect u1 10.1.0.2 7000')
  datapath.replacePrograms(versionDirectory('next'))
  assert.equal(service.count(a).open, 1)
  for (const socket of ['t1', 'u1']) await client.call(`close ${socket}`)
  assert.equal(service.count(a).open, 0)
})

test('a socket with a record that is not known begins a new one', async () => {
  const service = datapath.service({ vips: ['10.96.3.1#80'], backends: [a] })
  const other = datapath.service({ vips: ['10.96.3.2#80'], backends: [b] })
  datapath.replacePrograms(versionDirectory('next'))
  await open('1', '10.96.3.1')
  datapath.replacePrograms()
  await client.call('connect u1 10.96.3.2 80')
  await client.call('sendto s1 10.96.3.2 80 again')
  assert.equal(await client.call('getpeername u1'), '10.96.3.2 80')
  assert.match(await client.call('recvfrom s1'), /^10\.1\.0\.1 7000 /, 'the reply to what was sent before')
  assert.match(await client.call('recvfrom s1'), /^10\.96\.3\.2 80 /)
  const rows = datapath.records('udp').map(row => row.backend)
  assert.deepEqual(
    rows.filter(id => id === service.idOf(a) || id === other.idOf(b)),
    [other.idOf(b), other.idOf(b)],
  )
  await client.call('close u1')
  assert.equal(other.count(b).open, 0)
})

test('affinity of the version before is kept; of one that is not known the client picks anew', async () => {
  const backends = [a, b]
  const service = datapath.service({ vips: ['10.96.4.1#80'], backends, affinityTimeoutS: 600 })
  const [first = ''] = Object.keys(await client.tally('connects 1 inet 10.96.4.1 80'))
  datapath.replacePrograms(versionDirectory('next'))
  assert.deepEqual(await client.tally('connects 8 inet 10.96.4.1 80'), { [first]: 8 })
  const [[key, value] = assert.fail('no entry')] = [...datapath.affinity.entries()].filter(
    ([{ servicePort }]) => servicePort === service.servicePort,
  )
  assert.equal(value.version, Version.RECORD_VERSION, 'of the version before, and used')

  datapath.affinity.delete(key)
  await client.tally('connects 1 inet 10.96.4.1 80')
  assert.equal(datapath.affinity.lookup(key)?.version, 2)
  datapath.replacePrograms()
  const before = unknown()
  const [third = ''] = Object.keys(await client.tally('connects 1 inet 10.96.4.1 80'))
  assert.ok(unknown() > before)
  assert.equal(datapath.affinity.lookup(key)?.version, Version.RECORD_VERSION)
  assert.deepEqual(await client.tally('connects 8 inet 10.96.4.1 80'), { [third]: 8 })
})
