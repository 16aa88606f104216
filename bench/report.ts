import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'

export interface Report {
  readonly name: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly results: unknown
  /** Measured side by side in one run. */
  readonly ratios: Readonly<Record<string, number>>
}

export const ratio = (a: number, b: number): number => Math.round((a / b) * 1000) / 1000

/** Keeps a report with what was going on around it: the machine is noisy, ratios say more than times. */
export function saveReport(report: Report, directory = join(import.meta.dirname, 'results')): string {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${report.name}.json`)
  const machine = {
    date: new Date().toISOString(),
    kernel: release(),
    cpu: cpus()[0]?.model ?? '',
    cpus: cpus().length,
    loadAverage: loadavg().map(load => Math.round(load * 100) / 100),
    node: process.version,
  }
  writeFileSync(path, `${JSON.stringify({ ...report, machine }, null, 2)}\n`)
  return path
}
