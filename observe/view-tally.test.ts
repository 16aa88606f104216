import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aService } from './testing/views.ts'
import { ViewTally } from './view-tally.ts'

const tallied = (...views: Parameters<ViewTally['set']>[0][]) => {
  const tally = new ViewTally()
  for (const view of views) tally.set(view)
  return tally
}

for (const [name, endpoints, expected] of [
  ['no endpoint', [[]], 0],
  ['ready ones of this node', [['10.0.0.1', '10.0.0.2', '10.0.0.3 remote']], 2],
  ['one address in several ports', [['10.0.0.1'], ['10.0.0.1'], ['10.0.0.2']], 2],
  ['terminating ones, even where they serve', [['10.0.0.1 terminating', '10.0.0.2']], 1],
  ['unready ones', [['10.0.0.1 unready']], 0],
] as const)
  test(`[KP-8.2.3 KP-14.9] local endpoints counted: ${name}`, () => {
    const { health } = tallied(aService({ healthCheckNodePort: 31000, endpoints })).facts()
    assert.deepEqual(
      [...health],
      [['shop/web', { namespace: 'shop', name: 'web', port: 31000, localEndpoints: { IPv4: expected } }]],
    )
  })

test('[KP-8.2.1] each family that a Service has counts by itself', () => {
  const endpoints = [['10.0.0.1', 'fd00::1', 'fd00::2', 'fd00::3 remote']]
  const families = ['IPv4', 'IPv6'] as const
  const { health } = tallied(aService({ healthCheckNodePort: 31000, endpoints, families })).facts()
  assert.deepEqual(health.get('shop/web')?.localEndpoints, { IPv4: 1, IPv6: 2 })
})

test('Services without a health check port are not there; those that go, or lose it, are gone', () => {
  const tally = tallied(aService({ name: 'a', healthCheckNodePort: 31000 }), aService({ name: 'b' }))
  const before = tally.facts()
  assert.deepEqual([...before.health.keys()], ['shop/a'])
  tally.set(aService({ name: 'a' }))
  tally.set(aService({ name: 'c', healthCheckNodePort: 31001 }))
  tally.delete('shop', 'b')
  assert.deepEqual([...tally.facts().health.keys()], ['shop/c'])
  tally.delete('shop', 'c')
  assert.deepEqual([...tally.facts().health.keys()], [])
  assert.deepEqual([...before.health.keys()], ['shop/a'], 'facts stay what they were')
})

test('[KP-9.7 KP-9.16] service ports that somebody serves, but nobody here under their policy Local', () => {
  const tally = tallied(
    aService({ name: 'none', internal: ['refuse'], external: ['refuse'] }),
    aService({ name: 'here', internal: ['serve'], external: ['serve'] }),
    aService({ name: 'inside', internal: ['drop', 'serve', 'drop'] }),
    aService({ name: 'both', internal: ['drop'], external: ['drop'], families: ['IPv4', 'IPv6'] }),
  )
  assert.deepEqual(tally.facts().noLocal, {
    IPv4: { internal: 3, external: 1 },
    IPv6: { internal: 1, external: 1 },
  })
  tally.set(aService({ name: 'inside', internal: ['serve', 'serve', 'drop'] }))
  tally.delete('shop', 'both')
  tally.delete('shop', 'unknown')
  assert.deepEqual(tally.facts().noLocal, {
    IPv4: { internal: 1, external: 0 },
    IPv6: { internal: 0, external: 0 },
  })
})
