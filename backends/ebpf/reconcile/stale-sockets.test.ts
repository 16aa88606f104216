import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { recordRow } from './testing/fake-kernel.ts'
import { Harness } from './testing/harness.ts'
import type { ServiceSpec } from './testing/views.ts'

const dns = (endpoints: readonly string[], more: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: 'dns',
  clusterIPs: ['10.96.0.10'],
  ports: [
    { name: 'dns', protocol: 'UDP', port: 53, endpoints },
    { name: 'dns-tcp', protocol: 'TCP', port: 53, endpoints },
  ],
  ...more,
})

/** Ids of the UDP service port's backends. */
const idOf = (agent: Harness, where: string): number => {
  const list = agent
    .dump('svc4')
    .find(line => line.includes('/UDP'))
    ?.match(/list (\d+)/)?.[1]
  const line = agent.dump('list').find(text => text.startsWith(`list ${list} `)) ?? ''
  const id = new RegExp(`#(\\d+) ${where.replaceAll('.', '\\.')}(,|$)`).exec(line)?.[1]
  assert(id !== undefined, `${where} is not in ${line}`)
  return Number(id)
}

describe('stale UDP flows', () => {
  it('[KP-7.1 KP-7.3 KP-7.5] move on when their backend goes, after a grace period that follows the flip', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    const id = idOf(agent, '10.1.0.1:53')
    const graces = agent.kernel.graces
    await agent.apply(dns(['10.1.0.2:53']))
    assert.deepEqual(agent.kernel.destroyed, [{ id, generation: 1 }])
    assert(agent.kernel.graces > graces)
  })

  it('move on when the backend stops to serve, and when the Service goes', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    const [one, two] = [idOf(agent, '10.1.0.1:53'), idOf(agent, '10.1.0.2:53')]
    await agent.apply(dns(['10.1.0.1:53 notready', '10.1.0.2:53']))
    assert.deepEqual(agent.kernel.destroyed, [{ id: one, generation: 1 }])
    await agent.remove('dns')
    assert.deepEqual(agent.kernel.destroyed.slice(1), [{ id: two, generation: 1 }])
  })

  it('[KP-7.2] stay when their backend only leaves the list', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53', '10.1.0.3:53']))
    await agent.apply(dns(['10.1.0.1:53 terminating', '10.1.0.2:53 local onlylocal', '10.1.0.3:53']))
    assert.match(agent.dump('list').join(), /count 1/)
    assert.deepEqual(agent.kernel.destroyed, [])
  })

  it('stay when their backend is back before anybody came to destroy them', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53']))
    let failures = 3
    agent.kernel.fault = () => failures-- > 0
    agent.reconciler.deleteService('default', 'dns')
    agent.reconciler.sync()
    await agent.clock.pass(2)
    assert.deepEqual(agent.kernel.destroyed, [])
    await agent.apply(dns(['10.1.0.1:53']))
    await agent.clock.pass(10_000)
    assert.deepEqual(agent.kernel.destroyed, [])
    assert.equal(idOf(agent, '10.1.0.1:53'), 1)
  })

  it('are no problem any more when their backend serves again after a pass that failed', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    const { destroyStale } = agent.kernel
    agent.kernel.destroyStale = async () => {
      throw new Error('no memory for an iterator')
    }
    await agent.apply(dns(['10.1.0.2:53']))
    assert.match(agent.problems().join(), /no memory for an iterator/)
    agent.kernel.destroyStale = destroyStale
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    await agent.clock.pass(600_000)
    assert.deepEqual(agent.problems(), [])
  })

  it('are looked for a second time, for a connect() may end after the first', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    const dead = { id: idOf(agent, '10.1.0.1:53'), generation: 1 }
    await agent.apply(dns(['10.1.0.2:53']))
    await agent.clock.pass(1_000)
    assert.deepEqual(agent.kernel.destroyed, [dead, dead])
  })

  it('of a backend that is back before the second look are left alone', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    await agent.apply(dns(['10.1.0.2:53']))
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    await agent.clock.pass(1_000)
    assert.equal(agent.kernel.destroyed.length, 1)
  })

  it('are tried again, and given up with a problem said, when they cannot be destroyed', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53']))
    let calls = 0
    agent.kernel.destroyStale = async () => {
      calls++
      return { destroyed: 0, failed: 1 }
    }
    await agent.apply(dns([]))
    assert.equal(calls, 5)
    assert.equal(agent.reconciler.status().counters.staleBackendsGivenUp, 1)
    assert.match(agent.problems().join(), /1 stale sockets could not be destroyed/)
  })

  it('are tried for as long as the kernel fails, and no sync waits for more than five such passes', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53']))
    const dead = { id: idOf(agent, '10.1.0.1:53'), generation: 1 }
    let calls = 0
    const { destroyStale } = agent.kernel
    agent.kernel.destroyStale = async () => {
      calls++
      throw new Error('no memory for an iterator')
    }
    await agent.apply(dns([]))
    assert.equal(calls, 5)
    assert.match(agent.problems().join(), /no memory for an iterator/)
    await agent.clock.pass(600_000)
    assert(calls > 10 && calls < 100, `${calls} passes in ten minutes`)
    agent.kernel.destroyStale = destroyStale
    await agent.clock.pass(600_000)
    assert.deepEqual(agent.kernel.destroyed, [dead, dead])
    assert.equal(agent.reconciler.status().counters.staleBackendsGivenUp, 0)
    assert.deepEqual(agent.problems(), [])
  })

  it('are found again by an agent that adopts', async () => {
    using agent = new Harness()
    await agent.apply(dns(['10.1.0.1:53', '10.1.0.2:53']))
    const [one, two] = [idOf(agent, '10.1.0.1:53'), idOf(agent, '10.1.0.2:53')]
    // A third one has left the list, and only a socket remembers it.
    const row = {
      backend: 9,
      generation: 4,
      servicePort: 1,
      protocol: 'UDP',
      address: '10.1.0.3',
      port: 53,
    } as const
    agent.kernel.records.push(recordRow(row))
    await agent.restart()
    await agent.apply(dns(['10.1.0.2:53']))
    const destroyed = agent.kernel.destroyed.toSorted((a, b) => a.id - b.id)
    assert.deepEqual(destroyed, [
      { id: one, generation: 1 },
      { id: 9, generation: 4 },
    ])
    assert.equal(idOf(agent, '10.1.0.2:53'), two)
  })
})
