import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, afterEach, before, describe, test } from 'node:test'
import { Reason } from '../bindings.gen.ts'
import { mapped } from './testing/address.ts'
import { ask } from './testing/ask.ts'
import { TestDatapath, type TestService } from './testing/datapath.ts'
import { type Client, SocketHost } from './testing/socket-host.ts'

/** Addresses of the pod that the client is in: one in the ranges, one that is not, of each family. */
const inside = { IPv4: '10.7.0.1', IPv6: 'fd07::1' }
const outside = { IPv4: '10.8.0.1', IPv6: 'fd08::1' }
const backends = { IPv4: '10.1.0.1#80', IPv6: 'fd01::1#80' }

const forms = [
  { form: 'IPv4', family: 'IPv4', socket: 'inet', vip: '192.0.2.1', in: inside.IPv4, out: outside.IPv4 },
  {
    form: 'IPv4-mapped',
    family: 'IPv4',
    socket: 'inet6',
    vip: '::ffff:192.0.2.1',
    in: `::ffff:${inside.IPv4}`,
    out: `::ffff:${outside.IPv4}`,
  },
  { form: 'IPv6', family: 'IPv6', socket: 'inet6', vip: '2001:db8::1', in: inside.IPv6, out: outside.IPv6 },
] as const

let host: SocketHost
let datapath: TestDatapath
let client: Client
let services: { readonly IPv4: TestService; readonly IPv6: TestService }
/** Of the client's namespace: the datapath tells it where it does not know the namespace. */
let cookie: bigint

before(async () => {
  host = new SocketHost()
  await host.serve(
    ...Object.values(backends),
    ...[inside, outside].flatMap(a => [`${a.IPv4}#1`, `${a.IPv6}#1`]),
  )
  datapath = new TestDatapath({ cgroup: host.cgroup })
  client = host.client()
  services = {
    IPv4: datapath.service({
      vips: ['192.0.2.1#80'],
      backends: [backends.IPv4],
      sourceRanges: ['10.7.0.0/24', '192.0.2.64/26'],
    }),
    IPv6: datapath.service({
      vips: ['2001:db8::1#80'],
      backends: [backends.IPv6],
      sourceRanges: ['fd07::/64', '2001:db8:1::/48'],
    }),
  }
  assert.equal(await client.call('socket first inet stream'), '')
  assert.equal(await client.call('connect first 192.0.2.1 80'), 'EHOSTUNREACH')
  const [missing] = [...datapath.netnsMissing.entries()]
  cookie = missing?.[0] ?? 0n
})
after(async () => {
  datapath?.[Symbol.dispose]()
  await host?.[Symbol.asyncDispose]()
})

let sockets = 0
const opened: string[] = []
async function open(socket: string, kind: 'stream' | 'dgram'): Promise<string> {
  const name = `s${sockets++}`
  await client.call(`socket ${name} ${socket} ${kind}`)
  opened.push(name)
  return name
}
afterEach(async () => {
  for (const name of opened.splice(0)) await client.call(`close ${name}`)
})

const preferred = (which: typeof inside): void => datapath.setSources(cookie, which.IPv4, which.IPv6)
const forget = (): void => {
  datapath.netns.delete(cookie)
  for (const [key] of [...datapath.netnsMissing.entries()]) datapath.netnsMissing.delete(key)
}

for (const { form, family, socket, vip, in: good, out: bad } of forms) {
  describe(`[KP-4.2.1] ${form}`, () => {
    for (const kind of ['stream', 'dgram'] as const) {
      const connect = async (bound?: string): Promise<string> => {
        const name = await open(socket, kind)
        if (bound !== undefined) assert.equal(await client.call(`bind ${name} ${bound} 0`), '')
        return await client.call(`connect ${name} ${vip} 80`)
      }

      test(`${kind}: a socket that is not bound has the source that its namespace prefers`, async () => {
        preferred(inside)
        assert.equal(await connect(), '')
        preferred(outside)
        assert.equal(await connect(), 'EHOSTUNREACH')
      })

      test(`${kind}: a bound socket has the source that it is bound to, whatever the namespace prefers`, async () => {
        preferred(outside)
        assert.equal(await connect(good), '')
        preferred(inside)
        assert.equal(await connect(bad), 'EHOSTUNREACH')
      })

      test(`${kind}: in a namespace that nobody knows a bound socket is served, another is noted and told`, async () => {
        forget()
        const unknown = datapath.reasonCount(Reason.SOURCE_UNKNOWN)
        assert.equal(await connect(good), '')
        assert.deepEqual([...datapath.netnsMissing.entries()], [])
        assert.equal(await connect(), 'EHOSTUNREACH')
        assert.equal(datapath.reasonCount(Reason.SOURCE_UNKNOWN), unknown + 1)
        const inode = statSync(`/run/netns/${host.name}`).ino
        assert.deepEqual(
          [...datapath.netnsMissing.entries()],
          [[cookie, { inode, tgid: client.process.pid }]],
        )
      })

      test(`${kind}: a namespace without an address of the family counts as not known`, async () => {
        forget()
        datapath.setSources(
          cookie,
          family === 'IPv4' ? '' : inside.IPv4,
          family === 'IPv6' ? '' : inside.IPv6,
        )
        assert.equal(await connect(), 'EHOSTUNREACH')
        assert.deepEqual(
          [...datapath.netnsMissing.entries()].map(([key]) => key),
          [cookie],
        )
      })
    }

    test('datagrams: each is checked, with the source that it carries or the socket is bound to', async () => {
      preferred(outside)
      const name = await open(socket, 'dgram')
      const blocked = datapath.reasonCount(Reason.SOURCE_BLOCKED)
      assert.equal(await client.call(`sendto ${name} ${vip} 80 hello`), 'EHOSTUNREACH')
      assert.equal(datapath.reasonCount(Reason.SOURCE_BLOCKED), blocked + 1)
      if (form !== 'IPv4-mapped')
        assert.equal(await client.call(`sendfrom ${name} ${good} ${vip} 80 hello`), '')
      preferred(inside)
      assert.equal(await client.call(`sendto ${name} ${vip} 80 hello`), '')
      if (form !== 'IPv4-mapped')
        assert.equal(await client.call(`sendfrom ${name} ${bad} ${vip} 80 hello`), 'EHOSTUNREACH')
      const bound = await open(socket, 'dgram')
      await client.call(`bind ${bound} ${bad} 0`)
      assert.equal(await client.call(`sendto ${bound} ${vip} 80 hello`), 'EHOSTUNREACH')
    })
  })
}

