import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ipBytes } from '@kpng/api'
import type { Program } from '@kpng/ebpf'
import { AddrFlag, CfgFlag, Reason, type SelectTest, Version } from '../bindings.gen.ts'
import { hashOf } from '../reconcile/outside-filter.ts'
import { ipv4, mapped } from './testing/address.ts'
import { ask as askProgram } from './testing/ask.ts'
import { assertUniform } from './testing/assert-uniform.ts'
import { protocols, TestDatapath, type TestService } from './testing/datapath.ts'
import { duel } from './testing/duel.ts'
import { startFlipping } from './testing/flip.ts'

const owned = new DisposableStack()
let datapath: TestDatapath
let program: Program

before(() => {
  datapath = owned.use(new TestDatapath())
  program = datapath.loadSelectTest().program('select_test')
})
after(() => owned.dispose())

const S = 1_000_000_000n
const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `${prefix}${n + 1}#80`)

const ask = (vip: string, port: number, options: Partial<SelectTest> = {}, repeat = 1): SelectTest =>
  askProgram(program, vip, port, options, repeat)

const connections = (service: TestService, backends: readonly string[]): Record<string, number> =>
  Object.fromEntries(backends.map(name => [name, service.count(name).connections]))

for (const { family, net, pods } of [
  { family: 'IPv4', net: '10.96.0.', pods: '10.1.0.' },
  { family: 'IPv6', net: 'fd96::', pods: 'fd01::' },
]) {
  test(`${family}: one backend is the answer, with its address, id and generation`, () => {
    const service = datapath.service({ vips: [`${net}1#80`], backends: [`${pods}1#8080`] })
    const answer = ask(`${net}1`, 80)
    assert.deepEqual(
      [answer.reason, answer.backendAddr, answer.backendPort, answer.backend, answer.servicePort],
      [Reason.TRANSLATED, mapped(`${pods}1`), 8080, service.idOf(`${pods}1#8080`), service.servicePort],
    )
  })

  test(`[KP-4.16] ${family}: random numbers divide the list into equal parts, first to last slot`, () => {
    const backends = names(pods, 4)
    const service = datapath.service({ vips: [`${net}2#80`], backends })
    const chosen = [1, 0x3fffffff, 0x40000000, 0x80000000, 0xbfffffff, 0xc0000000, 0xffffffff].map(
      random => ask(`${net}2`, 80, { random }).backend,
    )
    const ids = backends.map(name => service.idOf(name))
    assert.deepEqual(
      chosen,
      [0, 0, 1, 2, 2, 3, 3].map(at => ids[at]),
    )
  })

  test(`[KP-4.16] ${family}: picks spread evenly and are all counted`, () => {
    const backends = names(pods, 7)
    const service = datapath.service({ vips: [`${net}3#80`], backends })
    ask(`${net}3`, 80, { count: 1 }, 7000)
    assertUniform(connections(service, backends), backends, 7000)
    assert.equal(datapath.counts(service).connections, 7000)
  })

  test(`[KP-6.4 KPNG-C10 DP-9.21] ${family}: a list that flips all the time gives backends of the old or the new list only`, async () => {
    const [before, after, never] = [names(`${pods}1`, 5), names(`${pods}2`, 8), names(`${pods}3`, 3)]
    const service = datapath.service({ vips: [`${net}4#80`], backends: before })
    service.writeBackends(never)
    const words = [service.writeBackends(before), service.writeBackends(after)] as const
    const flipping = await startFlipping(datapath.sock.map('list'), service.list, words)
    const runs = 20_000
    for (let round = 0; round < 10; round++) ask(`${net}4`, 80, { count: 1 }, runs)
    const flips = await flipping.stop()
    assert.ok(flips > 1000, `${flips} flips`)
    const all = [...before, ...after]
    const sum = all.reduce((total, name) => total + service.count(name).connections, 0)
    assert.equal(sum, 10 * runs)
    for (const name of all) assert.ok(service.count(name).connections > 0, name)
  })
}

test('[KP-4.3 KP-4.4] an empty list says why', () => {
  datapath.service({ vips: ['10.96.1.1#80'], backends: [] })
  datapath.service({
    vips: ['10.96.1.2#80'],
    backends: [],
    emptyReason: Reason.NO_LOCAL_ENDPOINTS,
  })
  assert.equal(ask('10.96.1.1', 80).reason, Reason.NO_ENDPOINTS)
  assert.equal(ask('10.96.1.2', 80).reason, Reason.NO_LOCAL_ENDPOINTS)
})

