import type { BackendStatus, ServicePortTraffic } from '@kpng/backend-ebpf'
import type { Bound, MetricsSample } from '../metrics.ts'

const usage = { used: 1, max: 2, limbo: 0 }

const counters: BackendStatus['counters'] = {
  ...{ flips: 0, moves: 0, graces: 0, retries: 0, repairs: 0, verifications: 0 },
  ...{ staleSocketsDestroyed: 0, staleBackendsGivenUp: 0 },
}

/** What a backend may say of itself. */
export function aSample(
  some: {
    readonly services?: number
    readonly traffic?: readonly ServicePortTraffic[]
    readonly bounds?: Readonly<Record<string, Bound>>
  } = {},
): MetricsSample {
  const { services = 0, traffic = [], bounds = {} } = some
  const status: BackendStatus = {
    ...{ synced: true, revision: 1, settledRevision: 1, problems: [], notServed: [] },
    counts: {
      ...{ services, unfit: 0, failing: 0, frontends: 1, addresses: 1, lists: usage },
      ...{ ranges: { IPv4: usage, IPv6: usage }, backendIds: usage, servicePortIds: usage },
    },
    ...{ counters, generation: 1, reasons: {} },
    neighbours: [],
    upkeep: { programs: { inPlace: true, repairs: 0 }, pins: { inPlace: true, repairs: 0 } },
  }
  return { status, traffic, bounds }
}
