import { EbpfError } from '../error.ts'
import { errnoName } from '../sys/errno.ts'
import type { Fd } from '../sys/fd.ts'
import { AF_INET, type SocketTuple } from '../sys/sock-diag.ts'
import type { NetnsFinder } from './netns-finder.ts'
import type { DestroyedSockets, SocketToDestroy } from './requests.ts'
import type { SockDiagCache } from './sock-diag-cache.ts'

const ENOENT = 2
const MAX_REASONS = 16

/**
 * Destroys connected sockets wherever they are, each only if tuple and cookie are still its own: never another one
 * that got the tuple since. What goes wrong with one row is counted and does not stop the others. Scans for
 * namespaces at most once.
 */
export function destroySockets(
  rows: readonly SocketToDestroy[],
  finder: NetnsFinder,
  sockets: SockDiagCache,
): DestroyedSockets {
  const tally = new Tally()
  let scanned = false
  const open = (inode: number, group: readonly SocketToDestroy[]): Fd | undefined => {
    const found = findByHints(finder, inode, group)
    if (found !== undefined || scanned) return found
    scanned = true
    finder.scan()
    return finder.find(inode)
  }
  for (const [inode, group] of Map.groupBy(rows, row => row.netns)) {
    for (const row of group) {
      try {
        // Asked for each row: a failure drops the socket.
        const socket = sockets.get(inode, () => open(inode, group))
        if (socket === undefined) tally.netnsNotFound++
        else tally.count(socket.destroy(tupleOf(row)))
      } catch (error) {
        sockets.drop(inode)
        tally.fail(error instanceof Error ? error.message : String(error))
      }
    }
  }
  return tally.result()
}

/** Processes end: several rows may name several of one namespace. */
function findByHints(finder: NetnsFinder, inode: number, group: readonly SocketToDestroy[]): Fd | undefined {
  for (const tgid of new Set(group.map(row => row.tgid))) {
    const found = finder.find(inode, tgid)
    if (found !== undefined) return found
  }
  return undefined
}

function tupleOf(row: SocketToDestroy): SocketTuple {
  const { family, proto, localPort, remotePort, cookie, ifindex = 0 } = row
  const [localAddr, remoteAddr] = [row.localAddr, row.remoteAddr].map(address =>
    family === AF_INET ? unmapped(address) : address,
  ) as [Uint8Array, Uint8Array]
  return { family, proto, localAddr, remoteAddr, localPort, remotePort, ifindex, cookie }
}

/** The last four bytes of ::ffff:a.b.c.d. */
function unmapped(address: Uint8Array): Uint8Array {
  const mapped =
    address.length === 16 && address.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff))
  if (mapped) return address.subarray(12)
  throw new EbpfError('INVALID', `an address of an AF_INET socket is not IPv4 in mapped form`)
}

class Tally {
  destroyed = 0
  gone = 0
  netnsNotFound = 0
  failed = 0
  readonly #reasons = new Map<string, number>()

  count(result: number): void {
    if (result === 0) this.destroyed++
    else if (result === -ENOENT) this.gone++
    else this.fail(`destroying a socket: ${errnoName(-result)}`)
  }

  fail(reason: string): void {
    this.failed++
    if (this.#reasons.size < MAX_REASONS || this.#reasons.has(reason)) {
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
    }
  }

  result(): DestroyedSockets {
    const { destroyed, gone, netnsNotFound, failed } = this
    return { destroyed, gone, netnsNotFound, failed, reasons: Object.fromEntries(this.#reasons) }
  }
}