test('[KP-4.11 KP-4.13 KP-4.14 KP-5.6] a miss: the address decides', () => {
  datapath.setAddress('10.96.1.3', AddrFlag.CLUSTER_IP)
  datapath.setAddress('192.0.2.1', AddrFlag.EXTERNAL)
  datapath.setAddress('192.0.2.2', AddrFlag.NODE)
  datapath.setAddress('192.0.2.3', AddrFlag.NODE | AddrFlag.EXTERNAL)
  datapath.service({ vips: ['*#30000'], backends: ['10.1.0.1#80'], protocols: ['tcp'] })
  assert.equal(ask('10.96.1.3', 80).reason, Reason.UNKNOWN_PORT)
  assert.equal(ask('192.0.2.1', 80).reason, Reason.NOT_A_SERVICE)
  assert.equal(ask('192.0.2.1', 30000).reason, Reason.NOT_A_SERVICE)
  assert.equal(ask('192.0.2.2', 30000).reason, Reason.TRANSLATED)
  assert.equal(ask('192.0.2.2', 30000, { proto: protocols.udp }).reason, Reason.NOT_A_SERVICE)
  assert.equal(ask('192.0.2.3', 30000).reason, Reason.TRANSLATED)
  assert.equal(ask('192.0.2.2', 80).reason, Reason.NOT_A_SERVICE)
  for (const local of ['127.0.0.1', '127.9.9.9', '0.0.0.0', '::1', '::'])
    assert.equal(ask(local, 30000).reason, Reason.NOT_A_SERVICE, local)
})

test('[KP-4.12] outside of the ServiceCIDRs a Service is found by its address, inside without', () => {
  const none = { cidr4Count: 0, cidr6Count: 0, flags: 0, cidr4: [], cidr6: [] }
  const known = datapath.service({ vips: ['192.0.2.6#80'], backends: ['10.1.0.1#80'] })
  const inside = datapath.service({ vips: ['10.97.0.1#80'], backends: ['10.1.0.1#80'] })
  datapath.addr4.delete(ipv4('10.97.0.1'))
  assert.equal(ask('192.0.2.6', 80).servicePort, known.servicePort)
  assert.equal(ask('10.97.0.1', 80).reason, Reason.NOT_A_SERVICE)
  const cidr4 = [{ addr: ipv4('10.97.0.0'), mask: 0xffff0000 }]
  datapath.cfg.update(0, { ...none, cidr4Count: 1, cidr4 })
  try {
    assert.equal(ask('10.97.0.1', 80).servicePort, inside.servicePort)
    assert.equal(ask('10.97.0.2', 80).reason, Reason.UNALLOCATED)
    assert.equal(ask('192.0.2.6', 80).servicePort, known.servicePort)
    assert.equal(ask('192.0.2.7', 80).reason, Reason.NOT_A_SERVICE)
  } finally {
    datapath.cfg.update(0, none)
  }
})

test('an address whose bit is not set is nobody’s, without a look into the maps; the hash is that of user space', () => {
  const off = { cidr4Count: 0, cidr6Count: 0, flags: 0, cidr4: [], cidr6: [] }
  const addresses = Array.from({ length: 40 }, (_, n) =>
    n % 2 ? `198.18.${n}.${6 * n}` : `fd98:${n}::${n * n}:${n}`,
  )
  for (const address of addresses)
    datapath.service({
      vips: [`${address}#80`],
      backends: [address.includes(':') ? 'fd01::1#80' : '10.1.0.1#80'],
      protocols: ['tcp'],
    })
  const reasons = () => new Set(addresses.map(address => ask(address, 80).reason))
  assert.deepEqual(reasons(), new Set([Reason.TRANSLATED]))
  datapath.cfg.update(0, { ...off, flags: CfgFlag.OUTSIDE })
  try {
    assert.deepEqual(reasons(), new Set([Reason.NOT_A_SERVICE]))
    for (const address of addresses) {
      const hash = hashOf(ipBytes(address))
      const word = datapath.outside.load64(hash >> 6)
      datapath.outside.store64(hash >> 6, word | (1n << BigInt(hash & 63)))
    }
    assert.deepEqual(reasons(), new Set([Reason.TRANSLATED]))
  } finally {
    datapath.cfg.update(0, off)
    for (let word = 0; word < 64; word++) datapath.outside.store64(word, 0n)
  }
})

test('[KP-4.0] an address and port of a Service comes before the NodePort of that number', () => {
  datapath.setAddress('192.0.2.4', AddrFlag.NODE | AddrFlag.EXTERNAL)
  datapath.setAddress('192.0.2.5', AddrFlag.NODE)
  const external = datapath.service({
    vips: ['192.0.2.4#30001'],
    backends: ['10.1.0.1#80'],
    protocols: ['tcp'],
  })
  const nodePort = datapath.service({ vips: ['*#30001'], backends: ['10.1.0.2#80'], protocols: ['tcp'] })
  assert.equal(ask('192.0.2.4', 30001).servicePort, external.servicePort)
  assert.equal(ask('192.0.2.5', 30001).servicePort, nodePort.servicePort)
})

test('[KPNG-D9] slots of another list are not believed: LIST_BUSY, and no backend of somebody else', () => {
  const one = datapath.service({ vips: ['10.96.1.4#80'], backends: ['10.1.0.1#80'] })
  const other = datapath.service({ vips: ['10.96.1.5#80'], backends: ['10.1.0.2#80'] })
  const word = other.writeBackends(['10.1.0.2#80'])
  one.flip(word)
  assert.equal(ask('10.96.1.4', 80).reason, Reason.LIST_BUSY)
})

