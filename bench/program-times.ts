import { enableStats, openPinnedLink, openProgramById } from '@kpng/ebpf'
import type { CommandResult } from '../test/e2e/lab.ts'

/** Set-up -> hook -> nanoseconds. */
export type ProgramTimes = Readonly<Record<string, Readonly<Record<string, number>>>>

/**
 * Nanoseconds per run of the programs at these hooks of each instance while `run` runs, by the kernel's statistics;
 * what those cost is in it. Hooks that did not run are left out. Throws when `run` fails.
 */
export async function programTimes(
  hooks: readonly string[],
  instances: ReadonlyMap<string, string>,
  run: () => Promise<CommandResult>,
): Promise<ProgramTimes> {
  using _stats = enableStats()
  const before = readStats(hooks, instances)
  const { exitCode, stderr } = await run()
  if (exitCode !== 0) throw new Error(stderr)
  const after = readStats(hooks, instances)
  return Object.fromEntries(
    [...instances.keys()].map(setup => [
      setup,
      Object.fromEntries(
        hooks.flatMap(hook => {
          const first = before[setup]?.[hook]
          const last = after[setup]?.[hook]
          if (first === undefined || last === undefined || last.runs === first.runs) return []
          return [[hook, Math.round(Number(last.timeNs - first.timeNs) / Number(last.runs - first.runs))]]
        }),
      ),
    ]),
  )
}

function readStats(hooks: readonly string[], instances: ReadonlyMap<string, string>) {
  return Object.fromEntries(
    [...instances].map(([setup, instance]) => [
      setup,
      Object.fromEntries(
        hooks.map(hook => {
          using link = openPinnedLink(`/sys/fs/bpf/kpng/${instance}/link/${hook}`)
          using program = openProgramById(link.info().programId)
          return [hook, program.stats()]
        }),
      ),
    ]),
  )
}
