import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Reason } from '../bindings.gen.ts'
import { assertUniform } from './testing/assert-uniform.ts'
import { TestDatapath } from './testing/datapath.ts'
import { SocketHost } from './testing/socket-host.ts'

const backends4 = ['10.1.0.1#53', '10.1.0.2#54', '10.1.0.3#55', '10.1.0.4#56']
const backends6 = ['fd01::1#53', 'fd01::2#54']
const [a = '', b = '', c = ''] = backends4

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
  const shown = `${prefix}${vip}`

  for (const language of ['c', 'python'] as const) {
    test(`[KPNG-D3] ${form} that does not connect is answered by the Service (${language})`, async () => {
      datapath.service({ vips: [`${vip}#7000`], backends })
      const client = host.client(language)
      await client.call(`socket a ${family} dgram`)
      assert.equal(await client.call(`sendto a ${shown} 7000 hello`), '')
      const [address, port, backend = '', echo] = (await client.call('recvfrom a')).split(' ')
      assert.deepEqual([address, port, echo], [shown, '7000', 'hello'])
      assert.ok(backends.includes(backend))
    })

    test(`${form} that connects is answered by the Service, and getpeername shows it (${language})`, async () => {
      const service = datapath.service({ vips: [`${vip}#7001`], backends })
      const client = host.client(language)
      await client.call(`socket a ${family} dgram`)
      assert.equal(await client.call(`connect a ${shown} 7001`), '')
      assert.equal(await client.call('getpeername a'), `${shown} 7001`)
      for (const word of ['one', 'two']) {
        assert.equal(await client.call(`send a ${word}`), '')
        const [address, port, backend = '', echo] = (await client.call('recvfrom a')).split(' ')
        assert.deepEqual([address, port, echo], [shown, '7001', word])
        assert.deepEqual(service.count(backend), { connections: 1, datagrams: 0, open: 1 })
      }
      await client.call('close a')
      for (const name of backends) assert.equal(service.count(name).open, 0)
    })
  }

  test(`[DP-9.17] 1,000 datagrams of ${form} go to one backend`, async () => {
    const service = datapath.service({ vips: [`${vip}#7002`], backends })
    const client = host.client()
    await client.call(`socket a ${family} dgram`)
    const [[backend = '', count] = [], ...others] = Object.entries(
      await client.tally(`asks 1000 a ${shown} 7002`),
    )
    assert.deepEqual([count, others], [1000, []])
    assert.equal(service.count(backend).datagrams, 1000)
    assert.equal(datapath.counts(service).datagrams, 1000)
  })

  test(`[KP-4.16 KPNG-D2] sockets (${form}) spread evenly`, async () => {
    datapath.service({ vips: [`${vip}#7003`], backends })
    assertUniform(await host.client().tally(`datagrams 300 ${family} ${shown} 7003`), backends, 300)
  })
}