const affine = (vip: string, count: number, affinityTimeoutS = 10): [TestService, string[]] => {
  const backends = names('10.1.9.', count)
  return [datapath.service({ vips: [`${vip}#80`], backends, affinityTimeoutS }), backends]
}

test('[KP-4.3.1] affinity: a client keeps its backend, clients spread', () => {
  affine('10.96.2.1', 8)
  const choices = new Set<number>()
  for (let client = 1n; client <= 40n; client++) {
    const first = ask('10.96.2.1', 80, { client, nowNs: S }).backend
    for (let again = 0; again < 5; again++)
      assert.equal(ask('10.96.2.1', 80, { client, nowNs: 2n * S }).backend, first)
    choices.add(first)
  }
  assert.ok(choices.size > 3)
})

test('[KP-4.3.1 KP-14.10] affinity: all frontends of a service port share it, other service ports do not', () => {
  const [service] = affine('10.96.2.2', 200)
  service.addFrontend('192.0.2.80#8080')
  const first = ask('10.96.2.2', 80, { client: 7n, nowNs: S }).backend
  assert.equal(ask('192.0.2.80', 8080, { client: 7n, nowNs: S }).backend, first)
  affine('10.96.2.3', 200)
  const other = Array.from(
    { length: 5 },
    (_, n) => ask('10.96.2.3', 80, { client: BigInt(n), nowNs: S }).backend,
  )
  assert.ok(new Set(other).size > 1)
})

test('[KP-4.3.2 KP-14.10] affinity: the timeout slides with each new connection', () => {
  affine('10.96.2.4', 200)
  const at = (seconds: number): number =>
    ask('10.96.2.4', 80, { client: 7n, nowNs: BigInt(seconds) * S, random: seconds * 20_000_000 }).backend
  const first = at(1)
  for (const second of [10, 19, 29, 39]) assert.equal(at(second), first)
  assert.notEqual(at(50), first)
})

test('[KP-4.3.3 KP-14.10] affinity: valid only for a backend of the list in force, of its generation', () => {
  const [service, backends] = affine('10.96.2.5', 3)
  const [first = '', second = '', third = ''] = backends
  const now = { client: 7n, nowNs: S }
  service.setBackends([first])
  assert.equal(ask('10.96.2.5', 80, now).backend, service.idOf(first))
  service.setBackends([first, second, third])
  for (const random of [1, 0x80000000, 0xffffffff])
    assert.equal(ask('10.96.2.5', 80, { ...now, random }).backend, service.idOf(first))
  service.setBackends([second, third])
  assert.equal(ask('10.96.2.5', 80, { ...now, random: 0xffffffff }).backend, service.idOf(third))
  assert.equal(ask('10.96.2.5', 80, { ...now, random: 1 }).backend, service.idOf(third))
  const old = service.idOf(third)
  service.giveId(third, first)
  service.setBackends([second, first])
  assert.equal(service.idOf(first), old)
  assert.equal(ask('10.96.2.5', 80, { ...now, random: 1 }).backend, service.idOf(second))
})

test('[KP-4.3.1] affinity: the entry is of the client, the service port and the family', () => {
  const [service] = affine('10.96.2.6', 1)
  ask('10.96.2.6', 80, { client: 0x0102030405060708n, nowNs: 5n * S })
  const client = new Uint8Array(16)
  client.set([8, 7, 6, 5, 4, 3, 2, 1])
  assert.deepEqual(
    datapath.affinity.lookup({ client, servicePort: service.servicePort, kind: 0, family: 4 }),
    {
      lastUsedNs: 5n * S,
      backend: service.idOf('10.1.9.1#80'),
      generation: 0,
      version: Version.RECORD_VERSION,
    },
  )
})

test('affinity finds its backend in a list of 5,000, first and last included', () => {
  const backends = Array.from({ length: 5000 }, (_, n) => `10.3.${n >> 8}.${n & 255}#80`)
  const service = datapath.service({ vips: ['10.96.2.7#80'], backends, affinityTimeoutS: 10 })
  for (const [client, random] of [
    [1n, 1],
    [2n, 0xffffffff],
    [3n, 0x80000000],
    [4n, 0x12345678],
  ] as const) {
    const first = ask('10.96.2.7', 80, { client, random, nowNs: S }).backend
    assert.equal(ask('10.96.2.7', 80, { client, random: ~random >>> 0, nowNs: S }).backend, first)
  }
  assert.equal(ask('10.96.2.7', 80, { client: 1n, nowNs: S }).backend, service.idOf('10.3.0.0#80'))
  assert.equal(ask('10.96.2.7', 80, { client: 2n, nowNs: S }).backend, service.idOf('10.3.19.135#80'))
})

test('affinity: two CPUs that see a client first at the same time choose the same backend', async () => {
  affine('10.96.2.8', 200, 3600)
  const { ours, theirs } = await duel(program, '10.96.2.8', 80, 2000)
  assert.deepEqual(ours, theirs)
  assert.ok(new Set(ours).size > 100)
})
