import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Family, ManualClock } from '@kpng/api'
import { SyncHealth } from './sync-health.ts'

function subject(families: readonly Family[] = ['IPv4', 'IPv6']) {
  const clock = new ManualClock()
  const health = new SyncHealth({ families, timeoutMs: 60_000, clock })
  const sick = () => [...health.report().families].filter(([, it]) => !it.healthy).map(([family]) => family)
  return { clock, health, sick }
}

test('[KP-8.1.5] a family is unhealthy from 60 s after the oldest update that did not succeed', () => {
  const { clock, health, sick } = subject(['IPv4'])
  health.updated()
  clock.advance(1_000_000)
  assert.deepEqual(sick(), [], 'idle')
  health.queued()
  clock.advance(59_999)
  assert.deepEqual([sick(), health.report().healthy], [[], true])
  clock.advance(1)
  assert.deepEqual([sick(), health.report().healthy], [['IPv4'], false])
  health.updated()
  assert.deepEqual([sick(), health.report().healthy], [[], true])
})

test('[KP-8.1.5] queueing again does not make an update younger', () => {
  const { clock, health, sick } = subject(['IPv6'])
  health.updated()
  health.queued()
  clock.advance(40_000)
  health.queued()
  clock.advance(20_000)
  assert.deepEqual(sick(), ['IPv6'])
})

test('[KP-8.1.5] a success heals only its own family', () => {
  const { clock, health, sick } = subject()
  health.updated()
  health.queued()
  clock.advance(60_000)
  assert.deepEqual(sick(), ['IPv4', 'IPv6'])
  health.updated(['IPv4'])
  assert.deepEqual([sick(), health.report().healthy], [['IPv6'], false])
  health.updated(['IPv6'])
  assert.deepEqual([sick(), health.report().healthy], [[], true])
})

test('[KP-8.1.5] who was never up to date starts up, and is healthy', () => {
  const { clock, health } = subject()
  clock.advance(100_000)
  assert.deepEqual(health.report(), { healthy: true, updatedMs: undefined, families: new Map() })
})

test('[KP-6.2] a sync that fails leaves the update queued: health waits for one that succeeds', () => {
  const { clock, health, sick } = subject(['IPv4'])
  health.updated()
  health.queued()
  for (let attempt = 0; attempt < 6; attempt++) {
    clock.advance(10_000)
    health.queued() // the next attempt
  }
  assert.deepEqual(sick(), ['IPv4'])
})

test('the newest update counts for all, each family keeps its own', () => {
  const { clock, health } = subject()
  health.updated()
  const first = clock.wallMs()
  clock.advance(5_000)
  health.updated(['IPv6'])
  const report = health.report()
  assert.equal(report.updatedMs, first + 5_000)
  assert.deepEqual(
    [...report.families].map(([family, { updatedMs }]) => [family, updatedMs - first]),
    [
      ['IPv4', 0],
      ['IPv6', 5_000],
    ],
  )
})