test('an AF_INET address on an IPv6 socket is translated, and its reply shows the mapped Service', async () => {
  datapath.service({ vips: ['10.96.1.1#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet6 dgram')
  await client.call('sendto a 10.96.1.1 53 hello')
  assert.equal(await client.call('recvfrom a'), `::ffff:10.96.1.1 53 ${a} hello`)
})

test('[DP-9.12] an IPV6_V6ONLY socket is not given an IPv4 backend', async () => {
  datapath.service({ vips: ['10.96.1.2#53'], backends: [a] })
  datapath.service({ vips: ['fd96::12#53'], backends: backends6 })
  const client = host.client()
  await client.call('socket a inet6 dgram v6only')
  assert.equal(await client.call('sendto a ::ffff:10.96.1.2 53 hello'), 'ENETUNREACH')
  await client.call('sendto a fd96::12 53 hello')
  assert.match(await client.call('recvfrom a'), /^fd96::12 53 fd01::/)
})

test('sendto() with AF_UNSPEC counts as IPv4', async () => {
  datapath.service({ vips: ['10.96.1.3#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet dgram')
  assert.equal(await client.call('sendto-unspec a 10.96.1.3 53 hello'), '')
  assert.equal(await client.call('recvfrom a'), `10.96.1.3 53 ${a} hello`)
})

test('a socket stays with its backend while others come and go', async () => {
  const service = datapath.service({ vips: ['10.96.1.4#53'], backends: [b] })
  const client = host.client()
  await client.call('socket a inet dgram')
  for (const backends of [[b], [a, b], [a, b, c], [b, c], backends4, [b]]) {
    service.setBackends(backends)
    assert.deepEqual(await client.tally('asks 20 a 10.96.1.4 53'), { [b]: 20 })
  }
})

test('a socket moves on when its backend goes', async () => {
  const service = datapath.service({ vips: ['10.96.1.5#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet dgram')
  assert.deepEqual(await client.tally('asks 1 a 10.96.1.5 53'), { [a]: 1 })
  service.setBackends([b])
  assert.deepEqual(await client.tally('asks 5 a 10.96.1.5 53'), { [b]: 5 })
  service.setBackends([])
  assert.deepEqual(await client.tally('asks 2 a 10.96.1.5 53'), { ECONNREFUSED: 2 })
  service.setBackends([c])
  assert.deepEqual(await client.tally('asks 5 a 10.96.1.5 53'), { [c]: 5 })
})

for (const [place, vip] of [
  ['in another range', '10.96.1.7'],
  ['in the very slot', '10.96.1.8'],
] as const) {
  test(`a backend that has been given the id of a socket’s old one, ${place}, is not its successor`, async () => {
    const service = datapath.service({ vips: [`${vip}#53`], backends: [a, c] })
    const client = host.client()
    const sockets = Array.from({ length: 60 }, (_, n) => `s${n}`)
    for (const name of sockets) {
      await client.call(`socket ${name} inet dgram`)
      await client.call(`sendto ${name} ${vip} 53 x`)
    }
    const atC = service.count(c).datagrams
    service.giveId(a, b)
    service.flip(
      service.writeBackends([b, c], undefined, place === 'in the very slot' ? service.base : undefined),
    )
    for (const name of sockets) await client.call(`sendto ${name} ${vip} 53 x`)
    // Who was at c is there again; of the others each comes to c once in two times, to c at all once in four.
    assert.ok(service.count(c).datagrams > 2 * atC, `${service.count(c).datagrams} of 60 and ${atC}`)
  })
}

test('a list of 5,000 finds a socket’s backend wherever it moves in the list', async () => {
  const many = Array.from({ length: 5000 }, (_, n) => `10.2.${n >> 8}.${n & 255}#53`)
  const service = datapath.service({ vips: ['10.96.1.6#53'], backends: [a] })
  for (const name of many.slice(0, 2500)) service.idOf(name)
  const client = host.client()
  await client.call('socket a inet dgram')
  await client.call('sendto a 10.96.1.6 53 x')
  for (const part of [many, many.slice(2500), many.slice(0, 2500), many.slice(100, 101)]) {
    service.setBackends([...part, a])
    assert.equal(await client.call('sendto a 10.96.1.6 53 x'), '')
  }
  assert.equal(service.count(a).datagrams, 5)
})

test('two Services of one socket go to different backends where there are two', async () => {
  datapath.service({ vips: ['10.96.2.1#53'], backends: [a, b] })
  datapath.service({ vips: ['10.96.2.2#53'], backends: [a, b] })
  const client = host.client()
  for (let i = 0; i < 30; i++) {
    await client.call('socket a inet dgram')
    const [first] = Object.keys(await client.tally('asks 1 a 10.96.2.1 53'))
    const [second] = Object.keys(await client.tally('asks 1 a 10.96.2.2 53'))
    assert.deepEqual([first, second].sort(), [a, b])
    await client.call('close a')
  }
})

test('two Services of one socket on one backend: replies belong to the one last used', async () => {
  datapath.service({ vips: ['10.96.2.3#53'], backends: [a] })
  datapath.service({ vips: ['10.96.2.4#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet dgram')
  for (const vip of ['10.96.2.3', '10.96.2.4', '10.96.2.3', '10.96.2.3', '10.96.2.4'])
    assert.deepEqual(await client.tally(`asks 3 a ${vip} 53`), { [a]: 3 }, vip)
})

test('nine Services on one socket each keep their backend, and each reply is its own', async () => {
  const vips = Array.from({ length: 9 }, (_, n) => `10.96.3.${n + 1}`)
  const services = vips.map(vip => datapath.service({ vips: [`${vip}#53`], backends: backends4 }))
  const client = host.client()
  await client.call('socket a inet6 dgram')
  const chosen = new Map<string, string>()
  for (let round = 0; round < 4; round++) {
    for (const vip of vips) {
      const counts = await client.tally(`asks 3 a ::ffff:${vip} 53`)
      const [backend = '', ...others] = Object.keys(counts)
      assert.deepEqual([counts[backend], others], [3, []], JSON.stringify(counts))
      assert.equal(chosen.get(vip) ?? backend, backend)
      chosen.set(vip, backend)
    }
  }
  assert.deepEqual(new Set([...chosen.values()].slice(0, 4)), new Set(backends4))
  for (const [at, vip] of vips.entries()) {
    const left = backends4.filter(name => name !== chosen.get(vip))
    services[at]?.setBackends(left)
    const [moved = ''] = Object.keys(await client.tally(`asks 3 a ::ffff:${vip} 53`))
    assert.ok(left.includes(moved), `${vip} to ${moved}`)
  }
})

test('[DP-9.14] flows that push each other out of the table touch no connected socket and none with few Services', async () => {
  await using own = new SocketHost()
  await own.serve(...backends4)
  const room = 256
  using small = new TestDatapath({ cgroup: own.cgroup, maxEntries: { rsk: room } })
  const vips = Array.from({ length: 9 }, (_, n) => `10.96.9.${n + 1}`)
  for (const vip of vips) small.service({ vips: [`${vip}#53`], backends: backends4 })
  const client = own.client()
  await client.call('socket c inet dgram')
  assert.equal(await client.call('connect c 10.96.9.1 53'), '')
  await client.call('socket u inet dgram')
  const few = vips.slice(0, 4)
  const answers = async (): Promise<Record<string, number>[]> => {
    const counts: Record<string, number>[] = []
    for (const vip of few) counts.push(await client.tally(`asks 3 u ${vip} 53`))
    return counts
  }
  const before = await answers()
  for (const counts of before) assert.deepEqual(Object.values(counts), [3])

  const flooding = 40
  // Five flows of each do not fit into its record, and each is there from both ends.
  assert.ok(flooding * (vips.length - 4) * 2 > room)
  for (let n = 0; n < flooding; n++) {
    await client.call(`socket f${n} inet dgram`)
    for (const vip of vips) await client.tally(`asks 1 f${n} ${vip} 53`)
  }
  assert.deepEqual(await answers(), before)
  assert.equal(await client.call('getpeername c'), '10.96.9.1 53')
  await client.call('send c hello')
  assert.match(await client.call('recvfrom c'), /^10\.96\.9\.1 53 \S+ hello$/)
  // Those that were pushed out are answered, too, and as the Service that they ask.
  for (const vip of vips) {
    const [[backend = '', count] = [], ...others] = Object.entries(await client.tally(`asks 3 f0 ${vip} 53`))
    assert.ok(backends4.includes(backend), backend)
    assert.deepEqual([count, others], [3, []])
  }
  await client.kill()
})

test('two threads on one socket: each Service keeps its backend, and no reply is taken for another’s', async () => {
  for (const [n, backends] of [
    [10, [a, b]],
    [20, backends4],
  ] as const) {
    const vips = [`10.96.4.${n}`, `10.96.4.${n + 1}`] as const
    for (const vip of vips) datapath.service({ vips: [`${vip}#53`], backends })
    const client = host.client()
    await client.call('socket a inet dgram')
    const counts = await client.tally(`race 500 a ${vips[0]} 53 ${vips[1]} 53`)
    assert.deepEqual(Object.values(counts), [500, 500], JSON.stringify(counts))
    for (const name of Object.keys(counts)) assert.ok(backends.includes(name), name)
  }
})

test('what a socket sends to a backend itself is answered by the backend', async () => {
  const [address = '', port = ''] = a.split('#')
  datapath.service({ vips: ['10.96.5.1#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet dgram')
  for (const to of ['10.96.5.1 53', `${address} ${port}`, '10.96.5.1 53', `${address} ${port}`])
    assert.deepEqual(await client.tally(`asks 2 a ${to}`), { [a]: 2 }, to)
})

test('the same with more Services on the socket than its record has slots', async () => {
  const vips = Array.from({ length: 6 }, (_, n) => `10.96.5.${n + 10}`)
  for (const vip of vips) datapath.service({ vips: [`${vip}#53`], backends: [c] })
  const client = host.client()
  await client.call('socket a inet dgram')
  for (const to of [...vips, ...vips.toReversed(), vips[5], '10.1.0.3', vips[0], '10.1.0.3', vips[5]])
    assert.deepEqual(await client.tally(`asks 2 a ${to} ${to === '10.1.0.3' ? 55 : 53}`), { [c]: 2 }, to)
})

test('a connected socket that names its Service again stays with its peer', async () => {
  datapath.service({ vips: ['10.96.6.1#53'], backends: backends4 })
  const client = host.client()
  for (let i = 0; i < 10; i++) {
    await client.call('socket a inet dgram')
    await client.call('connect a 10.96.6.1 53')
    const counts = await client.tally('asks 5 a 10.96.6.1 53')
    const [[backend = '', count] = [], ...others] = Object.entries(counts)
    assert.ok(backends4.includes(backend), backend)
    assert.deepEqual([count, others], [5, []])
    await client.call('close a')
  }
})

test('a connected mapped socket is not translated twice where its backend’s address is a Service too', async () => {
  datapath.service({ vips: ['10.96.6.2#53'], backends: [a] })
  const odd = datapath.service({ vips: [a], backends: [b] })
  const client = host.client()
  await client.call('socket a inet6 dgram')
  await client.call('connect a ::ffff:10.96.6.2 53')
  await client.call('send a hello')
  assert.equal(await client.call('recvfrom a'), `::ffff:10.96.6.2 53 ${a} hello`)
  assert.equal(odd.count(b).datagrams, 0)
  odd.deleteFrontend(a)
})

test('after connect() to AF_UNSPEC the backend’s own datagrams are its own', async () => {
  const [address = '', port = ''] = c.split('#')
  datapath.service({ vips: ['10.96.6.3#53'], backends: [c] })
  const client = host.client()
  await client.call('socket a inet dgram')
  await client.call('connect a 10.96.6.3 53')
  await client.call('disconnect a')
  assert.deepEqual(await client.tally(`asks 2 a ${address} ${port}`), { [c]: 2 })
  assert.deepEqual(await client.tally('asks 2 a 10.96.6.3 53'), { [c]: 2 })
})

test('connect() to something else ends the old connection’s count and name', async () => {
  const service = datapath.service({ vips: ['10.96.6.4#53'], backends: [a] })
  const other = datapath.service({ vips: ['10.96.6.5#53'], backends: [b] })
  const client = host.client()
  await client.call('socket a inet dgram')
  await client.call('connect a 10.96.6.4 53')
  await client.call('connect a 10.96.6.5 53')
  assert.equal(await client.call('getpeername a'), '10.96.6.5 53')
  assert.deepEqual([service.count(a).open, other.count(b).open], [0, 1])
  await client.call('connect a 10.1.0.2 54')
  assert.equal(await client.call('getpeername a'), '10.1.0.2 54')
  assert.deepEqual([service.count(a).open, other.count(b).open], [0, 0])
})

test('a Service’s address that has become another’s is not shown for replies of the old one’s backend', async () => {
  const old = datapath.service({ vips: ['10.96.7.1#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet dgram')
  await client.call('sendto a 10.96.7.1 53 hello')
  assert.equal(old.count(a).datagrams, 1)
  datapath.service({ vips: ['10.96.7.1#53'], backends: [b] })
  assert.equal(await client.call('recvfrom a'), `10.1.0.1 53 ${a} hello`)
  assert.deepEqual(await client.tally('asks 3 a 10.96.7.1 53'), { [b]: 3 })
})

test('a backend that has become another Service’s answers as that', async () => {
  const old = datapath.service({ vips: ['10.96.7.2#53'], backends: [a] })
  const client = host.client()
  await client.call('socket a inet dgram')
  assert.deepEqual(await client.tally('asks 3 a 10.96.7.2 53'), { [a]: 3 })
  old.deleteFrontend('10.96.7.2#53')
  datapath.service({ vips: ['10.96.7.3#53'], backends: [a] })
  assert.deepEqual(await client.tally('asks 3 a 10.96.7.3 53'), { [a]: 3 })
})

test('sockets without room for a record get ENOBUFS, TCP goes on without', async () => {
  await using own = new SocketHost()
  await own.serve(a)
  using full = new TestDatapath({ cgroup: own.cgroup })
  full.service({ vips: ['10.96.8.1#53'], backends: [a] })
  own.sysctl('net.core.optmem_max', '64')
  const client = own.client()
  await client.call('socket u inet dgram')
  assert.equal(await client.call('connect u 10.96.8.1 53'), 'ENOBUFS')
  assert.equal(await client.call('sendto u 10.96.8.1 53 hello'), 'ENOBUFS')
  assert.equal(full.reasonCount(Reason.RECORD_FAILED_UDP), 2)
  await client.call('socket t inet stream')
  assert.equal(await client.call('connect t 10.96.8.1 53'), '')
  assert.equal(await client.call('getpeername t'), '10.1.0.1 53')
  assert.equal(full.reasonCount(Reason.RECORD_FAILED_TCP), 1)
  await client.kill()
})
