import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TestDatapath } from './testing/datapath.ts'
import { SocketHost } from './testing/socket-host.ts'

const backends4 = Array.from({ length: 8 }, (_, n) => `10.1.0.${n + 1}#80`)
const backends6 = Array.from({ length: 4 }, (_, n) => `fd01::${n + 1}#80`)

const owned = new AsyncDisposableStack()
let host: SocketHost
let datapath: TestDatapath

before(async () => {
  host = owned.use(new SocketHost())
  await host.serve(...backends4, ...backends6)
  datapath = owned.use(new TestDatapath({ cgroup: host.cgroup }))
})
after(() => owned.disposeAsync())

test('[KP-4.3.1] all sockets of a network namespace go to one backend, on every frontend and by every kind of socket', async () => {
  const vips = ['10.96.0.1#80', '192.0.2.1#8080']
  datapath.service({ vips, backends: backends4, affinityTimeoutS: 3600 })
  const [one, other] = [host.client(), host.client()]
  const [backend = '', ...others] = Object.keys(await one.tally('connects 20 inet 10.96.0.1 80'))
  assert.deepEqual(others, [])
  assert.deepEqual(await other.tally('connects 5 inet6 ::ffff:192.0.2.1 8080'), { [backend]: 5 })
  assert.deepEqual(await other.tally('datagrams 5 inet 192.0.2.1 8080'), { [backend]: 5 })
  await one.call('socket a inet dgram')
  await one.call('connect a 10.96.0.1 80')
  await one.call('send a hello')
  assert.equal(await one.call('recvfrom a'), `10.96.0.1 80 ${backend} hello`)
})

test('IPv6 too', async () => {
  datapath.service({ vips: ['fd96::1#80'], backends: backends6, affinityTimeoutS: 3600 })
  const counts = await host.client().tally('connects 20 inet6 fd96::1 80')
  assert.deepEqual(Object.values(counts), [20])
})

test('network namespaces choose for themselves', async () => {
  datapath.service({ vips: ['10.96.0.2#80'], backends: backends4, affinityTimeoutS: 3600 })
  const chosen = new Set<string>()
  const clients = new Set<string>()
  for (let n = 0; n < 6; n++) {
    await using own = new SocketHost()
    await own.serve(...backends4)
    using links = new TestDatapath({ cgroup: own.cgroup })
    links.service({ vips: ['10.96.0.2#80'], backends: backends4, affinityTimeoutS: 3600 })
    const client = own.client()
    const [backend = '', ...others] = Object.keys(await client.tally('connects 5 inet 10.96.0.2 80'))
    assert.deepEqual(others, [])
    chosen.add(backend)
    for (const [key] of links.affinity.entries()) clients.add(Buffer.from(key.client).toString('hex'))
    await client.kill()
  }
  assert.equal(clients.size, 6)
  assert.ok(chosen.size > 1)
})

test('[KP-4.3.3] a client whose backend goes gets another and keeps that', async () => {
  const service = datapath.service({ vips: ['10.96.0.3#80'], backends: backends4, affinityTimeoutS: 3600 })
  const client = host.client()
  const [first = ''] = Object.keys(await client.tally('connects 1 inet 10.96.0.3 80'))
  service.setBackends(backends4.filter(name => name !== first))
  const [second = '', ...others] = Object.keys(await client.tally('connects 10 inet 10.96.0.3 80'))
  assert.deepEqual(others, [])
  assert.notEqual(second, first)
  service.setBackends(backends4)
  assert.deepEqual(await client.tally('connects 10 inet 10.96.0.3 80'), { [second]: 10 })
})

test('[KP-4.3.2] a client that was idle for longer than the timeout chooses anew', async () => {
  const service = datapath.service({
    vips: ['10.96.0.4#80'],
    backends: [backends4[0] ?? ''],
    affinityTimeoutS: 1,
  })
  const client = host.client()
  await client.tally('connects 1 inet 10.96.0.4 80')
  service.setBackends(backends4)
  assert.deepEqual(await client.tally('connects 1 inet 10.96.0.4 80'), { [backends4[0] ?? '']: 1 })
  const seen = new Set<string>()
  for (let n = 0; n < 3; n++) {
    await new Promise(resolve => setTimeout(resolve, 1100))
    for (const name of Object.keys(await client.tally('connects 1 inet 10.96.0.4 80'))) seen.add(name)
  }
  // All three are the first again once in 512 times; a fourth look would not make it clearer than the next test run.
  assert.ok(seen.size > 1 || !seen.has(backends4[0] ?? ''), [...seen].join(' '))
})
