import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AddrFlag, Reason } from '../bindings.gen.ts'
import { ipv4, mapped } from './testing/address.ts'
import { TestDatapath } from './testing/datapath.ts'
import { type Client, SocketHost } from './testing/socket-host.ts'

const owned = new AsyncDisposableStack()
let host: SocketHost
let datapath: TestDatapath

/** Servers at the VIPs themselves: who is let through to the raw address is answered, and the test fails. */
const decoys = ['10.96.9.1#80', '10.96.9.2#80', '10.96.9.3#80', '10.96.9.4#80']
const decoys6 = ['fd96::1#80', 'fd96::2#80', 'fd96::3#80', 'fd96::4#80']

const situations = [
  { name: 'a Service without endpoints', last: '1', errno: 'ECONNREFUSED', reason: Reason.NO_ENDPOINTS },
  {
    name: 'a Local policy with nobody here',
    last: '2',
    errno: 'EHOSTUNREACH',
    reason: Reason.NO_LOCAL_ENDPOINTS,
  },
  { name: 'another port of a ClusterIP', last: '3', errno: 'ECONNREFUSED', reason: Reason.UNKNOWN_PORT },
  {
    name: 'an unallocated ServiceCIDR address',
    last: '4',
    errno: 'EHOSTUNREACH',
    reason: Reason.UNALLOCATED,
  },
] as const

function fill(target: TestDatapath): void {
  for (const prefix of ['10.96.9.', 'fd96::']) {
    const ipv6 = prefix.includes(':')
    target.service({ vips: [`${prefix}1#80`], backends: [], ipv6 })
    target.service({
      vips: [`${prefix}2#80`],
      backends: [],
      ipv6,
      emptyReason: Reason.NO_LOCAL_ENDPOINTS,
    })
    target.setAddress(`${prefix}3`, AddrFlag.CLUSTER_IP)
  }
  target.cfg.update(0, {
    cidr4Count: 2,
    flags: 0,
    cidr6Count: 1,
    cidr4: [
      { addr: ipv4('10.200.0.0'), mask: ipv4('255.255.0.0') },
      { addr: ipv4('10.96.8.0'), mask: ipv4('255.255.248.0') },
    ],
    cidr6: [{ addr: mapped('fd96::'), mask: mapped('ffff:ffff:ffff:ffff::') }],
  })
}

before(async () => {
  host = owned.use(new SocketHost())
  await host.serve(...decoys, ...decoys6, '10.1.0.1#80', '10.1.0.2#80', '192.168.0.1#80', '10.1.0.1#30080')
  datapath = owned.use(new TestDatapath({ cgroup: host.cgroup }))
  fill(datapath)
})
after(() => owned.disposeAsync())

const forms = [
  { form: 'IPv4', family: 'inet', prefix: '10.96.9.' },
  { form: 'IPv6', family: 'inet6', prefix: 'fd96::' },
  { form: 'IPv4-mapped', family: 'inet6', prefix: '::ffff:10.96.9.' },
] as const

/** The errno of each way to begin talking, or of the one with which the kernel answers a moment later. */
async function begin(client: Client, family: string, address: string): Promise<Record<string, string>> {
  const answers: Record<string, string> = {}
  await client.call(`socket a ${family} stream`)
  answers.connect = await client.call(`connect a ${address} 80`)
  await client.call('close a')
  await client.call(`socket a ${family} stream`)
  await client.call('nonblock a')
  answers.nonblockingConnect = await client.call(`connect a ${address} 80`)
  await client.call('close a')
  await client.call(`socket a ${family} dgram`)
  answers.udpConnect = await client.call(`connect a ${address} 80`)
  await client.call('close a')
  await client.call(`socket a ${family} dgram`)
  answers.sendto = await client.call(`sendto a ${address} 80 hello`)
  await client.call('nonblock a')
  answers.nonblockingSendto = await client.call(`sendto a ${address} 80 hello`)
  await client.call('close a')
  return answers
}

for (const { name, last, errno, reason } of situations) {
  for (const { form, family, prefix } of forms) {
    for (const language of ['c', 'python'] as const) {
      test(`${name} is ${errno} at once: ${form} (${language})`, async () => {
        const earlier = datapath.reasonCount(reason)
        assert.deepEqual(await begin(host.client(language), family, `${prefix}${last}`), {
          connect: errno,
          nonblockingConnect: errno,
          udpConnect: errno,
          sendto: errno,
          nonblockingSendto: errno,
        })
        assert.equal(datapath.reasonCount(reason), earlier + 5)
      })
    }
  }
}

test('refusals are counted by service port', async () => {
  const none = datapath.service({ vips: ['10.96.9.50#80'], backends: [] })
  const local = datapath.service({
    vips: ['10.96.9.51#80'],
    backends: [],
    emptyReason: Reason.NO_LOCAL_ENDPOINTS,
  })
  const client = host.client()
  assert.deepEqual(await client.tally('connects 3 inet 10.96.9.50 80'), { ECONNREFUSED: 3 })
  assert.deepEqual(await client.tally('datagrams 2 inet 10.96.9.50 80'), { ECONNREFUSED: 2 })
  assert.deepEqual(await client.tally('connects 4 inet 10.96.9.51 80'), { EHOSTUNREACH: 4 })
  assert.deepEqual(datapath.counts(none), { connections: 0, datagrams: 0, refused: 5, unreachable: 0 })
  assert.deepEqual(datapath.counts(local), { connections: 0, datagrams: 0, refused: 0, unreachable: 4 })
})

