import { bpf } from './sys/bpf.ts'
import { Command } from './sys/bpf-enum.ts'
import { enableStatsAttr } from './sys/bpf-layout.ts'
import { Fd } from './sys/fd.ts'
import { Struct } from './sys/struct.ts'

const BPF_STATS_RUN_TIME = 0

/**
 * The kernel counts and times the runs of all programs (Program.stats) until this is disposed; it costs about
 * 60 ns a run. Throws PERMISSION, INVALID before 5.8.
 */
export const enableStats = (): Disposable => {
  const attr = new Struct(enableStatsAttr, { type: BPF_STATS_RUN_TIME })
  return Fd.from(bpf(Command.ENABLE_STATS, attr), 'run statistics', 'switching run statistics on')
}
