import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { mapped, split } from './testing/address.ts'
import { TestDatapath, type TestService } from './testing/datapath.ts'
import { type Client, SocketHost } from './testing/socket-host.ts'

const [a, b, v6] = ['10.1.0.1#53', '10.1.0.2#54', 'fd01::1#53']

const owned = new AsyncDisposableStack()
let host: SocketHost
let datapath: TestDatapath

before(async () => {
  host = owned.use(new SocketHost())
  await host.serve(a, b, v6)
  datapath = owned.use(new TestDatapath({ cgroup: host.cgroup }))
})
after(() => owned.disposeAsync())

const markDead = (service: TestService, backend: string, generation = 0): void =>
  datapath.dead.update({ backend: service.idOf(backend), generation }, 1)

const staleOf = (service: TestService, backend: string) =>
  datapath.staleUdp().filter(row => row.backend === service.idOf(backend))

const netnsOf = (client: Client): number =>
  Number(/\d+/.exec(readlinkSync(`/proc/${client.process.pid}/ns/net`))?.[0])

for (const { form, family, prefix, vip, backend, kernelFamily } of [
  { form: 'IPv4', family: 'inet', prefix: '', vip: '10.96.0.1', backend: a, kernelFamily: 2 },
  { form: 'IPv6', family: 'inet6', prefix: '', vip: 'fd96::1', backend: v6, kernelFamily: 10 },
  { form: 'IPv4-mapped', family: 'inet6', prefix: '::ffff:', vip: '10.96.0.2', backend: a, kernelFamily: 10 },
]) {
  test(`a connected ${form} socket of a dead backend is found, with all that names it`, async () => {
    const service = datapath.service({ vips: [`${vip}#53`], backends: [backend] })
    const client = host.client()
    await client.call(`socket a ${family} dgram`)
    await client.call(`connect a ${prefix}${vip} 53`)
    assert.deepEqual(staleOf(service, backend), [])
    markDead(service, backend)
    const [row, ...others] = staleOf(service, backend)
    assert.ok(row !== undefined && others.length === 0)
    const { address, port } = split(backend)
    assert.deepEqual(
      [row.family, row.proto, row.remoteAddr, row.remotePort, row.localAddr],
      [kernelFamily, 17, mapped(address), port, mapped(address)],
    )
    assert.ok(row.localPort > 0 && row.cookie > 0n)
    assert.equal(row.tgid, client.process.pid)
    assert.equal(row.netns, netnsOf(client))
    await client.call('close a')
    assert.deepEqual(staleOf(service, backend), [])
  })
}

test('a socket of a dead backend that is bound to a device is found with its device', async () => {
  const service = datapath.service({ vips: ['10.96.3.1#53'], backends: [a] })
  markDead(service, a)
  const client = host.client()
  await client.call('socket free inet dgram')
  await client.call('connect free 10.96.3.1 53')
  await client.call('socket bound inet dgram')
  await client.call('device bound lo')
  await client.call('connect bound 10.96.3.1 53')
  const devices = staleOf(service, a).map(row => row.ifindex)
  assert.deepEqual(devices.sort(), [0, 1]) // lo is the first device of every namespace
})

test('[KP-7.4] sockets of other backends, unconnected and disconnected ones, and TCP are not stale', async () => {
  const service = datapath.service({ vips: ['10.96.1.1#53'], backends: [a] })
  const other = datapath.service({ vips: ['10.96.1.2#53'], backends: [b] })
  markDead(service, a)
  markDead(other, b, 1)
  const client = host.client()
  await client.call('socket other inet dgram')
  await client.call('connect other 10.96.1.2 53')
  await client.call('socket unconnected inet dgram')
  await client.call('sendto unconnected 10.96.1.1 53 hello')
  await client.call('socket disconnected inet dgram')
  await client.call('connect disconnected 10.96.1.1 53')
  await client.call('disconnect disconnected')
  await client.call('socket stream inet stream')
  await client.call('connect stream 10.96.1.1 53')
  assert.deepEqual([...staleOf(service, a), ...staleOf(other, b)], [])
})

test('every id that a socket’s record names is listed', async () => {
  const vips = ['10.96.2.1', '10.96.2.2', '10.96.2.3']
  const services = vips.map(vip => datapath.service({ vips: [`${vip}#53`], backends: [a] }))
  const ids = services.map(service => service.idOf(a))
  const client = host.client()
  await client.call('socket u inet dgram')
  await client.call(`sendto u ${vips[0]} 53 x`)
  await client.call(`sendto u ${vips[1]} 53 x`)
  await client.call(`connect u ${vips[2]} 53`)
  await client.call('socket t inet stream')
  await client.call(`connect t ${vips[2]} 53`)
  const mine = (kind: 'tcp' | 'udp') => datapath.records(kind).filter(row => ids.includes(row.backend))
  const row = {
    generation: 0,
    backendPort: 53,
    backendAddr: mapped('10.1.0.1'),
  }
  assert.deepEqual(
    mine('udp').sort((x, y) => x.backend - y.backend),
    services.map((service, at) => ({
      ...row,
      backend: ids[at],
      servicePort: service.servicePort,
      proto: 17,
      connected: at === 2 ? 1 : 0,
    })),
  )
  assert.deepEqual(mine('tcp'), [
    { ...row, backend: ids[2], servicePort: services[2]?.servicePort, proto: 6, connected: 1 },
  ])
  await client.kill()
  assert.deepEqual([...mine('udp'), ...mine('tcp')], [])
})

test('2,000 sockets are listed without losing one', async () => {
  const service = datapath.service({ vips: ['10.96.3.1#53'], backends: [a] })
  const clients = [host.client(), host.client(), host.client(), host.client()]
  for (const client of clients)
    assert.deepEqual(await client.tally('hold 500 inet 10.96.3.1 53'), { [a]: 500 })
  const rows = datapath.records('tcp').filter(row => row.backend === service.idOf(a))
  assert.equal(rows.length, 2000)
  assert.equal(service.count(a).open, 2000)
})
