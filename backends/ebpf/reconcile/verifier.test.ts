import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ipv6 } from './rows.ts'
import { Harness } from './testing/harness.ts'
import { node, type ServiceSpec } from './testing/views.ts'

const WEB: ServiceSpec = {
  name: 'web',
  clusterIPs: ['10.96.0.1', 'fd00::1'],
  ports: [{ name: 'http', port: 80, endpoints: ['10.1.0.1:80', '10.1.0.2:80', '[fd01::1]:80'] }],
}

describe('verification', () => {
  const damages: [string, (agent: Harness) => void][] = [
    [
      'a frontend that is gone',
      ({ maps }) => maps.svc4.delete({ addr: 0x0a600001, port: 80, proto: 6, scope: 0 }),
    ],
    [
      'a frontend that leads elsewhere',
      ({ maps }) =>
        maps.svc4.update(
          { addr: 0x0a600001, port: 80, proto: 6, scope: 0 },
          { list: 2, servicePort: 1, affinityTimeoutS: 0, flags: 0, algorithm: 0, maglev: 0 },
        ),
    ],
    [
      'a frontend too many',
      ({ maps }) =>
        maps.svc6.update(
          { addr: new Uint8Array(16).fill(9), port: 80, proto: 6, scope: 0 },
          { list: 2, servicePort: 1, affinityTimeoutS: 0, flags: 0, algorithm: 0, maglev: 0 },
        ),
    ],
    ['a list that is not in force', ({ maps }) => maps.list.store64(1, 0n)],
    ['a list too many', ({ maps }) => maps.list.store64(40, 3n)],
    [
      'a slot that was written over',
      ({ maps }) => maps.backend6.write(0, [{ ...maps.backend6.read(0), port: 81 }]),
    ],
    ['a name that is gone', ({ maps }) => maps.service.delete(1)],
    [
      'a name too many',
      ({ maps }) => maps.service.update(9, { namespace: 'a', name: 'b', port: '', proto: 6 }),
    ],
    ['an address that is gone', ({ maps }) => maps.addr4.delete(0x0a600001)],
    ['an address too many', ({ maps }) => maps.addr6.update(new Uint8Array(16).fill(7), { flags: 1 })],
    [
      'other ServiceCIDRs',
      ({ maps }) => maps.cfg.update(0, { cidr4Count: 1, cidr6Count: 0, flags: 0, cidr4: [], cidr6: [] }),
    ],
  ]
  for (const [what, damage] of damages) {
    it(`[KP-6.3] repairs ${what} and counts it`, async () => {
      using agent = new Harness()
      agent.reconciler.setNode(node(['192.168.1.1'], ['10.96.0.0/16', 'fd00::/112']))
      await agent.apply(WEB)
      const lines = (): string[] => agent.dump().map(line => line.replace(/base \d+/, ''))
      const before = lines()
      damage(agent)
      assert.equal(await agent.clock.until(agent.reconciler.verify()), 1)
      await agent.clock.pass(1000)
      assert.deepEqual(lines(), before)
      assert.equal(await agent.clock.until(agent.reconciler.verify()), 0)
      assert.equal(agent.reconciler.status().counters.repairs, 1)
    })
  }

  it('[KP-6.3] puts rows right where they are: there may be no room for the list elsewhere', async () => {
    using agent = new Harness({ sizes: { slots: 2 } })
    const endpoints = ['10.1.0.1:80', '10.1.0.2:80']
    await agent.apply({
      name: 'web',
      clusterIPs: ['10.96.0.1'],
      ports: [{ name: 'http', port: 80, endpoints }],
    })
    const { backend4 } = agent.maps
    const rows = [backend4.read(0), backend4.read(1)]
    backend4.write(0, [{ ...backend4.read(0), list: 60 }])
    backend4.write(1, [{ ...backend4.read(1), port: 9 }])
    assert.equal(await agent.clock.until(agent.reconciler.verify()), 1)
    assert.deepEqual([backend4.read(0), backend4.read(1)], rows)
    assert.equal(agent.problems().join(), '')
    assert.equal(await agent.clock.until(agent.reconciler.verify()), 0)
  })

  it('[KP-6.3] happens by itself, and finds nothing where nothing is wrong', async () => {
    using agent = new Harness()
    await agent.apply(WEB)
    agent.forget()
    await agent.clock.pass(601_000)
    const { counters } = agent.reconciler.status()
    assert.deepEqual([counters.verifications, counters.repairs], [1, 0])
    assert.deepEqual(agent.operations, [])
  })

  it('takes away a frontend that leads elsewhere and cannot be served now', async () => {
    // Room for one list: the ClusterIP, which comes to ask for local endpoints, goes on with that of the external IP.
    using agent = new Harness({ sizes: { lists: 2 } })
    const web: ServiceSpec = {
      ...{ name: 'web', clusterIPs: ['10.96.0.1'], externalIPs: ['192.0.2.1'] },
      ports: [{ name: 'http', port: 80, endpoints: ['10.1.0.1:80'] }],
    }
    await agent.apply(web)
    await agent.apply({ ...web, internalLocal: true })
    assert.match(agent.problems().join(), /no list index is free/)
    const before = agent.dump('svc4')
    assert.equal(before.length, 2)
    const key = { addr: 0x0a600001, port: 80, proto: 6, scope: 0 }
    const value = { list: 1, servicePort: 9, affinityTimeoutS: 3, flags: 0, algorithm: 0, maglev: 0 }
    agent.maps.svc4.update(key, value)
    assert.equal(await agent.clock.until(agent.reconciler.verify()), 1)
    await agent.clock.pass(1_000)
    assert.deepEqual(agent.dump('svc4'), before.slice(1))
    await agent.apply(web)
    assert.deepEqual(agent.dump('svc4'), before)
    assert.deepEqual(agent.problems(), [])
  })

  it('[KP-6.3] goes on where reading has failed, and compares the other tables once', async t => {
    using agent = new Harness()
    await agent.apply(WEB)
    const { svc4, svc6, service, source4, source6, addr4, addr6 } = agent.maps
    const reads: string[] = []
    for (const map of [svc4, svc6, service, source4, source6, addr4, addr6]) {
      const entries = map.entries.bind(map)
      t.mock.method(map, 'entries', () => {
        reads.push(map.name)
        const attempts = reads.filter(name => name === map.name).length
        if ((map === svc6 && attempts < 3) || (map === addr4 && attempts < 2)) throw new Error('unreadable')
        return entries()
      })
    }
    assert.equal(addr4.delete(0x0a600001), true)
    assert.equal(await agent.clock.until(agent.reconciler.verify()), 1)
    assert.deepEqual(reads.toSorted(), [
      ...['addr4', 'addr4', 'addr6', 'service', 'source4', 'source6', 'svc4', 'svc6', 'svc6', 'svc6'],
    ])
    const { verifications, retries } = agent.reconciler.status().counters
    assert.deepEqual([verifications, retries], [1, 3])
  })

  it('[KP-6.3] compares all other tables at each interval while one cannot be read', async t => {
    using agent = new Harness()
    await agent.apply(WEB)
    const before = agent.dump()
    let unreadable = true
    let reads = 0
    const entries = agent.maps.svc4.entries.bind(agent.maps.svc4)
    t.mock.method(agent.maps.svc4, 'entries', () => {
      reads++
      if (unreadable) throw new Error('unreadable')
      return entries()
    })
    assert.equal(agent.maps.svc4.delete({ addr: 0x0a600001, port: 80, proto: 6, scope: 0 }), true)
    for (let interval = 1; interval <= 2; interval++) {
      assert.equal(agent.maps.addr6.delete(ipv6('fd00::1')), true)
      await agent.clock.pass(601_000)
      assert.notEqual(agent.maps.addr6.lookup(ipv6('fd00::1')), undefined, `interval ${interval}`)
    }
    assert.deepEqual(agent.problems(), ['reconciler: unreadable; will be tried again'])
    // Once in ten seconds at most, and not given up.
    assert(reads > 60 && reads < 300, `${reads} attempts`)
    unreadable = false
    await agent.clock.pass(20_000)
    assert.deepEqual(agent.dump(), before)
    assert.deepEqual(agent.problems(), [])
    assert.equal(agent.reconciler.status().counters.verifications, 1)
  })
})
