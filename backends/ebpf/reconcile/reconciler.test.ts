import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EbpfError } from '@kpng/ebpf'
import { Harness } from './testing/harness.ts'
import { lookup } from './testing/lookup.ts'
import { node, type ServiceSpec, service } from './testing/views.ts'

const web = (endpoints: readonly string[], more: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: 'web',
  clusterIPs: ['10.96.0.1'],
  ports: [{ name: 'http', port: 80, endpoints }],
  ...more,
})
const at = (address: string, port = 80) => ({ family: 'IPv4', address, port, protocol: 'TCP' }) as const

describe('the reconciler', () => {
  it('writes services, lists, addresses and ServiceCIDRs', async () => {
    using agent = new Harness()
    agent.reconciler.setNode(node(['192.168.1.1', 'fd02::1'], ['10.96.0.0/16', 'fd00::/112']))
    await agent.apply(
      {
        name: 'kube-system/kube-dns',
        clusterIPs: ['10.96.0.10', 'fd00::10'],
        ports: [
          {
            name: 'dns',
            protocol: 'UDP',
            port: 53,
            endpoints: ['10.1.0.2:53', '10.1.0.1:53 local', '[fd01::1]:53'],
          },
          { name: 'dns-tcp', port: 53 },
        ],
        affinity: 10,
      },
      web(['10.1.0.1:8080 local', '10.1.0.2:8080'], {
        externalIPs: ['192.0.2.1'],
        internalLocal: true,
        ports: [{ port: 80, nodePort: 30080, endpoints: ['10.1.0.1:8080', '10.1.0.2:8080'] }],
      }),
    )
    assert.deepEqual(agent.dump(), [
      'addr4 10.96.0.1 -> cluster-ip',
      'addr4 10.96.0.10 -> cluster-ip',
      'addr4 192.0.2.1 -> external',
      'addr4 192.168.1.1 -> node',
      'addr6 fd00::10 -> cluster-ip',
      'addr6 fd02::1 -> node',
      'cidr4 10.96.0.0/16',
      'cidr6 fd00::/112',
      'list 1 -> base 0 count 2: #1 10.1.0.1:53, #2 10.1.0.2:53',
      'list 2 -> base 0 count 1: #3 [fd01::1]:53',
      'list 3 -> empty: NO_ENDPOINTS',
      'list 4 -> empty: NO_ENDPOINTS',
      'list 5 -> empty: NO_LOCAL_ENDPOINTS',
      'list 6 -> base 2 count 2: #4 10.1.0.1:8080, #5 10.1.0.2:8080',
      'service 1 -> kube-system/kube-dns:dns/UDP',
      'service 2 -> kube-system/kube-dns:dns-tcp/TCP',
      'service 3 -> default/web:/TCP',
      'svc4 10.96.0.1:80/TCP -> list 5 service default/web: affinity 0',
      'svc4 10.96.0.10:53/TCP -> list 3 service kube-system/kube-dns:dns-tcp affinity 10',
      'svc4 10.96.0.10:53/UDP -> list 1 service kube-system/kube-dns:dns affinity 10',
      'svc4 192.0.2.1:80/TCP -> list 6 service default/web: affinity 0',
      'svc4 *4:30080/TCP -> list 6 service default/web: affinity 0',
      'svc6 [fd00::10]:53/TCP -> list 4 service kube-system/kube-dns:dns-tcp affinity 10',
      'svc6 [fd00::10]:53/UDP -> list 2 service kube-system/kube-dns:dns affinity 10',
    ])
    assert.deepEqual(agent.problems(), [])
  })

  it('[KP-1.17] does nothing before the first sync, and nothing for what did not change', async () => {
    using agent = new Harness()
    agent.reconciler.setService(service(web(['10.1.0.1:80'])))
    await agent.clock.pass(1_000_000)
    assert.deepEqual(agent.operations, [])
    await agent.sync()
    agent.forget()
    await agent.apply(web(['10.1.0.1:80']))
    assert.deepEqual(agent.operations, [])
  })

  it('takes up a sync that comes at any moment of the end of the work before', async () => {
    using agent = new Harness()
    for (let moment = 0; moment < 40; moment++) {
      agent.reconciler.setService(service(web([`10.1.1.${moment}:80`])))
      agent.reconciler.sync()
      await agent.reconciler.written()
      for (let microtask = 0; microtask < moment; microtask++) await undefined
      agent.reconciler.setService(service(web([`10.1.2.${moment}:80`])))
      agent.reconciler.sync()
      // The clock stands still: nothing else would wake it.
      for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
      assert.match(agent.dump('list').join(), new RegExp(`10\\.1\\.2\\.${moment}:80`), `moment ${moment}`)
    }
  })

  it('[KPNG-D9] writes names, then ranges, lists, the filter, addresses, then frontends', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80']))
    agent.forget()
    await agent.apply({
      name: 'other',
      clusterIPs: ['10.96.0.77'],
      ports: [{ port: 80, endpoints: ['10.1.0.1:80'] }],
    })
    const maps = agent.operations.map(operation => operation.split(' ')[0])
    assert.deepEqual(maps, ['service', 'backend4', 'list', 'outside', 'addr4', 'svc4'])
  })

  it('deletes the frontend first, and its list and range only after a grace period', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80']))
    agent.forget()
    const graces = agent.kernel.graces
    agent.before = ({ map }) => {
      if (map === 'list') assert(agent.kernel.graces > graces, 'the list was cleared without a grace period')
    }
    await agent.remove('web')
    await agent.clock.pass(1000)
    assert.deepEqual(agent.operations, ['svc4 delete 1', 'addr4 delete 1', 'list store64 1'])
    assert.deepEqual(agent.dump(), ['service 1 -> default/web:http/TCP'])
  })

  it('[KP-6.4 KPNG-C10] changes endpoints by a new range and one store, for all frontends at once', async () => {
    using agent = new Harness()
    const spec = (endpoints: string[]) => web(endpoints, { externalIPs: ['192.0.2.1', '192.0.2.2'] })
    await agent.apply(spec(['10.1.0.1:80', '10.1.0.2:80']))
    agent.forget()
    await agent.apply(spec(['10.1.0.2:80', '10.1.0.3:80']))
    assert.deepEqual(agent.operations, ['backend4 write 2', 'list store64 1'])
    assert.deepEqual(agent.dump('list'), ['list 1 -> base 2 count 2: #2 10.1.0.2:80, #3 10.1.0.3:80'])
  })

  it('[KP-1.16 KP-6.4] replaces a Service by another with the same ClusterIP in one sync, without a moment of neither', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80']))
    agent.before = () => assert.equal(lookup(agent.maps, at('10.96.0.1')).verdict, 'backends')
    agent.reconciler.deleteService('default', 'web')
    await agent.apply({ ...web(['10.1.0.9:80']), name: 'other' })
    assert.deepEqual(agent.dump('svc4'), [
      'svc4 10.96.0.1:80/TCP -> list 2 service default/other:http affinity 0',
    ])
    await agent.clock.pass(1000)
    assert.deepEqual(agent.dump('list'), ['list 2 -> base 1 count 1: #2 10.1.0.9:80'])
  })

  it('[KP-1.16] serves the loser of a clash when the winner goes', async () => {
    using agent = new Harness()
    await agent.apply({ ...web(['10.1.0.2:80']), name: 'b' }, { ...web(['10.1.0.1:80']), name: 'a' })
    assert.deepEqual(agent.dump('svc4'), [
      'svc4 10.96.0.1:80/TCP -> list 1 service default/a:http affinity 0',
    ])
    assert.match(
      agent.problems().join(),
      /^default\/b: 10\.96\.0\.1:80\/TCP is served for default\/a:http\/TCP/,
    )
    await agent.remove('a')
    assert.match(agent.dump('svc4').join(), /service default\/b:http/)
    assert.deepEqual(agent.problems(), [])
  })

  it('keeps ids while a membership is known, in a list or not', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80', '10.1.0.2:80', '10.1.0.3:80']))
    const id = agent.id('10.1.0.2:80')
    await agent.apply(web(['10.1.0.1:80', '10.1.0.2:80 notready', '10.1.0.4:80']))
    assert.notEqual(agent.id('10.1.0.4:80'), id)
    await agent.apply(web(['10.1.0.2:80']))
    assert.equal(agent.id('10.1.0.2:80'), id)
  })

  it('[KP-6.2] tries a Service that fails again, with growing pauses, and lets the others go on', async () => {
    using agent = new Harness()
    const attempts: number[] = []
    agent.fault = ({ map, kind }) => {
      if (map !== 'backend4' || kind !== 'write' || attempts.length > 6) return undefined
      attempts.push(agent.clock.nowMs())
      return 0
    }
    agent.reconciler.setService(service(web(['10.1.0.1:80'])))
    agent.reconciler.setService(service({ name: 'empty', clusterIPs: ['10.96.0.2'], ports: [{ port: 80 }] }))
    agent.reconciler.sync()
    await agent.clock.pass(1)
    assert.equal(lookup(agent.maps, at('10.96.0.2')).verdict, 'NO_ENDPOINTS')
    assert.match(
      agent.problems().join(),
      /^default\/web: list \d of default\/web:http\/TCP: write of backend4 made to fail/,
    )
    await agent.clock.until(agent.reconciler.settled())
    const pauses = attempts.slice(1).map((time, index) => time - (attempts[index] ?? 0))
    assert.deepEqual(pauses, [7.5, 15, 30, 60, 120, 240])
    assert.deepEqual(agent.problems(), [])
    assert.equal(lookup(agent.maps, at('10.96.0.1')).verdict, 'backends')
  })

  it('goes on after a batch that was written in part', async () => {
    using agent = new Harness()
    let failed = false
    agent.fault = ({ map, kind }) => {
      if (failed || map !== 'svc4' || kind !== 'update') return undefined
      failed = true
      return 2
    }
    const specs = [1, 2, 3, 4].map(n =>
      web([`10.1.0.${n}:80`], { name: `s${n}`, clusterIPs: [`10.96.0.${n}`] }),
    )
    await agent.apply(...specs)
    const writes = agent.operations.filter(operation => operation.startsWith('svc4'))
    // Two of four, the rest without the one that failed, and that one again.
    assert.deepEqual(writes, ['svc4 update 4', 'svc4 update 1', 'svc4 update 1'])
    assert.equal(agent.dump('svc4').length, 4)
  })

  it('reports a Service that finds a map full, serves the others, and heals when room appears', async () => {
    using agent = new Harness({ sizes: { frontends: 2 } })
    const specs = [1, 2, 3].map(n => web([`10.1.0.${n}:80`], { name: `s${n}`, clusterIPs: [`10.96.0.${n}`] }))
    await agent.apply(...specs)
    assert.equal(agent.dump('svc4').length, 2)
    assert.equal(agent.problems().length, 1)
    assert.match(
      agent.problems().join(),
      /^default\/s3: frontend 10\.96\.0\.3:80\/TCP does not fit: map svc4 is full/,
    )
    assert.equal(agent.reconciler.status().counts.unfit, 1)
    assert.equal(lookup(agent.maps, at('10.96.0.3')).verdict, 'UNKNOWN_PORT')
    // What is there can still be changed.
    await agent.apply(web(['10.1.0.7:80'], { name: 's1', clusterIPs: ['10.96.0.1'], affinity: 5 }))
    await agent.remove('s1')
    await agent.clock.pass(100)
    assert.deepEqual(agent.problems(), [])
    assert.equal(lookup(agent.maps, at('10.96.0.3')).verdict, 'backends')
  })

  it('reports addresses that find no room', async () => {
    using agent = new Harness({ sizes: { addresses: 1 } })
    const specs = [1, 2].map(n => web([`10.1.0.${n}:80`], { name: `s${n}`, clusterIPs: [`10.96.0.${n}`] }))
    await agent.apply(...specs)
    assert.equal(agent.dump('svc4').length, 2)
    assert.match(agent.problems().join(), /^default\/s2: 10\.96\.0\.2 does not fit/)
    await agent.remove('s1')
    await agent.clock.pass(20_000)
    assert.deepEqual(agent.problems(), [])
    assert.deepEqual(agent.dump('addr4'), ['addr4 10.96.0.2 -> cluster-ip'])
  })

  it('uses as many endpoints as there is room for', async () => {
    using agent = new Harness({ sizes: { slots: 8 } })
    const eleven = Array.from({ length: 11 }, (_, index) => `10.1.0.${index + 1}:80`)
    await agent.apply(web(eleven))
    assert.match(agent.dump('list').join(), /^list 1 -> base 0 count 8: /)
    assert.match(agent.problems().join(), /8 of 11 IPv4 endpoints fit, backend4 is full/)
    await agent.apply(web(eleven.slice(8)))
    await agent.clock.pass(20_000)
    assert.deepEqual(agent.problems(), [])
  })

  it('moves small lists to make room for a large one', async () => {
    using agent = new Harness({ sizes: { slots: 16 } })
    const spec = (n: number, count: number): ServiceSpec =>
      web(
        Array.from({ length: count }, (_, index) => `10.1.${n}.${index + 1}:80`),
        {
          name: `s${n}`,
          clusterIPs: [`10.96.0.${n}`],
        },
      )
    await agent.apply(spec(1, 4), spec(2, 2), spec(3, 1), spec(4, 4), spec(5, 1), spec(7, 4))
    await agent.remove('s1', 's4')
    await agent.clock.pass(100)
    await agent.apply(spec(6, 8))
    assert.deepEqual(agent.problems(), [])
    const status = agent.reconciler.status()
    assert(status.counters.moves > 0)
    const counts = agent.dump('list').map(line => Number(/count (\d+)/.exec(line)?.[1]))
    assert.deepEqual(counts.sort(), [1, 1, 2, 4, 8])
    assert.equal(status.counts.ranges.IPv4.used, 16)
  })

  it('touches only the entries of the Service whose endpoints changed, among 10,000', async () => {
    const count = 10_000
    using agent = new Harness({
      sizes: { frontends: 16_384, lists: 16_384, slots: 65_536, addresses: 16_384, names: 16_384 },
      limits: { maxBackendId: 65_536, maxServicePortId: 16_384 },
    })
    const spec = (n: number, endpoints: readonly number[]): ServiceSpec =>
      web(
        endpoints.map(endpoint => `10.${128 + (n >> 8)}.${n & 255}.${endpoint}:80`),
        { name: `s${n}`, clusterIPs: [`10.96.${n >> 8}.${n & 255}`] },
      )
    let turns = 0
    const turn = (): void => {
      turns++
      if (turns > 0) setImmediate(turn)
    }
    turn()
    await agent.apply(...Array.from({ length: count }, (_, n) => spec(n, [1, 2])))
    assert(turns > 20, `the event loop had ${turns} turns`)
    turns = Number.NEGATIVE_INFINITY
    assert.equal(agent.dump('svc4').length, count)
    assert(agent.operations.length < 400, `${agent.operations.length} operations for a cold start`)
    agent.forget()
    await agent.apply(spec(4711, [1, 2, 3]))
    assert.deepEqual(agent.operations, ['backend4 write 3', 'list store64 1'])
  })

  it('[KP-6.2] says what the kernel said when a grace period fails, and tries again', async () => {
    using agent = new Harness()
    let failures = 2
    agent.kernel.fault = () => failures-- > 0
    await agent.apply(web(['10.1.0.1:80']))
    await agent.apply(web(['10.1.0.2:80']))
    await agent.clock.pass(5)
    assert.match(agent.problems().join(), /grace made to fail/)
    await agent.clock.pass(1000)
    assert.deepEqual(agent.problems(), [])
    assert.equal(agent.reconciler.status().counts.ranges.IPv4.used, 1)
  })

  it('lets only MAP_FULL count as having no room', async () => {
    using agent = new Harness()
    let failures = 3
    agent.fault = ({ map }) => {
      if (map === 'svc4' && failures-- > 0) throw new EbpfError('NO_MEMORY', 'no memory')
      return undefined
    }
    await agent.apply(web(['10.1.0.1:80']))
    assert.equal(agent.reconciler.status().counters.retries, 3)
    assert.deepEqual(agent.problems(), [])
  })

  it('tells of each pass whether it was full, failed, and left nothing to do', async () => {
    using agent = new Harness()
    const passes = () =>
      agent.kernel.passes.splice(0).map(({ full, failed, upToDate }) => ({ full, failed, upToDate }))
    await agent.apply(web(['10.1.0.1:80']))
    assert.deepEqual(passes(), [{ full: true, failed: false, upToDate: true }])
    let failures = 1
    agent.fault = ({ map }) => {
      if (map === 'svc4' && failures-- > 0) throw new EbpfError('NO_MEMORY', 'no memory')
      return undefined
    }
    await agent.apply(web(['10.1.0.1:80'], { clusterIPs: ['10.96.0.2'] }))
    const [failed, ...rest] = passes()
    assert.deepEqual(failed, { full: false, failed: true, upToDate: false })
    assert.deepEqual(rest.at(-1), { full: false, failed: false, upToDate: true })
    await agent.sync()
    assert.deepEqual(passes(), [], 'there was nothing to do')
    await agent.reconciler.verify()
    await agent.clock.pass(1)
    assert.equal(passes().at(-1)?.full, true)
  })
})
