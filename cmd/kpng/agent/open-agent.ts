import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import { checkCgroupDirectory, EbpfBackend, findCgroupRoot } from '@kpng/backend-ebpf'
import { lockFile } from '@kpng/ebpf'
import type { Logger } from 'pino'
import { lockPath, runDir } from '../run-dir.ts'
import type { Agent } from './agent.ts'
import type { AgentSettings } from './agent-settings.ts'
import type { Intake } from './intake.ts'
import type { StartLog } from './start-log.ts'

const objectDirectory = join(import.meta.dirname, '../../../backends/ebpf/bpf/build')

/**
 * An agent with its datapath and the status API, before anything is written. The intake is its own from then on. Throws
 * KpngError.
 */
export async function openAgent(
  settings: AgentSettings,
  intake: Intake,
  logger: Logger,
  startLog: StartLog,
): Promise<Agent> {
  const resources = new AsyncDisposableStack()
  try {
    mkdirSync(runDir(settings.instance), { recursive: true, mode: 0o750 })
    resources.use(lockInstance(settings.instance))
    const cgroup = settings.cgroupRoot ?? findCgroupRoot()
    checkCgroupDirectory(cgroup)
    let agent: Agent | undefined
    const opening = EbpfBackend.open({
      instance: settings.instance,
      cgroup,
      sizes: settings.sizes,
      recordTcp: settings.recordTcp,
      events: false,
      protectNodePorts: settings.protectNodePorts,
      objectDirectory,
      nodePortAddresses: settings.nodePortAddresses,
      logger,
      onChange: () => agent?.changed(),
      onPass: pass => agent?.passed(pass),
      onRepaired: what => agent?.repaired(what),
    })
    // The rest is loaded while the kernel verifies the programs, and a server makes its lists ready.
    const [opened, loaded] = await Promise.allSettled([opening, import('./agent.ts')])
    if (opened.status === 'fulfilled') resources.use(opened.value)
    if (opened.status === 'rejected') throw opened.reason
    if (loaded.status === 'rejected') throw loaded.reason
    agent = new loaded.value.Agent(
      { settings, intake, backend: opened.value, cgroup, logger, startLog },
      resources,
    )
    await agent.listen()
    return agent
  } catch (reason) {
    await resources.disposeAsync()
    throw reason
  }
}

/** Held as long as the process lives. */
function lockInstance(instance: string): Disposable {
  const lock = lockFile(lockPath(instance))
  if (lock !== undefined) return lock
  throw new KpngError(
    'conflict',
    `another agent of instance ${instance} is running (it holds ${lockPath(instance)}): stop it, or choose another --instance`,
  )
}
