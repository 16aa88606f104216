import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AddrFlag, Reason } from '../bindings.gen.ts'
import { TestDatapath } from './testing/datapath.ts'
import { SocketHost } from './testing/socket-host.ts'

const owned = new AsyncDisposableStack()
let host: SocketHost
let datapath: TestDatapath

before(async () => {
  host = owned.use(new SocketHost())
  await host.serve('10.1.0.1#80', '192.168.0.1#80', 'fd01::1#80', '10.9.9.9#80')
  datapath = owned.use(new TestDatapath({ cgroup: host.cgroup, protectNodePorts: true }))
  datapath.service({ vips: ['*#30080'], backends: ['10.1.0.1#80'], protocols: ['tcp'] })
  datapath.service({ vips: ['*#30086'], backends: ['fd01::1#80'], protocols: ['tcp'] })
  datapath.setAddress('192.168.0.1', AddrFlag.NODE)
})
after(() => owned.disposeAsync())

const cases = [
  { family: 'inet', kind: 'stream', address: '0.0.0.0', port: 30080, answer: 'EADDRINUSE' },
  { family: 'inet', kind: 'stream', address: '192.168.0.1', port: 30080, answer: 'EADDRINUSE' },
  { family: 'inet6', kind: 'stream', address: '::', port: 30080, answer: 'EADDRINUSE' },
  { family: 'inet6', kind: 'stream', address: '::ffff:192.168.0.1', port: 30080, answer: 'EADDRINUSE' },
  { family: 'inet6', kind: 'stream', address: '::', port: 30086, answer: 'EADDRINUSE' },
  { family: 'inet', kind: 'stream', address: '0.0.0.0', port: 30086, answer: '' },
  { family: 'inet', kind: 'dgram', address: '0.0.0.0', port: 30080, answer: '' },
  { family: 'inet', kind: 'stream', address: '127.0.0.1', port: 30080, answer: '' },
  { family: 'inet', kind: 'stream', address: '10.9.9.9', port: 30080, answer: '' },
  { family: 'inet', kind: 'stream', address: '0.0.0.0', port: 30081, answer: '' },
  { family: 'inet', kind: 'stream', address: '0.0.0.0', port: 0, answer: '' },
] as const

for (const { family, kind, address, port, answer } of cases) {
  test(`bind() of a ${family} ${kind} socket to ${address} port ${port}: ${answer || 'done'}`, async () => {
    const earlier = datapath.reasonCount(Reason.PORT_PROTECTED)
    const client = host.client()
    await client.call(`socket a ${family} ${kind}`)
    assert.equal(await client.call(`bind a ${address} ${port}`), answer)
    assert.equal(datapath.reasonCount(Reason.PORT_PROTECTED), earlier + (answer === '' ? 0 : 1))
    await client.kill()
  })
}

test('without bpf_set_retval bind() is EPERM', async () => {
  await using own = new SocketHost()
  using old = new TestDatapath({
    cgroup: own.cgroup,
    protectNodePorts: true,
    constants: { use_set_retval: false },
  })
  old.service({ vips: ['*#30080'], backends: ['10.1.0.1#80'] })
  const client = own.client()
  await client.call('socket a inet stream')
  assert.equal(await client.call('bind a 0.0.0.0 30080'), 'EPERM')
  await client.kill()
})
