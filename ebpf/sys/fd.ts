import { EbpfError } from '../error.ts'
import { errnoError } from './errno.ts'
import { syscall } from './syscall.ts'

/** An open descriptor of this package: what it is and, where traced, where it was opened. */
export interface OpenFd {
  readonly fd: number
  readonly what: string
  /** A stack trace, if `traceFds(true)` was in force when it was opened. */
  readonly openedAt: string | undefined
}

const open = new Map<number, OpenFd>()
let tracing = false

/** From now on remember where descriptors are opened. */
export const traceFds = (on: boolean): void => {
  tracing = on
}

/** All descriptors that this package has open, in this thread. */
export const openFds = (): OpenFd[] => [...open.values()]

const F_DUPFD_CLOEXEC = 1030

/** The one owner of a descriptor. Closed by dispose, never by the garbage collector. */
export class Fd implements Disposable {
  readonly what: string
  #fd: number

  /** Takes over a descriptor. `what` names it in errors and leak reports. */
  constructor(fd: number, what: string) {
    if (fd < 0) throw new EbpfError('INVALID', `${what}: ${fd} is not a descriptor`)
    this.#fd = fd
    this.what = what
    const openedAt = tracing ? new Error(`opened ${what}`).stack : undefined
    open.set(fd, { fd, what, openedAt })
  }

  /** Takes over what a system call gave; throws for -errno. */
  static from(result: number, what: string, failed: string): Fd {
    if (result < 0) throw errnoError(-result, failed)
    return new Fd(result, what)
  }

  /** A copy of a descriptor that another library owns. */
  static copyOf(fd: number, what: string): Fd {
    return Fd.from(syscall('fcntl', fd, F_DUPFD_CLOEXEC, 0), what, `copying the descriptor of ${what}`)
  }

  /** Throws CLOSED after dispose. */
  get number(): number {
    if (this.#fd < 0) throw new EbpfError('CLOSED', `${this.what} is closed`)
    return this.#fd
  }

  /** Gives the descriptor away: whoever gets the number owns it, also in another thread. Throws CLOSED. */
  release(): number {
    const fd = this.number
    open.delete(fd)
    this.#fd = -1
    return fd
  }

  get closed(): boolean {
    return this.#fd < 0
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return
    open.delete(this.#fd)
    syscall('close', this.#fd)
    this.#fd = -1
  }
}
