import { mkdirSync, rmSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { pinnedInstances, removePins } from '@kpng/backend-ebpf'
import { lockFile } from '@kpng/ebpf'
import { knownInstances, lockPath, runDir, socketPath } from './run-dir.ts'
import { callAgent } from './status-client.ts'

export interface CleanupFlags {
  readonly instance: string
  readonly all?: boolean
}

/** Removes links, maps, pins and the run directory of an instance whose agent is not running. */
export async function runCleanup(flags: CleanupFlags): Promise<void> {
  const known = [...new Set([...knownInstances(), ...pinnedInstances()])].sort()
  const wanted = flags.all === true ? known : [flags.instance]
  for (const instance of wanted) {
    if (!known.includes(instance)) {
      process.stdout.write(`nothing of instance ${instance} on this machine\n`)
      continue
    }
    await removeInstance(instance)
    process.stdout.write(`instance ${instance} removed\n`)
  }
  if (wanted.length === 0) process.stdout.write('no instance on this machine\n')
}

/** Under the instance's lock: an agent that is starting has it before it answers. */
async function removeInstance(instance: string): Promise<void> {
  mkdirSync(runDir(instance), { recursive: true, mode: 0o750 })
  using lock = lockFile(lockPath(instance))
  if (lock === undefined) {
    const answer = await callAgent(socketPath(instance), 'GET', '/v1/status')
    const pid = answer === undefined ? '' : ` (pid ${(JSON.parse(answer) as { pid: number }).pid})`
    throw new KpngError(
      'conflict',
      `the agent of instance ${instance} is running${pid}: stop it first, then clean up`,
    )
  }
  removePins(instance)
  rmSync(runDir(instance), { recursive: true, force: true })
}
