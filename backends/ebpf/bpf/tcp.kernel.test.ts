import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { assertUniform } from './testing/assert-uniform.ts'
import { TestDatapath } from './testing/datapath.ts'
import { SocketHost } from './testing/socket-host.ts'

const backends4 = ['10.1.0.1#80', '10.1.0.2#81', '10.1.0.3#82']
const backends6 = ['fd01::1#80', 'fd01::2#81']

const owned = new AsyncDisposableStack()
let host: SocketHost
let datapath: TestDatapath

before(async () => {
  host = owned.use(new SocketHost())
  await host.serve(...backends4, ...backends6)
  datapath = owned.use(new TestDatapath({ cgroup: host.cgroup }))
})
after(() => owned.disposeAsync())

const forms = [
  { form: 'an IPv4 socket', family: 'inet', prefix: '', vip: '10.96.0.1', backends: backends4 },
  { form: 'an IPv6 socket', family: 'inet6', prefix: '', vip: 'fd96::1', backends: backends6 },
  {
    form: 'an IPv6 socket with an IPv4-mapped address',
    family: 'inet6',
    prefix: '::ffff:',
    vip: '10.96.0.2',
    backends: backends4,
  },
] as const

for (const { form, family, prefix, vip, backends } of forms) {
  for (const language of ['c', 'python'] as const) {
    test(`${form} reaches a backend, and getpeername shows the Service (${language})`, async () => {
      const service = datapath.service({ vips: [`${vip}#7000`], backends })
      const client = host.client(language)
      await client.call(`socket a ${family} stream`)
      assert.equal(await client.call(`connect a ${prefix}${vip} 7000`), '')
      const [backend = ''] = (await client.call('recvfrom a')).split(' ')
      assert.ok(backends.includes(backend), backend)
      assert.equal(await client.call('getpeername a'), `${prefix}${vip} 7000`)
      assert.deepEqual(service.count(backend), { connections: 1, datagrams: 0, open: 1 })
      await client.call('close a')
      assert.equal(service.count(backend).open, 0)
    })
  }

  test(`[KP-4.16] connections of ${form} spread evenly, and each is counted once`, async () => {
    const service = datapath.service({ vips: [`${vip}#7001`], backends })
    const counts = await host.client().tally(`connects 300 ${family} ${prefix}${vip} 7001`)
    assertUniform(counts, backends, 300)
    for (const name of backends)
      assert.deepEqual(service.count(name), { connections: counts[name], datagrams: 0, open: 0 })
    assert.equal(datapath.counts(service).connections, 300)
  })
}

test('a connect() that does not block reaches a backend', async () => {
  datapath.service({ vips: ['10.96.1.1#80'], backends: backends4 })
  const client = host.client()
  await client.call('socket a inet stream')
  await client.call('nonblock a')
  assert.equal(await client.call('connect a 10.96.1.1 80'), 'EINPROGRESS')
  assert.equal(await client.call('getpeername a'), '10.96.1.1 80')
  assert.equal(await client.call('soerror a'), '0')
})

test('connections of a killed process are open no more', async () => {
  const service = datapath.service({ vips: ['10.96.1.2#80'], backends: backends4 })
  const open = (): number => backends4.reduce((sum, name) => sum + service.count(name).open, 0)
  const [first, second] = [host.client(), host.client()]
  await first.tally('hold 40 inet 10.96.1.2 80')
  await second.tally('hold 20 inet6 ::ffff:10.96.1.2 80')
  assert.equal(open(), 60)
  await first.kill()
  assert.equal(open(), 20)
  await second.kill()
  assert.equal(open(), 0)
})

test('open counts are exact after processes were killed in the middle of connecting', async () => {
  const service = datapath.service({ vips: ['10.96.1.11#80'], backends: backends4 })
  for (let round = 0; round < 8; round++) {
    const clients = [host.client(), host.client()]
    for (const client of clients) {
      // Never answered: the process is gone before.
      client.call('connects 1000000 inet 10.96.1.11 80').catch(() => undefined)
    }
    await new Promise(resolve => setTimeout(resolve, 20 + 10 * round))
    await Promise.all(clients.map(client => client.kill()))
  }
  const counts = backends4.map(name => service.count(name))
  assert.ok(counts.reduce((sum, { connections }) => sum + connections, 0) > 100)
  assert.deepEqual(
    counts.map(({ open }) => open),
    [0, 0, 0],
  )
})

