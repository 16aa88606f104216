import type { Series } from '../percentiles.ts'
import type { ProgramTimes } from '../program-times.ts'
import { compared, grouped, type Measured, table, where } from './markdown.ts'

interface ConnectResults {
  readonly connects: Series
  readonly nsPerRun: Readonly<Record<'service' | 'turn' | 'direct', ProgramTimes>>
}

/** Of the report `connect`. */
export function connectTables(report: Measured<ConnectResults>): Record<string, string> {
  const { connects, nsPerRun } = report.results
  const many = grouped(report.parameters.many ?? Number.NaN)
  const row = (what: string, name: string): string[] => [
    what,
    compared(connects, name, 'direct_alone'),
    compared(connects, `${name}_close`, 'direct_alone_close'),
  ]
  const times = table([
    ['', 'connect()', 'close()'],
    row('direct, no programs', 'direct_alone'),
    row('direct, programs that do nothing', 'floor_empty'),
    row('direct, programs that only make a record', 'floor_record'),
    row('direct, ours with 1 Service', 'direct_one'),
    row('… 1,000', 'direct_thousand'),
    row(`… ${many}`, 'direct_many'),
    row('ClusterIP, 1 Service', 'service_one'),
    row('… of 1,000', 'service_thousand'),
    row(`… of ${many}`, 'service_many'),
    row(`… all ${many} in turn`, 'turn_many'),
    row('ClusterIP of 1,000, no record of TCP sockets', 'service_thousand_no_record'),
    row(`… of ${many}`, 'service_many_no_record'),
    row(`… all ${many} in turn`, 'turn_many_no_record'),
  ])
  const ns = (times: ProgramTimes, setup: string): string[] =>
    ['connect4', 'sock_release'].map(hook => `${times[setup]?.[hook] ?? ''}`)
  const programs = table([
    ['ns a run', 'connect4', 'sock_release'],
    [`direct, ${many} Services`, ...ns(nsPerRun.direct, 'many')],
    ['ClusterIP of 1', ...ns(nsPerRun.service, 'one')],
    [`ClusterIP of ${many}`, ...ns(nsPerRun.service, 'many')],
    [`all ${many} in turn`, ...ns(nsPerRun.turn, 'many')],
    [`ClusterIP of ${many}, no record`, ...ns(nsPerRun.service, 'many_no_record')],
    [`all ${many} in turn, no record`, ...ns(nsPerRun.turn, 'many_no_record')],
  ])
  return { connect: `${where(report)}\n\n${times}`, 'connect-programs': programs }
}
