import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@kpng/api'
import type { EventInput } from '../events/event-recorder.ts'
import { listenTcp } from '../http/listen.ts'
import { FakePorts } from '../testing/fake-listen.ts'
import {
  type HealthAddresses,
  ServiceHealth,
  type ServiceHealthOptions,
  type WantedHealth,
} from './service-health.ts'

const all: HealthAddresses = { IPv4: ['0.0.0.0'], IPv6: ['::'] }
const quiet = { debug() {}, info() {}, warn() {} }

const wanted = (
  ...services: ReadonlyArray<readonly [name: string, port: number, v4?: number, v6?: number]>
) =>
  new Map<string, WantedHealth>(
    services.map(([name, port, v4, v6]) => [
      `shop/${name}`,
      {
        namespace: 'shop',
        name,
        port,
        localEndpoints: { ...(v4 !== undefined && { IPv4: v4 }), ...(v6 !== undefined && { IPv6: v6 }) },
      },
    ]),
  )

function subject(options: Partial<ServiceHealthOptions> = {}) {
  const ports = new FakePorts()
  const clock = new ManualClock()
  const events: EventInput[] = []
  const health = new ServiceHealth({
    nodeName: 'n1',
    proxyHealthy: () => true,
    recorder: { event: event => events.push(event) },
    logger: quiet,
    clock,
    listen: ports.listen,
    onChange: () => {},
    ...options,
  })
  const sync = async (services: ReadonlyMap<string, WantedHealth>, addresses = all) => {
    health.sync(services, addresses)
    await health.settled()
    return ports.takeLog()
  }
  return { ports, clock, events, health, sync }
}

test('[KP-8.2.1 KP-8.2.3] one listener a Service and family, opened by a sync, closed by the one that wants it no more', async () => {
  const { sync, health } = subject()
  assert.deepEqual(await sync(wanted(['web', 31000, 1, 1], ['four', 31001, 0])), [
    'open 0.0.0.0 31000',
    'open :: 31000',
    'open 0.0.0.0 31001',
  ])
  assert.deepEqual(await sync(wanted(['web', 31000, 2, 0], ['four', 31001, 0])), [], 'counts open nothing')
  assert.deepEqual(await sync(wanted(['web', 31000, 1])), ['close :: 31000', 'close 0.0.0.0 31001'])
  await health[Symbol.asyncDispose]()
})

test('[KP-8.2.1] the addresses that nodePortAddresses choose, and those of now', async () => {
  const { sync, health } = subject()
  const some: HealthAddresses = { IPv4: ['10.0.0.1', '10.0.0.2'], IPv6: [] }
  assert.deepEqual(await sync(wanted(['web', 31000, 1, 1]), some), [
    'open 10.0.0.1 31000',
    'open 10.0.0.2 31000',
  ])
  assert.deepEqual(await sync(wanted(['web', 31000, 1, 1]), { ...some, IPv4: ['10.0.0.3'] }), [
    'close 10.0.0.1 31000',
    'close 10.0.0.2 31000',
    'open 10.0.0.3 31000',
  ])
  await health[Symbol.asyncDispose]()
})

test('[KP-8.2.3] another port closes the old one; two Services can change places', async () => {
  const { sync, ports, health } = subject()
  await sync(wanted(['a', 31000, 1], ['b', 31001, 1]))
  await sync(wanted(['a', 31001, 1], ['b', 31000, 1]))
  assert.deepEqual(ports.open, ['0.0.0.0 31000', '0.0.0.0 31001'])
  assert.deepEqual(health.problems(), [])
  await health[Symbol.asyncDispose]()
})

test('[KP-8.2.3 KP-11.4] a port that is taken is an Event and a problem, and tried again at every sync', async () => {
  const { sync, ports, clock, events, health } = subject()
  ports.taken.add(31000)
  const services = wanted(['web', 31000, 1])
  assert.deepEqual(await sync(services), ['refuse 0.0.0.0 31000'])
  const note = 'node n1 failed to start healthcheck "shop/web" on port 31000: listen EADDRINUSE 31000'
  assert.deepEqual(events, [
    {
      regarding: { kind: 'Service', apiVersion: 'v1', namespace: 'shop', name: 'web' },
      type: 'Warning',
      reason: 'FailedToStartServiceHealthcheck',
      action: 'Listen',
      note,
    },
  ])
  assert.deepEqual(health.problems(), [
    { where: 'shop/web', field: 'spec.healthCheckNodePort', message: `${note}; will be tried again` },
  ])
  assert.deepEqual(await sync(services), [], 'syncs in one second are one')
  clock.advance(1_000)
  assert.deepEqual(await sync(services), ['refuse 0.0.0.0 31000'])
  ports.taken.clear()
  clock.advance(1_000)
  assert.deepEqual(await sync(services), ['open 0.0.0.0 31000'])
  assert.deepEqual([health.problems(), events.length], [[], 2])
  await health[Symbol.asyncDispose]()
})

