import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RingBuffer } from '@kpng/ebpf'
import { event, Hook, Reason } from '../bindings.gen.ts'
import { mapped } from './testing/address.ts'
import { TestDatapath } from './testing/datapath.ts'
import { SocketHost } from './testing/socket-host.ts'

test('each decision is an event when events are on', async () => {
  await using host = new SocketHost()
  await host.serve('10.1.0.1#80')
  using datapath = new TestDatapath({ cgroup: host.cgroup, constants: { events_enabled: true } })
  const service = datapath.service({ vips: ['10.96.0.1#80'], backends: ['10.1.0.1#80'] })
  const empty = datapath.service({ vips: ['fd96::1#81'], backends: [], ipv6: true })
  using events = new RingBuffer(datapath.sock.map('event'), event)
  const client = host.client()
  const tgid = client.process.pid
  await client.call('socket a inet6 stream')
  await client.call('connect a ::ffff:10.96.0.1 80')
  await client.call('socket b inet dgram')
  await client.call('sendto b 10.96.0.1 80 hello')
  await client.call('socket c inet6 stream')
  await client.call('connect c fd96::1 81')
  await client.call('socket d inet stream')
  await client.call('connect d 10.1.0.1 80')
  const translated = {
    vip: mapped('10.96.0.1'),
    vipPort: 80,
    backendAddr: mapped('10.1.0.1'),
    backendPort: 80,
    servicePort: service.servicePort,
    reason: Reason.TRANSLATED,
    family: 2,
    tgid,
  }
  const seen = [events.read(), events.read(), events.read()].map(one => {
    assert.ok(one !== undefined && one.timeNs > 0n && one.cookie > 0n)
    const { timeNs: _time, cookie: _cookie, ...rest } = one
    return rest
  })
  assert.equal(events.read(), undefined)
  assert.deepEqual(seen, [
    { ...translated, proto: 6, hook: Hook.CONNECT },
    { ...translated, proto: 17, hook: Hook.SENDMSG },
    {
      vip: mapped('fd96::1'),
      vipPort: 81,
      backendAddr: new Uint8Array(16),
      backendPort: 0,
      servicePort: empty.servicePort,
      proto: 6,
      hook: Hook.CONNECT,
      reason: Reason.NO_ENDPOINTS,
      family: 10,
      tgid,
    },
  ])
  await client.kill()
})

test('events that do not fit are counted', async () => {
  await using host = new SocketHost()
  using datapath = new TestDatapath({
    cgroup: host.cgroup,
    constants: { events_enabled: true },
    maxEntries: { event: 4096 },
  })
  datapath.service({ vips: ['10.96.0.1#80'], backends: [] })
  const client = host.client()
  await client.tally('connects 100 inet 10.96.0.1 80')
  using events = new RingBuffer(datapath.sock.map('event'), event)
  let read = 0
  while (events.read() !== undefined) read++
  assert.ok(read > 0 && read < 100, `${read}`)
  assert.equal(datapath.reasonCount(Reason.EVENT_LOST), 100 - read)
  await client.kill()
})
