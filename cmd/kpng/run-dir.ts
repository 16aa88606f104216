import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'

/** Where agents keep what is not in the kernel; one directory per instance. */
const runRoot = '/run/kpng'

export const runDir = (instance: string): string => join(runRoot, instance)
export const lockPath = (instance: string): string => join(runDir(instance), 'lock')
export const socketPath = (instance: string): string => join(runDir(instance), 'status.sock')
export const journalPath = (instance: string): string => join(runDir(instance), 'view.json')

/** Instances that have a run directory, sorted. The lab's own directory is not one. Throws io. */
export function knownInstances(): string[] {
  try {
    return readdirSync(runRoot, { withFileTypes: true })
      .filter(entry => entry.isDirectory() && entry.name !== 'lab')
      .map(entry => entry.name)
      .sort()
  } catch (reason) {
    if (reason instanceof Error && 'code' in reason && reason.code === 'ENOENT') return []
    throw KpngError.from(reason, 'io', 'looking for instances (root is needed)')
  }
}
