import type { Percentiles, Series } from '../percentiles.ts'
import { ratio } from '../report.ts'

/** What all reports have beside their results. */
export interface Measured<Results> {
  readonly parameters: Readonly<Record<string, number>>
  readonly results: Results
  readonly machine: {
    readonly date: string
    readonly kernel: string
    readonly cpu: string
    readonly cpus: number
    readonly loadAverage: readonly number[]
  }
}

/** Rows of a table of Markdown, the first being its head. */
export function table(rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const [head = [], ...body] = rows
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n')
}

/** When and on what: stands above the tables of a report. */
export function where({ machine }: Measured<unknown>): string {
  const { date, cpus, cpu, kernel, loadAverage } = machine
  const version = kernel.split('.').slice(0, 2).join('.')
  return `${date.slice(0, 10)}, ${cpus} × ${cpu}, Linux ${version}, load average ${loadAverage[0] ?? '?'} at the end.`
}

const microseconds = (ns: number): string => `${(ns / 1000).toFixed(1)} µs`

export const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

/** 12345 -> "12,345" */
export const grouped = (number: number): string => number.toLocaleString('en-US')

/** The series of a name. Throws if it was not measured. */
function seriesOf(series: Series, name: string): Percentiles {
  const found = series[name]
  if (found === undefined) throw new Error(`${name} was not measured`)
  return found
}

/** The median, and its ratio to that of another series: "20.1 µs (1.07)". */
export function compared(series: Series, name: string, to: string): string {
  const { p50_ns: p50 } = seriesOf(series, name)
  const { p50_ns: base } = seriesOf(series, to)
  return name === to ? microseconds(p50) : `${microseconds(p50)} (${ratio(p50, base).toFixed(3)})`
}
