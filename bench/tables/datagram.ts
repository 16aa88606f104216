import type { Series } from '../percentiles.ts'
import { compared, type Measured, table, where } from './markdown.ts'

interface DatagramResults {
  readonly times: Readonly<Record<string, Series>>
  readonly nsPerRun: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const rows = [
  { what: 'send(), connected', mode: 'send', count: 1 },
  { what: 'sendto(), 1 Service', mode: 'sendto', count: 1 },
  { what: '… 4 in turn', mode: 'sendto', count: 4 },
  { what: '… 8 in turn', mode: 'sendto', count: 8 },
  { what: 'there and back, connected', mode: 'connected', count: 1 },
  { what: 'there and back, not connected, 1 Service', mode: 'echo', count: 1 },
  { what: '… 4 in turn', mode: 'echo', count: 4 },
  { what: '… 8 in turn', mode: 'echo', count: 8 },
  { what: 'a query from a new socket', mode: 'query', count: 1 },
] as const

/** Of the report `datagram`. */
export function datagramTables(report: Measured<DatagramResults>): Record<string, string> {
  const { times } = report.results
  const cells = ({ what, mode, count }: (typeof rows)[number]): string[] => {
    const series = times[mode]
    if (series === undefined) throw new Error(`${mode} was not measured`)
    const alone = `direct_alone_${count}`
    return [
      what,
      compared(series, alone, alone),
      compared(series, `direct_${count}`, alone),
      compared(series, `service_${count}`, alone),
    ]
  }
  const content = table([['', 'direct, no programs', 'direct, ours', 'ClusterIP'], ...rows.map(cells)])
  return { datagram: `${where(report)}\n\n${content}` }
}
