import type { Clock } from '@kpng/api'
import type { NodePortAddresses } from '../plan/node-plan.ts'
import type { Adopted } from './adopted.ts'
import type { ReconcilerHooks } from './hooks.ts'
import type { DatapathMaps } from './maps.ts'
import type { IdLimits } from './tables.ts'

export interface ReconcilerOptions {
  readonly maps: DatapathMaps
  readonly limits: IdLimits
  readonly hooks: ReconcilerHooks
  /** What a former agent has left in `maps`, or only its ids (`idsOnly`). Without it the maps must be empty. */
  readonly adopted?: Adopted
  /** Default `primary`. */
  readonly nodePortAddresses?: NodePortAddresses
  readonly clock?: Clock
  /** Default Math.random: spreads retries. */
  readonly random?: () => number
  readonly times?: Partial<ReconcilerTimes>
}

export interface ReconcilerTimes {
  /** Work goes on for so long before the event loop has its turn. Default 5. */
  readonly sliceMs: number
  /** Before the first retry of what failed; doubles. Default 10. */
  readonly retryFirstMs: number
  /** Default 10,000. */
  readonly retryMostMs: number
  /** Between attempts for Services that do not fit, when nothing is known to have made room. Default 10,000. */
  readonly unfitRetryMs: number
  /** Between passes that free ids. Default 30,000. */
  readonly limboIntervalMs: number
  /** The same when a Service waits for an id. Default 1,000. */
  readonly limboUrgentMs: number
  /** Between full comparisons with the kernel. Default 600,000. */
  readonly verifyIntervalMs: number
}

export const DEFAULT_TIMES: ReconcilerTimes = {
  sliceMs: 5,
  retryFirstMs: 10,
  retryMostMs: 10_000,
  unfitRetryMs: 10_000,
  limboIntervalMs: 30_000,
  limboUrgentMs: 1_000,
  verifyIntervalMs: 600_000,
}
