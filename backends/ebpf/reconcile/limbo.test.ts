import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { recordRow } from './testing/fake-kernel.ts'
import { Harness } from './testing/harness.ts'
import type { ServiceSpec } from './testing/views.ts'

const web = (endpoints: readonly string[]): ServiceSpec => ({
  name: 'web',
  clusterIPs: ['10.96.0.1'],
  ports: [{ name: 'http', port: 80, endpoints }],
})
const CLIENT = { client: new Uint8Array(16), servicePort: 1, kind: 0, family: 4 }

describe('an id that nobody owns any more', () => {
  it('is given again only when no socket remembers it', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80']))
    const row = {
      backend: 1,
      generation: 1,
      servicePort: 1,
      protocol: 'TCP',
      address: '10.1.0.1',
      port: 80,
    } as const
    agent.kernel.records.push(recordRow(row))
    await agent.apply(web([]))
    await agent.clock.pass(200_000)
    await agent.apply(web(['10.1.0.2:80']))
    assert.equal(agent.id('10.1.0.2:80'), 2)
    agent.kernel.records.length = 0
    await agent.clock.pass(60_000)
    await agent.apply(web(['10.1.0.2:80', '10.1.0.3:80']))
    assert.equal(agent.id('10.1.0.3:80'), 1)
    const generations = [4, 5].map(slot => agent.maps.backend4.read(slot)).filter(slot => slot.id === 1)
    assert(generations.every(slot => slot.generation === 2))
  })

  it('goes back to its owner as long as it was not given to another', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80', '10.1.0.2:80']))
    await agent.apply(web(['10.1.0.1:80']))
    await agent.apply(web(['10.1.0.1:80', '10.1.0.3:80', '10.1.0.2:80']))
    assert.equal(agent.id('10.1.0.2:80'), 2)
    assert.equal(agent.id('10.1.0.3:80'), 3)
  })

  it('[KP-4.3.4] takes affinity to it along, and only that', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80', '10.1.0.2:80']))
    const value = { lastUsedNs: 1n, generation: 1, version: 1 }
    agent.maps.affinity.update(CLIENT, { ...value, backend: 1 })
    agent.maps.affinity.update({ ...CLIENT, kind: 1 }, { ...value, backend: 2 })
    await agent.apply(web(['10.1.0.2:80']))
    assert.equal(agent.maps.affinity.size, 2)
    await agent.clock.pass(60_000)
    assert.deepEqual(
      [...agent.maps.affinity.entries()].map(([, entry]) => entry.backend),
      [2],
    )
  })

  it('names its service port until the last socket has gone', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80']))
    const row = {
      backend: 1,
      generation: 1,
      servicePort: 1,
      protocol: 'TCP',
      address: '10.1.0.1',
      port: 80,
    } as const
    agent.kernel.records.push(recordRow(row))
    await agent.remove('web')
    await agent.clock.pass(200_000)
    assert.deepEqual(agent.dump(), ['service 1 -> default/web:http/TCP'])
    agent.kernel.records.length = 0
    await agent.clock.pass(60_000)
    assert.deepEqual(agent.dump(), [])
  })

  it('is looked for at once when a Service waits for one', async () => {
    using agent = new Harness({ limits: { maxBackendId: 2, maxServicePortId: 2 } })
    const freed: number[] = []
    Object.assign(agent.kernel, {
      idsFreed: ({ backends }: { backends: readonly number[] }) => freed.push(...backends),
    })
    await agent.apply(web(['10.1.0.1:80', '10.1.0.2:80']))
    await agent.apply(web(['10.1.0.3:80', '10.1.0.4:80']))
    assert.match(agent.problems().join(), /2 of 2 endpoints have no id, all 2 are taken/)
    await agent.clock.pass(2_000)
    assert.deepEqual(agent.problems(), [])
    assert.deepEqual(freed, [1, 2])
    assert.match(agent.dump('list').join(), /#1 10\.1\.0\.3:80, #2 10\.1\.0\.4:80/)
  })

  it('stays while the pass over the sockets fails', async () => {
    using agent = new Harness()
    await agent.apply(web(['10.1.0.1:80']))
    await agent.apply(web([]))
    let failures = 0
    agent.kernel.idsInUse = async () => {
      failures++
      throw new Error('no iterator')
    }
    await agent.clock.pass(31_000)
    assert(failures > 1)
    assert.match(agent.problems().join(), /no iterator/)
    assert.equal(agent.reconciler.status().counts.backendIds.limbo, 1)
  })
})
