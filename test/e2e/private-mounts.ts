import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openPinnedLink, openPinnedMap } from '@kpng/ebpf'
import { endProcess } from './end-process.ts'

const bpffs = '/sys/fs/bpf'

/**
 * A mount namespace of a test's own, with a BPF file system of its own: what is mounted and unmounted there the
 * machine does not see. It ends with its keeper, who ends with the test's process.
 */
export class PrivateMounts implements AsyncDisposable {
  readonly #keeper: ChildProcessWithoutNullStreams

  private constructor(keeper: ChildProcessWithoutNullStreams) {
    this.#keeper = keeper
  }

  static async make(): Promise<PrivateMounts> {
    const script = `umount -l ${bpffs} 2>&- ; mount -t bpf bpf ${bpffs} && echo ready && exec cat`
    const keeper = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script])
    const ready = await Promise.race([once(keeper.stdout, 'data'), once(keeper, 'exit')])
    if (String(ready[0]) === 'ready\n') return new PrivateMounts(keeper)
    throw new Error(`no mount namespace: ${ready}`)
  }

  /** The command that starts another in the namespace. */
  get around(): string[] {
    return ['nsenter', `--mount=/proc/${this.#keeper.pid}/ns/mnt`, '--']
  }

  /** Runs a shell script in it. */
  run(script: string): void {
    const [command = '', ...args] = this.around
    execFileSync(command, [...args, 'sh', '-ec', script], { stdio: 'pipe' })
  }

  /** A path of the namespace, from outside of it. */
  path(inside: string): string {
    return join(`/proc/${this.#keeper.pid}/root`, inside)
  }

  /** The directory of an instance's pins, from outside. */
  pins(instance: string): string {
    return this.path(join(bpffs, 'kpng', instance))
  }

  /** `link/connect4` and so on → the kernel's id of what is pinned there. */
  pinnedIds(instance: string): Readonly<Record<string, number>> {
    const root = this.pins(instance)
    const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()
    return Object.fromEntries(
      names.flatMap(name => {
        const path = join(root, name)
        if (statSync(path).isDirectory()) return []
        if (!name.startsWith('link/')) {
          using map = openPinnedMap(path)
          return [[name, map.info.id]]
        }
        using link = openPinnedLink(path)
        return [[name, link.info().id]]
      }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#keeper, 'SIGKILL')
  }
}