test('[KP-4.13] what is nobody’s Service is not touched', async () => {
  datapath.setAddress('192.168.0.1', AddrFlag.EXTERNAL)
  datapath.setAddress('10.1.0.2', AddrFlag.NODE)
  const client = host.client()
  for (const address of ['10.1.0.1', '192.168.0.1', '10.1.0.2']) {
    assert.deepEqual(await client.tally(`connects 2 inet ${address} 80`), { [`${address}#80`]: 2 })
    assert.deepEqual(await client.tally(`datagrams 2 inet6 ::ffff:${address} 80`), { [`${address}#80`]: 2 })
  }
})

test('[KP-5.6 KP-13.3] loopback and the unspecified address are never a Service, not even with a NodePort of that number', async () => {
  const services = [
    datapath.service({ vips: ['*#30080'], backends: ['10.1.0.2#80'] }),
    datapath.service({ vips: ['*#30080'], backends: ['fd96::1#80'] }),
  ]
  const client = host.client()
  for (const [family, address] of [
    ['inet', '127.0.0.1'],
    ['inet', '0.0.0.0'],
    ['inet6', '::1'],
    ['inet6', '::'],
    ['inet6', '::ffff:127.0.0.1'],
    ['inet6', '::ffff:0.0.0.0'],
  ] as const)
    assert.deepEqual(
      await client.tally(`connects 1 ${family} ${address} 30080`),
      { ECONNREFUSED: 1 },
      address,
    )
  for (const service of services) assert.equal(datapath.counts(service).connections, 0)
})

test('[KP-5.1] a node address that serves NodePorts reaches the backends of the NodePort', async () => {
  const service = datapath.service({ vips: ['*#30081'], backends: ['10.1.0.2#80'] })
  datapath.setAddress('192.168.7.7', AddrFlag.NODE)
  const client = host.client()
  assert.deepEqual(await client.tally('connects 2 inet 192.168.7.7 30081'), { '10.1.0.2#80': 2 })
  assert.deepEqual(await client.tally('datagrams 2 inet 192.168.7.7 30081'), { '10.1.0.2#80': 2 })
  assert.deepEqual(service.count('10.1.0.2#80'), { connections: 2, datagrams: 2, open: 0 })
})

test('a UDP connect() to port 0 of a ClusterIP succeeds: resolvers ask so for their source address', async () => {
  const client = host.client()
  await client.call('socket a inet dgram')
  assert.equal(await client.call('connect a 10.96.9.3 0'), '')
})

test('a refused connect() leaves a UDP socket connected to the Service that it was', async () => {
  datapath.service({ vips: ['10.96.9.52#80'], backends: ['10.1.0.2#80'] })
  const client = host.client()
  await client.call('socket a inet dgram')
  await client.call('connect a 10.96.9.52 80')
  assert.equal(await client.call('connect a 10.96.9.1 80'), 'ECONNREFUSED')
  assert.equal(await client.call('getpeername a'), '10.96.9.52 80')
  await client.call('send a hello')
  assert.equal(await client.call('recvfrom a'), '10.96.9.52 80 10.1.0.2#80 hello')
})

/** As on kernels before 5.18, where bpf_set_retval is not there and EPERM alone makes some callers spin. */
test('without bpf_set_retval the stack itself refuses where it can', async () => {
  await using own = new SocketHost()
  await own.serve(...decoys, ...decoys6)
  using old = new TestDatapath({ cgroup: own.cgroup, constants: { use_set_retval: false } })
  fill(old)
  const client = own.client()
  const refused = {
    connect: 'ECONNREFUSED',
    nonblockingConnect: 'EINPROGRESS',
    udpConnect: '',
    sendto: 'EPERM',
    nonblockingSendto: 'EPERM',
  }
  const unreachable = {
    connect: 'ENETUNREACH',
    nonblockingConnect: 'ENETUNREACH',
    udpConnect: 'EPERM',
    sendto: 'EPERM',
    nonblockingSendto: 'EPERM',
  }
  for (const { form, family, prefix } of forms) {
    assert.deepEqual(await begin(client, family, `${prefix}1`), refused, form)
    assert.deepEqual(await begin(client, family, `${prefix}3`), refused, form)
    assert.deepEqual(await begin(client, family, `${prefix}2`), unreachable, form)
    assert.deepEqual(await begin(client, family, `${prefix}4`), unreachable, form)
  }
  await client.call('socket a inet stream')
  await client.call('device a lo')
  assert.equal(await client.call('connect a 10.96.9.1 80'), 'ENETUNREACH')
  await client.call('socket b inet dgram')
  await client.call('connect b 10.96.9.1 80')
  await client.call('send b hello')
  assert.equal(await client.call('recvfrom b'), 'ECONNREFUSED')
  await client.kill()
})
