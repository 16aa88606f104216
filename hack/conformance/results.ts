/** Results of upstream's end-to-end specs: one committed table per cluster, a column per way of proxying. */

/** `beside`: kpng at the sockets, kube-proxy for whatever arrives as packets. */
export const columns = ['kube-proxy', 'kpng', 'beside'] as const
export type Column = (typeof columns)[number]
type State = string

export interface SpecResult {
  readonly spec: string
  /** passed, failed, skipped; absent where it was not run. */
  readonly states: { readonly [C in Column]?: State }
}

const header = ['spec', ...columns].join('\t')

/** Throws Error naming the line that is not of this form. */
export function readResults(text: string): SpecResult[] {
  const [first, ...lines] = text.replace(/\n$/, '').split('\n')
  if (first !== header) throw new Error(`the first line must be: ${header}`)
  return lines.map((line, index) => {
    const [spec, ...cells] = line.split('\t')
    if (spec === undefined || spec === '' || cells.length !== columns.length)
      throw new Error(`line ${index + 2}: wants ${columns.length + 1} columns: ${line}`)
    const states = Object.fromEntries(
      columns.flatMap((column, at) => (cells[at] ? [[column, cells[at]]] : [])),
    )
    return { spec, states }
  })
}

export function printResults(results: readonly SpecResult[]): string {
  const lines = results.map(({ spec, states }) =>
    [spec, ...columns.map(column => states[column] ?? '')].join('\t'),
  )
  return `${[header, ...lines.sort()].join('\n')}\n`
}

/**
 * Adds one run to a table: lines `state, seconds, spec, message` as `jq` takes them out of Ginkgo's report. A spec that
 * was run again has its later result.
 */
export function addRun(results: readonly SpecResult[], column: Column, run: string): SpecResult[] {
  const bySpec = new Map(results.map(result => [result.spec, result]))
  for (const line of run.trimEnd().split('\n')) {
    const [state = '', , spec = ''] = line.split('\t')
    if (spec === '') throw new Error(`no spec in: ${line}`)
    bySpec.set(spec, { spec, states: { ...bySpec.get(spec)?.states, [column]: state } })
  }
  return [...bySpec.values()]
}
