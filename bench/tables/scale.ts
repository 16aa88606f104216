import { grouped, type Measured, mebibytes, table, where } from './markdown.ts'

interface Times {
  readonly p50: number
  readonly p99: number
}

interface Stalls {
  readonly count: number
  readonly mostlyComputing: number
  readonly longest?: { readonly ms: number; readonly cpuMs: number; readonly gcMs: number }
}

interface Operations {
  readonly calls: number
  readonly bytes: number
  readonly byMap: Readonly<Record<string, { calls: number; entries: number; bytes: number }>>
}

interface Resident {
  readonly residentMiB: number
  readonly peakMiB: number
}

interface ScaleResults {
  readonly cold: { readonly coldMs: number; readonly cpuSeconds: number; readonly memory: Resident }
  readonly syncOfNothingMs: Times
  readonly oneSliceChangedMs: Times
  readonly memoryAfterChanges: Resident
  readonly stallsAbove20Ms: { readonly coldStart: Stalls; readonly changes: Stalls }
  readonly kernelMemory: {
    readonly total: number
    readonly maps: Readonly<Record<string, { bytes: number; maxEntries: number }>>
    readonly programs: Readonly<Record<string, number>>
  }
  readonly operations: { readonly cold: Operations; readonly eachChange: Operations }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

const stallText = ({ count, mostlyComputing, longest }: Stalls): string =>
  longest === undefined
    ? 'none'
    : `${count}, ${mostlyComputing} of them mostly computing; the longest ${longest.ms} ms, ${longest.cpuMs} ms of CPU in it, ${longest.gcMs} ms of garbage collection`

/** Of the report `scale`. */
export function scaleTables(report: Measured<ScaleResults>): Record<string, string> {
  const { results, parameters } = report
  const { cold, kernelMemory, stallsAbove20Ms: stalls } = results
  const changes = grouped(parameters.changes ?? Number.NaN)
  const ms = ({ p50, p99 }: Times): string => `${p50} / ${p99} ms`
  const times = table([
    ['', ''],
    ['cold start, from exec', `${(cold.coldMs / 1000).toFixed(2)} s`],
    ['CPU of it', `${cold.cpuSeconds.toFixed(1)} s`],
    [`one changed slice, p50 / p99 of ${changes}`, ms(results.oneSliceChangedMs)],
    ['of which the call that asks', ms(results.syncOfNothingMs)],
    ['resident after the start (at most)', `${cold.memory.residentMiB} MiB (${cold.memory.peakMiB})`],
    [`resident after ${changes} changes`, `${results.memoryAfterChanges.residentMiB} MiB`],
    ['maps and programs in the kernel', mebibytes(kernelMemory.total)],
    ['stalls above 20 ms, cold start', stallText(stalls.coldStart)],
    ['stalls above 20 ms, changes', stallText(stalls.changes)],
  ])
  return {
    scale: `${where(report)}\n\n${times}`,
    'scale-operations': operationsTable(results.operations),
    'scale-kernel': kernelTable(kernelMemory),
  }
}

function operationsTable({ cold, eachChange }: ScaleResults['operations']): string {
  const names = [...new Set([...Object.keys(cold.byMap), ...Object.keys(eachChange.byMap)])].sort()
  const cells = ({ byMap }: Operations, name: string): string[] => {
    const row = byMap[name]
    return row === undefined ? ['', '', ''] : [row.calls, row.entries, row.bytes].map(grouped)
  }
  const total = ({ calls, bytes }: Operations): string[] => [grouped(calls), '', grouped(bytes)]
  return table([
    ['', 'cold: calls', 'entries', 'bytes', 'one change: calls', 'entries', 'bytes'],
    ...names.map(name => [name, ...cells(cold, name), ...cells(eachChange, name)]),
    ['all', ...total(cold), ...total(eachChange)],
  ])
}

/** Maps of a mebibyte and more, and the rest together. */
function kernelTable({ maps, programs }: ScaleResults['kernelMemory']): string {
  const rows = Object.entries(maps).sort(([, a], [, b]) => b.bytes - a.bytes)
  const large = rows.filter(([, { bytes }]) => bytes >= 1 << 20)
  const rest = sum(rows.slice(large.length).map(([, { bytes }]) => bytes))
  return table([
    ['map', 'entries that fit', 'memory'],
    ...large.map(([name, { bytes, maxEntries }]) => [`\`${name}\``, grouped(maxEntries), mebibytes(bytes)]),
    [`${rows.length - large.length} others`, '', mebibytes(rest)],
    [`${Object.keys(programs).length} programs`, '', mebibytes(sum(Object.values(programs)))],
  ])
}
