import { rmSync } from 'node:fs'
import { KpngError } from '@kpng/api'
import { pinnedInstances, removePins } from '@kpng/backend-ebpf'
import { knownInstances, runDir, socketPath } from './run-dir.ts'
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
    await refuseWhileAlive(instance)
    removePins(instance)
    rmSync(runDir(instance), { recursive: true, force: true })
    process.stdout.write(`instance ${instance} removed\n`)
  }
  if (wanted.length === 0) process.stdout.write('no instance on this machine\n')
}

async function refuseWhileAlive(instance: string): Promise<void> {
  const answer = await callAgent(socketPath(instance), 'GET', '/v1/status')
  if (answer === undefined) return
  const { pid } = JSON.parse(answer) as { pid: number }
  throw new KpngError(
    'conflict',
    `the agent of instance ${instance} is running (pid ${pid}): stop it first, then clean up`,
  )
}
