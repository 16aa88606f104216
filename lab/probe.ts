import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { enterArgv } from './place.ts'
import type { ProbeOrder } from './probe-main.ts'
import type { ProbeResult } from './probe-result.ts'
import { resolveWho, type WhoOptions } from './resolve-who.ts'
import { runCommand } from './run-command.ts'
import { checkSource, type Target, type Who } from './who.ts'

export interface ProbeOptions extends WhoOptions {
  readonly count?: number
  readonly timeoutMs?: number
}

/**
 * Tries from WHO to the target with real sockets, one after the other, in a process of WHO's namespace and
 * cgroup. Throws usage for what cannot be tried, not-found without such a lab.
 */
export async function probe(
  lab: string,
  who: Who,
  target: Target,
  options: ProbeOptions = {},
): Promise<ProbeResult> {
  checkSource(who, target)
  const place = await resolveWho(lab, who, options)
  const order: ProbeOrder = {
    target,
    ...(who.kind === 'node' && who.source !== undefined && { source: who.source }),
    count: options.count ?? 1,
    timeoutMs: options.timeoutMs ?? 1_000,
  }
  const prober = [process.execPath, join(import.meta.dirname, 'probe-main.ts'), JSON.stringify(order)]
  const result = await runCommand(enterArgv(place, prober), { hold: true })
  if (result.exitCode !== 0)
    throw new KpngError('io', `the prober in ${place.netns} failed: ${result.stderr.trim()}`)
  return JSON.parse(result.stdout) as ProbeResult
}
