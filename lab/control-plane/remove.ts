import { readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deleteNamespaces } from '../network-namespaces.ts'
import { isAlive, killProcesses } from '../process-identity.ts'
import { type ControlPlaneRecord, readRecord } from './record.ts'

/** What the temporary directories of control planes begin with. */
export const temporaryPrefix = 'kpng-control-plane-'

/** Ends the processes of a control plane and removes its files; nothing when there is none. */
export async function removeControlPlane(directory: string): Promise<void> {
  const record = readRecordIfAny(directory)
  if (record !== undefined) {
    await killProcesses([record.apiServer, record.etcd].filter(process => process !== undefined))
    if (record.ownsNetns) await deleteNamespaces([record.netns])
  }
  rmSync(directory, { recursive: true, force: true })
}

/** A record that cannot be read is no reason to leave the rest behind. */
function readRecordIfAny(directory: string): ControlPlaneRecord | undefined {
  try {
    return readRecord(directory)
  } catch {
    return undefined
  }
}

/** Removes the control planes in temporary directories whose owner has died. */
export async function removeOrphans(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter(entry => entry.startsWith(temporaryPrefix))) {
    const directory = join(tmpdir(), name)
    const owner = readRecordIfAny(directory)?.owner
    // Without a record: one that is only being made.
    if (owner !== undefined && owner !== null && !isAlive(owner)) await removeControlPlane(directory)
  }
}