test('a socket that connects to another Service belongs to that', async () => {
  const [one = '', other = ''] = backends4
  const first = datapath.service({ vips: ['10.96.1.3#80'], backends: [one] })
  const second = datapath.service({ vips: ['10.96.1.4#80'], backends: [other] })
  const client = host.client()
  await client.call('socket a inet stream')
  await client.call('connect a 10.96.1.3 80')
  await client.call('disconnect a')
  assert.equal(await client.call('connect a 10.96.1.4 80'), '')
  assert.equal(await client.call('getpeername a'), '10.96.1.4 80')
  assert.equal(first.count(one).open, 0)
  assert.equal(second.count(other).open, 1)
})

test('a socket that then connects to the backend itself shows the backend', async () => {
  const [backend = ''] = backends4
  const service = datapath.service({ vips: ['10.96.1.5#80'], backends: [backend] })
  const client = host.client()
  await client.call('socket a inet stream')
  await client.call('connect a 10.96.1.5 80')
  await client.call('disconnect a')
  await client.call('connect a 10.1.0.1 80')
  assert.equal(await client.call('getpeername a'), '10.1.0.1 80')
  assert.equal(service.count(backend).open, 0)
})

test('a socket that is then refused by a Service is open no more', async () => {
  const [backend = ''] = backends4
  const service = datapath.service({ vips: ['10.96.1.9#80'], backends: [backend] })
  datapath.service({ vips: ['10.96.1.10#80'], backends: [] })
  const client = host.client()
  await client.call('socket a inet stream')
  await client.call('connect a 10.96.1.9 80')
  await client.call('disconnect a')
  assert.equal(service.count(backend).open, 1)
  assert.equal(await client.call('connect a 10.96.1.10 80'), 'ECONNREFUSED')
  assert.equal(service.count(backend).open, 0)
})

test('a connect() that the backend refuses is open until close()', async () => {
  const service = datapath.service({ vips: ['10.96.1.6#80'], backends: ['10.1.0.1#9'] })
  const client = host.client()
  await client.call('socket a inet stream')
  assert.equal(await client.call('connect a 10.96.1.6 80'), 'ECONNREFUSED')
  assert.deepEqual(service.count('10.1.0.1#9'), { connections: 1, datagrams: 0, open: 1 })
  await client.call('close a')
  assert.equal(service.count('10.1.0.1#9').open, 0)
})

test('an MPTCP socket reaches a backend and leaves no open count behind', async () => {
  const [backend = ''] = backends4
  const service = datapath.service({ vips: ['10.96.1.7#80'], backends: [backend] })
  const client = host.client()
  assert.equal(await client.call('socket a inet mptcp'), '')
  assert.equal(await client.call('connect a 10.96.1.7 80'), '')
  assert.match(await client.call('recvfrom a'), /^10\.1\.0\.1#80 /)
  await client.call('close a')
  assert.deepEqual(service.count(backend), { connections: 1, datagrams: 0, open: 0 })
})

test('[KP-1.15 KP-4.14 KPNG-D1] protocol is part of the frontend: TCP and UDP of one port are two', async () => {
  datapath.service({ vips: ['10.96.1.8#80'], protocols: ['tcp'], backends: ['10.1.0.1#80'] })
  datapath.service({ vips: ['10.96.1.8#80'], protocols: ['udp'], backends: ['10.1.0.2#81'] })
  const client = host.client()
  assert.deepEqual(await client.tally('connects 5 inet 10.96.1.8 80'), { '10.1.0.1#80': 5 })
  assert.deepEqual(await client.tally('datagrams 5 inet 10.96.1.8 80'), { '10.1.0.2#81': 5 })
})

test('without records TCP is translated, and getpeername shows the backend', async () => {
  await using own = new SocketHost()
  await own.serve('10.1.0.1#80')
  using bare = new TestDatapath({ cgroup: own.cgroup, constants: { record_tcp: false } })
  const service = bare.service({ vips: ['10.96.0.1#80'], backends: ['10.1.0.1#80'] })
  const client = own.client()
  await client.call('socket a inet stream')
  await client.call('connect a 10.96.0.1 80')
  assert.equal(await client.call('getpeername a'), '10.1.0.1 80')
  assert.deepEqual(service.count('10.1.0.1#80'), { connections: 1, datagrams: 0, open: 0 })
  assert.deepEqual(bare.records('tcp'), [])
  await client.kill()
})
