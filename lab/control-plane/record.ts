import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KpngError } from '@kpng/api'
import type { ProcessIdentity } from '../process-identity.ts'

/** What a control plane consists of, written before it is made, so that it can be removed whatever happened. */
export interface ControlPlaneRecord {
  readonly version: 1
  /** Who removes it; null: somebody who says so (a lab). When the owner is dead anybody may. */
  readonly owner: ProcessIdentity | null
  /** Name below /run/netns. */
  readonly netns: string
  /** Made with the control plane and removed with it. */
  readonly ownsNetns: boolean
  /** cgroup2 directory of its processes; null: that of whoever starts them. */
  readonly cgroup: string | null
  readonly address: string
  readonly port: number
  readonly serviceCIDRs: readonly string[]
  readonly nodePorts: string
  readonly apiServerArguments: readonly string[]
  etcd?: ProcessIdentity
  apiServer?: ProcessIdentity
}

const recordPath = (directory: string): string => join(directory, 'record.json')

/** undefined when there is none in that directory. Throws io. */
export function readRecord(directory: string): ControlPlaneRecord | undefined {
  try {
    // Written by this module alone.
    return JSON.parse(readFileSync(recordPath(directory), 'utf8')) as ControlPlaneRecord
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw KpngError.from(reason, 'io', recordPath(directory))
  }
}

/** Readers see the old record or the new. */
export function writeRecord(directory: string, record: ControlPlaneRecord): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = recordPath(directory)
  writeFileSync(`${path}.new`, JSON.stringify(record))
  renameSync(`${path}.new`, path)
}
