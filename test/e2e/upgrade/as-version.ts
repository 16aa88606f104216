import { join } from 'node:path'
import { type VersionName, versionDirectory } from '../../../backends/ebpf/bpf/testing/versions.ts'

const backend = join(import.meta.dirname, '../../../backends/ebpf')

/**
 * The command around an agent that makes it one of another version: its objects and bindings lie over those of this
 * checkout, in a mount namespace of its own.
 */
export function asVersion(name: VersionName): string[] {
  const directory = versionDirectory(name)
  const steps = [
    `mount --bind ${directory}/bindings.gen.ts ${backend}/bindings.gen.ts`,
    `mount --bind ${directory} ${backend}/bpf/build`,
    'exec "$@"',
  ]
  return ['unshare', '-m', 'sh', '-c', steps.join(' && '), 'sh']
}