test('[KP-8.2.3] where no sync comes a taken port is tried again after 30 s', async () => {
  const { sync, ports, clock, health } = subject()
  ports.taken.add(31000)
  await sync(wanted(['web', 31000, 1]))
  ports.taken.clear()
  clock.advance(30_000)
  await health.settled()
  assert.deepEqual(ports.open, ['0.0.0.0 31000'])
  assert.equal(clock.pending, 0)
  await health[Symbol.asyncDispose]()
})

test('[KP-8.2.1] an address that cannot be had closes the others of the Service and family', async () => {
  const { sync, ports, health } = subject({
    listen: (at, events) =>
      at.address === '10.0.0.2' ? Promise.reject(new Error('EADDRNOTAVAIL')) : ports.listen(at, events),
  })
  await sync(wanted(['web', 31000, 1]), { IPv4: ['10.0.0.1', '10.0.0.2'], IPv6: [] })
  assert.deepEqual([ports.open, health.problems().length], [[], 1])
  await health[Symbol.asyncDispose]()
})

test('a Service that goes takes its problem with it', async () => {
  const { sync, ports, clock, health } = subject()
  ports.taken.add(31000)
  await sync(wanted(['web', 31000, 1, 1]))
  assert.equal(health.problems().length, 2)
  await sync(wanted(['web', 31000, 1]))
  assert.equal(health.problems().length, 1)
  await sync(new Map())
  assert.deepEqual([health.problems(), clock.pending], [[], 0])
  await health[Symbol.asyncDispose]()
})

test('there are so many listeners at most, and who finds none is told', async () => {
  const { sync, clock, events, health } = subject({ maxListeners: 3 })
  await sync(wanted(['a', 31000, 1, 1], ['b', 31001, 1, 1]))
  assert.equal(health.listeners, 3)
  assert.match(events[0]?.note ?? '', /"shop\/b" on port 31001: the node listens for at most 3 of them$/)
  clock.advance(1_000)
  await sync(wanted(['b', 31001, 1, 1]))
  assert.deepEqual([health.listeners, health.problems()], [2, []])
  await health[Symbol.asyncDispose]()
})

test('a listener that breaks is opened again', async () => {
  const { sync, ports, health } = subject()
  await sync(wanted(['web', 31000, 1]))
  ports.break()
  await health.settled()
  assert.deepEqual(ports.takeLog(), ['close 0.0.0.0 31000', 'open 0.0.0.0 31000'])
  await health[Symbol.asyncDispose]()
})

test('[KP-8.2.1 KP-8.2.3 KP-14.9] over real sockets: any path and method, counts of now, closed with its connections', async () => {
  let port = 0
  let proxyHealthy = true
  const { sync, health } = subject({
    proxyHealthy: () => proxyHealthy,
    listen: async (at, events) => {
      const listener = await listenTcp({ ...at, address: '127.0.0.1', port: 0 }, events)
      port = listener.port
      return listener
    },
  })
  await sync(wanted(['web', 31000, 2]))
  const ask = async (path = '/', method = 'GET') => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method })
    const { localEndpoints } = (await answer.json()) as { localEndpoints: number }
    return [answer.status, localEndpoints, answer.headers.get('x-load-balancing-endpoint-weight')]
  }
  assert.deepEqual(await ask(), [200, 2, '2'])
  assert.deepEqual(await ask('/any/path?at=all', 'POST'), [200, 2, '2'])
  proxyHealthy = false
  assert.deepEqual(await ask(), [503, 2, '2'])
  proxyHealthy = true
  health.sync(wanted(['web', 31000, 0]), all)
  assert.deepEqual(await ask(), [503, 0, '0'], 'at once')
  await sync(new Map())
  await assert.rejects(ask())
  await health[Symbol.asyncDispose]()
})
