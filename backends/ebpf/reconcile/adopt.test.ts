import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { recordRow } from './testing/fake-kernel.ts'
import { Harness } from './testing/harness.ts'
import { type ServiceSpec, service } from './testing/views.ts'

const web = (n: number, endpoints: readonly string[]): ServiceSpec => ({
  name: `s${n}`,
  clusterIPs: [`10.96.0.${n}`],
  ports: [{ name: 'http', port: 80, endpoints }],
})

const lead = { list: 1, servicePort: 1, affinityTimeoutS: 0, flags: 0, algorithm: 0, maglev: 0 }

describe('an agent that adopts', () => {
  it('writes nothing for a view that is in the kernel already', async () => {
    using agent = new Harness()
    await agent.apply(web(1, ['10.1.0.1:80', '10.1.0.2:80']), web(2, []), {
      ...web(3, ['10.1.0.1:80 local', '10.1.0.2:80']),
      externalIPs: ['192.0.2.1'],
      internalLocal: true,
    })
    const before = agent.dump()
    const adopted = await agent.restart()
    assert.deepEqual(adopted.findings, [])
    for (const n of [1, 2])
      agent.reconciler.setService(service(web(n, n === 1 ? ['10.1.0.1:80', '10.1.0.2:80'] : [])))
    await agent.apply({
      ...web(3, ['10.1.0.1:80 local', '10.1.0.2:80']),
      externalIPs: ['192.0.2.1'],
      internalLocal: true,
    })
    assert.deepEqual(agent.operations, [])
    assert.deepEqual(agent.dump(), before)
  })

  it('[KP-1.17 KP-6.5] deletes nothing before the first sync, and then what nobody wants', async () => {
    using agent = new Harness()
    await agent.apply(web(1, ['10.1.0.1:80']), web(2, ['10.1.0.2:80']))
    await agent.restart()
    agent.reconciler.setService(service(web(1, ['10.1.0.1:80'])))
    await agent.clock.pass(10_000_000)
    assert.deepEqual(agent.operations, [])
    await agent.sync()
    assert.deepEqual(agent.dump('svc4'), [
      'svc4 10.96.0.1:80/TCP -> list 1 service default/s1:http affinity 0',
    ])
    await agent.clock.pass(60_000)
    assert.deepEqual(agent.dump('list', 'service'), [
      'list 1 -> base 0 count 1: #1 10.1.0.1:80',
      'service 1 -> default/s1:http/TCP',
    ])
  })

  it('keeps what nobody has set while syncs are not complete, and serves what is set', async () => {
    using agent = new Harness()
    agent.reconciler.setNode({
      name: 'n',
      addresses: ['192.0.2.1'],
      zone: '',
      serviceCIDRs: ['10.96.0.0/16'],
      eligible: true,
    })
    await agent.apply(
      {
        name: 'a',
        clusterIPs: ['10.96.0.1'],
        ports: [{ port: 80, nodePort: 30080, endpoints: ['10.1.0.1:80'] }],
      },
      {
        name: 'b',
        clusterIPs: ['10.96.0.2'],
        ports: [{ port: 80, nodePort: 30081, endpoints: ['10.1.0.2:80'] }],
      },
    )
    const before = agent.dump()
    await agent.restart()
    // The file with the Node and the one with b cannot be read.
    agent.reconciler.setNode({ name: 'n', addresses: [], zone: '', serviceCIDRs: [], eligible: true })
    agent.reconciler.setService(
      service({
        name: 'a',
        clusterIPs: ['10.96.0.1'],
        ports: [{ port: 80, nodePort: 30080, endpoints: ['10.1.0.1:80'] }],
      }),
    )
    agent.reconciler.sync({ complete: false })
    await agent.clock.until(agent.reconciler.settled())
    assert.deepEqual(agent.dump(), before)

    await agent.apply({
      name: 'c',
      clusterIPs: ['10.96.0.3'],
      ports: [{ port: 80, endpoints: ['10.1.0.3:80'] }],
    })
    const after = agent.dump().join()
    assert.match(after, /10\.96\.0\.3:80/)
    assert.doesNotMatch(after, /10\.96\.0\.2|3008|192\.0\.2\.1|cidr/, 'complete: what is not set goes')
  })

  it('[KP-6.7] writes the ServiceCIDRs that are known, also while syncs are not complete', async () => {
    using agent = new Harness()
    agent.reconciler.setNode({
      name: 'n',
      addresses: [],
      zone: '',
      serviceCIDRs: ['10.96.0.0/16'],
      eligible: true,
    })
    agent.reconciler.sync({ complete: false })
    await agent.clock.until(agent.reconciler.settled())
    assert.match(agent.dump().join(), /10\.96\.0\.0\/16/)
  })

  it('does not mix lists up when a policy changed meanwhile', async () => {
    using agent = new Harness()
    const spec = (internalLocal: boolean) => ({
      ...web(1, ['10.1.0.1:80 local', '10.1.0.2:80']),
      externalIPs: ['192.0.2.1'],
      internalLocal,
    })
    await agent.apply(spec(false))
    await agent.restart()
    await agent.apply(spec(true))
    await agent.clock.pass(1000)
    assert.deepEqual(agent.dump('list', 'svc4'), [
      'list 2 -> base 2 count 1: #1 10.1.0.1:80',
      'list 3 -> base 4 count 2: #1 10.1.0.1:80, #2 10.1.0.2:80',
      'svc4 10.96.0.1:80/TCP -> list 2 service default/s1:http affinity 0',
      'svc4 192.0.2.1:80/TCP -> list 3 service default/s1:http affinity 0',
    ])
  })

  const torn: [string, RegExp, (agent: Harness) => void][] = [
    [
      'a list that no frontend leads to',
      /lists that no frontend leads to/,
      ({ maps }) => maps.list.store64(9, 0x0000000100000008n),
    ],
    [
      'a frontend of a service port without a name',
      /service port 7 has no name/,
      ({ maps }) =>
        maps.svc4.update({ addr: 9, port: 9, proto: 6, scope: 0 }, { ...lead, list: 9, servicePort: 7 }),
    ],
    [
      'a frontend with another scope',
      /a scope or protocol that is not ours/,
      ({ maps }) => maps.svc4.update({ addr: 9, port: 9, proto: 6, scope: 1 }, lead),
    ],
    [
      'a list with the slots of another',
      /list 1: not a whole list/,
      ({ maps }) => maps.backend4.write(0, [{ ...maps.backend4.read(0), list: 5 }]),
    ],
    [
      'a list beyond the end of the slots',
      /list 1: not a whole list/,
      ({ maps }) => maps.list.store64(1, 0x0000000400007000n),
    ],
    [
      'a list with nothing in it and no reason',
      /list 1: not a whole list/,
      ({ maps }) => maps.list.store64(1, 0n),
    ],
    [
      'two service ports on one list',
      /list 1 belongs to another service port/,
      ({ maps }) =>
        maps.svc4.update({ addr: 0x0a600002, port: 80, proto: 6, scope: 0 }, { ...lead, servicePort: 2 }),
    ],
    [
      'two names for one service port',
      /default\/s1:http\/TCP has another id too/,
      ({ maps }) => maps.service.update(5, { namespace: 'default', name: 's1', port: 'http', proto: 6 }),
    ],
    [
      'a row that names nothing',
      /service 6: names nothing/,
      ({ maps }) => maps.service.update(6, { namespace: '', name: '', port: '', proto: 0 }),
    ],
  ]
  for (const [what, finding, tear] of torn) {
    it(`[KP-6.3 KP-6.5] finds and repairs ${what}`, async () => {
      using agent = new Harness()
      await agent.apply(web(1, ['10.1.0.1:80', '10.1.0.2:80']), web(2, ['10.1.0.3:80']))
      const frontends = agent.dump('svc4')
      const backends = (): string[] =>
        agent.dump('list').map(line => line.replace(/^.*?: /, '').replaceAll(/#\d+ /g, ''))
      const before = backends().sort()
      tear(agent)
      const adopted = await agent.restart()
      assert.match(adopted.findings.join(), finding)
      await agent.apply(web(1, ['10.1.0.1:80', '10.1.0.2:80']), web(2, ['10.1.0.3:80']))
      await agent.clock.pass(60_000)
      assert.deepEqual(backends().sort(), before)
      assert.deepEqual(
        agent.dump('svc4').map(line => line.replace(/list \d+/, '')),
        frontends.map(line => line.replace(/list \d+/, '')),
      )
      assert.deepEqual(agent.dump('service'), [
        'service 1 -> default/s1:http/TCP',
        'service 2 -> default/s2:http/TCP',
      ])
      assert.equal(await agent.clock.until(agent.reconciler.verify()), 0)
    })
  }

  it('gives ids that only sockets or clients remember to nobody else', async () => {
    using agent = new Harness()
    await agent.apply(web(1, ['10.1.0.1:80']))
    const row = { servicePort: 1, generation: 3, protocol: 'TCP', port: 80 } as const
    agent.kernel.records.push(recordRow({ ...row, backend: 2, address: '10.1.0.2' }))
    agent.kernel.records.push(recordRow({ ...row, backend: 3, address: '10.1.0.3', servicePort: 9 }))
    const client = { client: new Uint8Array(16), servicePort: 1, kind: 0, family: 4 }
    agent.maps.affinity.update(client, { lastUsedNs: 1n, backend: 4, generation: 1, version: 1 })
    await agent.restart()
    await agent.apply(web(1, ['10.1.0.1:80', '10.1.0.2:80', '10.1.0.5:80']))
    // 2 is its own again, 3 and 4 are remembered.
    assert.match(agent.dump('list').join(), /: #1 10\.1\.0\.1:80, #2 10\.1\.0\.2:80, #5 10\.1\.0\.5:80$/)
    // After a pass, what only a client remembered is free.
    await agent.clock.pass(60_000)
    assert.equal(agent.reconciler.status().counts.backendIds.limbo, 1)
    await agent.apply(web(2, ['10.1.0.6:80']))
    assert.equal(agent.id('10.1.0.6:80'), 4)
  })

  it('gives the id that a connection is counted by to nobody else, when that is all that is known of it', async () => {
    using agent = new Harness()
    await agent.apply(web(1, ['10.1.0.1:80']))
    const unknown = { generation: 0, servicePort: 0, protocol: 'UDP', address: '::', port: 0 } as const
    for (const backend of [1, 2]) agent.kernel.records.push(recordRow({ ...unknown, backend }))
    const adopted = await agent.restart()
    assert.deepEqual(adopted.ids.strays, [])
    await agent.apply(web(1, ['10.1.0.1:80', '10.1.0.2:80']))
    assert.deepEqual([agent.id('10.1.0.1:80'), agent.id('10.1.0.2:80')], [1, 3])
    await agent.apply(web(1, ['10.1.0.2:80']))
    await agent.clock.pass(60_000)
    await agent.apply(web(1, ['10.1.0.2:80', '10.1.0.4:80']))
    assert.equal(agent.id('10.1.0.4:80'), 4)
    agent.kernel.records.length = 0
    await agent.clock.pass(60_000)
    await agent.apply(web(1, ['10.1.0.2:80', '10.1.0.4:80', '10.1.0.5:80', '10.1.0.6:80']))
    assert.deepEqual([agent.id('10.1.0.5:80'), agent.id('10.1.0.6:80')], [1, 2])
  })

  it('goes on with later generations than it finds in freed ranges', async () => {
    using agent = new Harness()
    await agent.apply(web(1, ['10.1.0.1:80', '10.1.0.2:80']))
    await agent.apply(web(1, ['10.1.0.2:80']))
    await agent.restart()
    await agent.apply(web(1, ['10.1.0.2:80', '10.1.0.3:80']))
    assert.equal(agent.id('10.1.0.3:80'), 1)
    assert.equal(agent.maps.backend4.read(0).generation, 2)
  })

  it('keeps ids, names included, where the maps are new', async () => {
    using agent = new Harness()
    await agent.apply(web(1, ['10.1.0.1:80']), web(2, ['10.1.0.2:80', '10.1.0.3:80']))
    await agent.apply(web(2, ['10.1.0.3:80']))
    const [one, three] = [agent.id('10.1.0.1:80'), agent.id('10.1.0.3:80')]
    await agent.renew()
    assert.deepEqual(agent.dump(), [])
    agent.reconciler.setService(service(web(2, ['10.1.0.3:80'])))
    await agent.apply(web(3, ['10.1.0.9:80']))
    assert.equal(agent.id('10.1.0.3:80'), three)
    assert.notEqual(agent.id('10.1.0.9:80'), one)
    assert.deepEqual(agent.dump('service'), [
      'service 1 -> default/s1:http/TCP',
      'service 2 -> default/s2:http/TCP',
      'service 3 -> default/s3:http/TCP',
    ])
  })
})
