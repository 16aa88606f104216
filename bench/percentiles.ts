/** What targets.h prints of a series of times. */
export interface Percentiles {
  readonly n: number
  readonly p50_ns: number
  readonly p99_ns: number
  readonly min_ns: number
}

export type Series = Readonly<Record<string, Percentiles>>