test('[KP-4.2.1] connections that are made stay when a range goes, new ones do not come', async () => {
  preferred(inside)
  const name = await open('inet', 'dgram')
  assert.equal(await client.call(`connect ${name} 192.0.2.1 80`), '')
  datapath.forbid(services.IPv4, '10.7.0.0/24')
  try {
    assert.equal(await client.call(`send ${name} hello`), '')
    assert.match(await client.call(`recvfrom ${name}`), /^192\.0\.2\.1 80 10\.1\.0\.1#80/)
    assert.equal(await client.call(`connect ${await open('inet', 'stream')} 192.0.2.1 80`), 'EHOSTUNREACH')
  } finally {
    datapath.allow(services.IPv4, '10.7.0.0/24')
  }
})

test('[KP-4.10 KP-4.2.1 KP-13.6] without endpoints a blocked source is dropped and an allowed one refused', async () => {
  const { IPv4 } = services
  IPv4.setBackends([])
  try {
    preferred(outside)
    assert.equal(await client.call(`connect ${await open('inet', 'stream')} 192.0.2.1 80`), 'EHOSTUNREACH')
    preferred(inside)
    assert.equal(await client.call(`connect ${await open('inet', 'stream')} 192.0.2.1 80`), 'ECONNREFUSED')
  } finally {
    IPv4.setBackends([backends.IPv4])
  }
})

test('what was blocked is counted for the service port', async () => {
  preferred(outside)
  const before = datapath.counts(services.IPv4).unreachable
  await client.call(`connect ${await open('inet', 'stream')} 192.0.2.1 80`)
  assert.equal(datapath.counts(services.IPv4).unreachable, before + 1)
})

for (const { family, vip, cases } of [
  {
    family: 'IPv4',
    vip: '192.0.2.1',
    cases: [
      ['10.7.0.0', true],
      ['10.7.0.255', true],
      ['10.7.1.0', false],
      ['10.6.255.255', false],
      ['192.0.2.63', false],
      ['192.0.2.64', true],
      ['192.0.2.127', true],
      ['192.0.2.128', false],
    ],
  },
  {
    family: 'IPv6',
    vip: '2001:db8::1',
    cases: [
      ['fd07::', true],
      ['fd07::ffff:ffff:ffff:ffff', true],
      ['fd07:0:0:1::', false],
      ['2001:db8:1:ffff::1', true],
      ['2001:db8:2::', false],
      ['::ffff:10.7.0.1', false],
    ],
  },
] as const) {
  test(`[KP-4.2.1] ${family}: a range holds its first and last address and no other`, () => {
    const program = datapath.loadSelectTest().program('select_test')
    for (const [source, allowed] of cases)
      assert.equal(
        ask(program, vip, 80, { source: mapped(source) }).reason,
        allowed ? Reason.TRANSLATED : Reason.SOURCE_BLOCKED,
        source,
      )
  })
}

test('a service port’s ranges open no other service port', () => {
  const other = datapath.service({ vips: ['192.0.2.9#80'], backends: [backends.IPv4], sourceRanges: [] })
  const program = datapath.loadSelectTest().program('select_test')
  const from = { source: mapped(inside.IPv4) }
  assert.equal(ask(program, '192.0.2.9', 80, from).reason, Reason.SOURCE_BLOCKED)
  datapath.allow(other, '10.0.0.0/8')
  assert.equal(ask(program, '192.0.2.9', 80, from).reason, Reason.TRANSLATED)
})

test('a map of missing namespaces that is full notes them when it has room again', async () => {
  await using own = new SocketHost()
  using small = new TestDatapath({ cgroup: own.cgroup, maxEntries: { netns_missing: 1 } })
  small.service({ vips: ['192.0.2.1#80'], backends: ['10.1.0.1#80'], sourceRanges: ['10.7.0.0/24'] })
  small.netnsMissing.update(7n, { inode: 1, tgid: 1 })
  const caller = own.client()
  await caller.call('socket a inet stream')
  assert.equal(await caller.call('connect a 192.0.2.1 80'), 'EHOSTUNREACH')
  assert.deepEqual(
    [...small.netnsMissing.entries()].map(([key]) => key),
    [7n],
  )
  small.netnsMissing.delete(7n)
  assert.equal(await caller.call('connect a 192.0.2.1 80'), 'EHOSTUNREACH')
  assert.equal([...small.netnsMissing.entries()].length, 1)
  await caller.kill()
})
