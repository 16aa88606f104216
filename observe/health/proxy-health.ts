import { type Answer, notFound } from '../http/answer.ts'
import { rfc3339Nano, zeroTime } from './go-time.ts'
import type { HealthReport } from './sync-health.ts'

export interface ProxyHealthInput {
  readonly report: HealthReport
  /** Load balancers may send traffic to the node. */
  readonly nodeEligible: boolean
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export type HealthPath = '/healthz' | '/livez'

export const isHealthPath = (path: string): path is HealthPath => path === '/healthz' || path === '/livez'

/** The answers of the proxy's health server. /healthz also asks whether the node may get traffic; /livez does not. */
export function proxyHealthAnswer(path: string, input: ProxyHealthInput): Answer {
  if (!isHealthPath(path)) return notFound
  const { report, nodeEligible, nowMs } = input
  const good = report.healthy && (path === '/livez' || nodeEligible)
  const time = (ms: number | undefined): string => (ms === undefined ? zeroTime : rfc3339Nano(ms))
  // The order is part of the answer: people grep it.
  const status = Object.fromEntries(
    [...report.families]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([family, health]) => [family, { lastUpdated: time(health.updatedMs), healthy: health.healthy }]),
  )
  const body = {
    // "Recent" where all is well: what older readers expect. Metrics tell more.
    lastUpdated: time(good ? nowMs : report.updatedMs),
    currentTime: time(nowMs),
    ...(path === '/healthz' && { nodeEligible }),
    healthy: report.healthy,
    ...(report.families.size > 0 && { status }),
  }
  return {
    status: good ? 200 : 503,
    headers: { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' },
    body: JSON.stringify(body),
  }
}
