import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EbpfError } from '../error.ts'
import type { Fd } from '../sys/fd.ts'
import { openRead } from '../sys/file.ts'
import { netnsIdentity, openOwnNetns } from '../sys/netns.ts'

export interface NetnsFinderOptions {
  /** Where namespaces are bind-mounted by name. */
  readonly directories?: readonly string[]
}

const DIRECTORIES = ['/run/netns', '/run/docker/netns']

/**
 * Finds network namespaces by inode number, among those that a process or a known directory holds. Remembers where
 * they were; what is remembered is checked on use, for processes end and numbers are used again.
 */
export class NetnsFinder implements Disposable {
  readonly own: Fd
  readonly #identity: { readonly inode: number; readonly device: number }
  readonly #directories: readonly string[]
  #paths = new Map<number, string>()

  /** Made by a thread in its own namespace, which is the one that `own` is. */
  constructor(options: NetnsFinderOptions = {}) {
    this.own = openOwnNetns()
    this.#identity = netnsIdentity(this.own)
    this.#directories = options.directories ?? DIRECTORIES
  }

  isOwn(inode: number): boolean {
    return inode === this.#identity.inode
  }

  /** The namespace, open, or undefined. Looks at a process of the hint and at what is remembered. */
  find(inode: number, tgid = 0): Fd | undefined {
    const hinted = tgid > 0 ? this.#openIf(inode, `/proc/${tgid}/ns/net`) : undefined
    if (hinted !== undefined) return hinted
    const known = this.#paths.get(inode)
    return known === undefined ? undefined : this.#openIf(inode, known)
  }

  /** Looks at all processes and directories anew: 10 ms for 100 processes. */
  scan(): void {
    const paths = new Map<number, string>()
    for (const path of this.#mounted()) {
      const { ino, dev } = statSync(path, { throwIfNoEntry: false }) ?? { ino: 0, dev: 0 }
      // A file on which nothing is mounted (any more) is on another file system.
      if (dev === this.#identity.device && !paths.has(ino)) paths.set(ino, path)
    }
    for (const pid of list('/proc')) {
      if (!/^[0-9]+$/.test(pid)) continue
      const path = `/proc/${pid}/ns/net`
      const inode = inodeOfLink(path)
      if (inode !== undefined && !paths.has(inode)) paths.set(inode, path)
    }
    this.#paths = paths
  }

  /** Those that the last scan has seen. */
  inodes(): number[] {
    return [...this.#paths.keys()]
  }

  [Symbol.dispose](): void {
    this.own[Symbol.dispose]()
  }

  #mounted(): string[] {
    return this.#directories.flatMap(directory => list(directory).map(name => join(directory, name)))
  }

  #openIf(inode: number, path: string): Fd | undefined {
    let fd: Fd
    try {
      fd = openRead(path)
    } catch (error) {
      // The process or the mount has gone or is closed to us; others may still hold the namespace.
      const passable = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM']
      if (error instanceof EbpfError && passable.includes(error.errno ?? '')) return undefined
      throw error
    }
    const found = netnsIdentity(fd)
    if (found.inode === inode && found.device === this.#identity.device) return fd
    fd[Symbol.dispose]()
    return undefined
  }
}

/** Names in a directory; none where it is missing. */
function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** `net:[4026531840]`. Of a process that has ended, or that we may not look at: undefined. */
function inodeOfLink(path: string): number | undefined {
  try {
    const inode = /^net:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]
    return inode === undefined ? undefined : Number(inode)
  } catch {
    return undefined
  }
}
