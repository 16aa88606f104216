/** What targets.h prints of a series of times. */
export interface Percentiles {
  readonly n: number
  readonly p50_ns: number
  readonly p99_ns: number
  readonly min_ns: number
}

export type Series = Readonly<Record<string, Percentiles>>

/** The value that this share of the others does not exceed, rounded to hundredths; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return Math.round(value * 100) / 100
}
