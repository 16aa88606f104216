import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Family } from '@kpng/api'
import { rfc3339Nano } from './go-time.ts'
import { proxyHealthAnswer } from './proxy-health.ts'
import type { HealthReport } from './sync-health.ts'

const nowMs = Date.parse('2026-01-02T03:04:05.678Z')
const updatedMs = Date.parse('2026-01-02T03:00:00Z')

function report(...sick: Family[]): HealthReport {
  const family = (name: Family): [Family, { healthy: boolean; updatedMs: number }] => [
    name,
    { healthy: !sick.includes(name), updatedMs },
  ]
  // Out of order: the answer sorts.
  return { healthy: sick.length === 0, updatedMs, families: new Map([family('IPv6'), family('IPv4')]) }
}

const status4 = '"IPv4":{"lastUpdated":"2026-01-02T03:00:00Z","healthy":true}'
const status6 = '"IPv6":{"lastUpdated":"2026-01-02T03:00:00Z","healthy":true}'
const now = '"2026-01-02T03:04:05.678Z"'

const cases: ReadonlyArray<
  readonly [name: string, path: string, report: HealthReport, eligible: boolean, status: number, body: string]
> = [
  [
    '[KP-8.1.1 KP-8.1.3] all well',
    '/healthz',
    report(),
    true,
    200,
    `{"lastUpdated":${now},"currentTime":${now},"nodeEligible":true,"healthy":true,"status":{${status4},${status6}}}`,
  ],
  [
    '[KP-8.1.1 KP-8.1.3] all well',
    '/livez',
    report(),
    true,
    200,
    `{"lastUpdated":${now},"currentTime":${now},"healthy":true,"status":{${status4},${status6}}}`,
  ],
  [
    '[KP-8.1.2 KP-8.1.4 KP-14.9] the node is about to go: not healthy for load balancers, and healthy:true',
    '/healthz',
    report(),
    false,
    503,
    `{"lastUpdated":"2026-01-02T03:00:00Z","currentTime":${now},"nodeEligible":false,"healthy":true,"status":{${status4},${status6}}}`,
  ],
  [
    '[KP-8.1.1 KP-14.9] the node is about to go and lives',
    '/livez',
    report(),
    false,
    200,
    `{"lastUpdated":${now},"currentTime":${now},"healthy":true,"status":{${status4},${status6}}}`,
  ],
  [
    '[KP-8.1.2] one family is late',
    '/livez',
    report('IPv4'),
    true,
    503,
    `{"lastUpdated":"2026-01-02T03:00:00Z","currentTime":${now},"healthy":false,"status":{${status4.replace('true', 'false')},${status6}}}`,
  ],
  [
    '[KP-8.1.2] one family is late',
    '/healthz',
    report('IPv6'),
    true,
    503,
    `{"lastUpdated":"2026-01-02T03:00:00Z","currentTime":${now},"nodeEligible":true,"healthy":false,"status":{${status4},${status6.replace('true', 'false')}}}`,
  ],
  [
    '[KP-8.1.4] before the first update, the node unknown',
    '/healthz',
    { healthy: true, updatedMs: undefined, families: new Map() },
    false,
    503,
    `{"lastUpdated":"0001-01-01T00:00:00Z","currentTime":${now},"nodeEligible":false,"healthy":true}`,
  ],
]

for (const [name, path, state, nodeEligible, status, body] of cases)
  test(`${name}: ${path} ${status}`, () => {
    const answer = proxyHealthAnswer(path, { report: state, nodeEligible, nowMs })
    assert.deepEqual(answer, {
      status,
      headers: { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' },
      body,
    })
  })

for (const path of ['/', '/healthz/', '/healthz/ping', '/readyz', '/metrics', ''])
  test(`[KP-8.1.4] ${path === '' ? 'no path' : path} is not found`, () => {
    assert.equal(proxyHealthAnswer(path, { report: report(), nodeEligible: true, nowMs }).status, 404)
  })

for (const [ms, expected] of [
  [0, '1970-01-01T00:00:00Z'],
  [1, '1970-01-01T00:00:00.001Z'],
  [120, '1970-01-01T00:00:00.12Z'],
  [100, '1970-01-01T00:00:00.1Z'],
  [60_000, '1970-01-01T00:01:00Z'],
  [10_010, '1970-01-01T00:00:10.01Z'],
] as const)
  test(`[KP-8.1.4] ${ms} ms is printed as ${expected}`, () => assert.equal(rfc3339Nano(ms), expected))
