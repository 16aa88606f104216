import type { Fd } from '../sys/fd.ts'
import { withinNetns } from '../sys/netns.ts'
import { SockDiag } from '../sys/sock-diag.ts'
import type { NetnsFinder } from './netns-finder.ts'

export interface SockDiagCacheOptions {
  /** How many namespaces to keep a socket in; default 64. */
  readonly maxSockets?: number
  /** A socket keeps its namespace alive, so none is kept longer than this after its last use; default 1000. */
  readonly idleMs?: number
}

/**
 * sock_diag sockets by the inode number of their network namespace, so that the thread enters a namespace once for
 * many calls. When there are too many the one that was not used for the longest time is closed.
 */
export class SockDiagCache implements Disposable {
  readonly #finder: NetnsFinder
  readonly #maxSockets: number
  readonly #idleMs: number
  /** Least recently used first. */
  readonly #sockets = new Map<number, { readonly socket: SockDiag; usedAtMs: number }>()
  #timer: NodeJS.Timeout | undefined

  constructor(finder: NetnsFinder, options: SockDiagCacheOptions = {}) {
    this.#finder = finder
    this.#maxSockets = options.maxSockets ?? 64
    this.#idleMs = options.idleMs ?? 1000
  }

  get size(): number {
    return this.#sockets.size
  }

  /** A socket that is kept, or made in the namespace that `open` gives; undefined when it gives none. */
  get(inode: number, open: () => Fd | undefined): SockDiag | undefined {
    const socket = this.#sockets.get(inode)?.socket ?? this.#open(inode, open)
    if (socket === undefined) return undefined
    this.#sockets.delete(inode)
    this.#sockets.set(inode, { socket, usedAtMs: performance.now() })
    for (const oldest of this.#sockets.keys()) {
      if (this.#sockets.size <= this.#maxSockets) break
      this.drop(oldest)
    }
    this.#timer ??= setTimeout(() => this.#closeIdle(), this.#idleMs).unref()
    return socket
  }

  /** Closes a socket whose state is not known any more. */
  drop(inode: number): void {
    this.#sockets.get(inode)?.socket[Symbol.dispose]()
    this.#sockets.delete(inode)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const inode of [...this.#sockets.keys()]) this.drop(inode)
  }

  #open(inode: number, open: () => Fd | undefined): SockDiag | undefined {
    if (this.#finder.isOwn(inode)) return new SockDiag()
    using netns = open()
    if (netns === undefined) return undefined
    return withinNetns(this.#finder.own, netns, () => new SockDiag())
  }

  #closeIdle(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const [inode, { usedAtMs }] of this.#sockets) {
      const restMs = usedAtMs + this.#idleMs - now
      if (restMs > 0) {
        this.#timer = setTimeout(() => this.#closeIdle(), restMs).unref()
        return
      }
      this.drop(inode)
    }
  }
}
