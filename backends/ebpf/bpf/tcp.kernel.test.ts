import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TestDatapath } from './testing/datapath.ts'
import { SocketHost } from './testing/socket-host.ts'

let host: SocketHost
let datapath: TestDatapath

before(async () => {
  host = new SocketHost()
  await host.serve('10.1.0.1#80', '10.1.0.2#81', '10.1.0.3#82', 'fd01::1#80', 'fd01::2#81')
  datapath = new TestDatapath({ cgroup: host.cgroup })
})
after(async () => {
  datapath[Symbol.dispose]()
  await host[Symbol.asyncDispose]()
})

const cases = [
  { form: 'an IPv4 socket', family: 'inet', vip: '10.96.0.1', backends: ['10.1.0.1#80', '10.1.0.2#81'] },
  { form: 'an IPv6 socket', family: 'inet6', vip: 'fd96::1', backends: ['fd01::1#80', 'fd01::2#81'] },
  {
    form: 'an IPv6 socket with an IPv4-mapped address',
    family: 'inet6',
    vip: '::ffff:10.96.0.2',
    backends: ['10.1.0.1#80', '10.1.0.2#81'],
  },
] as const

for (const { form, family, vip, backends } of cases) {
  for (const language of ['c', 'python'] as const) {
    test(`${form} reaches a backend by TCP, and getpeername shows the Service (${language})`, async () => {
      const service = datapath.service({ vips: [`${vip.replace('::ffff:', '')}#7000`], backends })
      const client = host.client(language)
      await client.call(`socket a ${family} stream`)
      assert.equal(await client.call(`connect a ${vip} 7000`), '')
      const [backend = ''] = (await client.call('recvfrom a')).split(' ')
      assert.ok(backends.some(name => name === backend), backend)
      assert.equal(await client.call('getpeername a'), `${vip} 7000`)
      assert.deepEqual(service.count(backend), { connections: 1, datagrams: 0, open: 1 })
      await client.call('close a')
      assert.equal(service.count(backend).open, 0)
    })
  }
}
