import { EbpfError } from '../error.ts'
import type { Fd } from '../sys/fd.ts'
import { openRead } from '../sys/file.ts'
import { withinNetns } from '../sys/netns.ts'
import { openBoundSocket } from '../sys/socket.ts'
import type { NetnsFinder } from './netns-finder.ts'
import type { NetnsTarget, OpenedSocket, SocketToOpen } from './requests.ts'

const BACKLOG = 4096

/** Opens sockets in their namespaces; enters each namespace once. Answers in the order of the requests. */
export function openSockets(requests: readonly SocketToOpen[], finder: NetnsFinder): OpenedSocket[] {
  const answers: OpenedSocket[] = []
  const byNetns = Map.groupBy(requests.entries(), ([, request]) => JSON.stringify(request.netns))
  for (const group of byNetns.values()) {
    const [first] = group
    if (first === undefined) continue
    const openGroup = () => {
      for (const [index, request] of group) answers[index] = attempt(() => openOne(request))
    }
    const failure = attempt(() => within(first[1].netns, finder, openGroup))
    if (failure !== undefined) for (const [index] of group) answers[index] = failure
  }
  return answers
}

/** Runs `work`, which must not throw, in the namespace. */
function within(target: NetnsTarget, finder: NetnsFinder, work: () => void): undefined {
  if (target === 'own') {
    work()
    return
  }
  using netns = openTarget(target, finder)
  withinNetns(finder.own, netns, work)
}

function openTarget(target: Exclude<NetnsTarget, 'own'>, finder: NetnsFinder): Fd {
  if ('path' in target) return openRead(target.path)
  if ('pid' in target) return openRead(`/proc/${target.pid}/ns/net`)
  const known = finder.find(target.inode)
  if (known !== undefined) return known
  finder.scan()
  const found = finder.find(target.inode)
  if (found !== undefined) return found
  throw new EbpfError('NOT_FOUND', `no process holds network namespace ${target.inode}`, { errno: 'ENOENT' })
}

function openOne({ protocol, address, port, backlog = BACKLOG }: SocketToOpen): OpenedSocket {
  const socket = openBoundSocket({ protocol, address, port, backlog })
  return { fd: socket.fd.release(), port: socket.port }
}

/** What `work` gives, or its failure as plain data. */
function attempt<T>(work: () => T): T | { readonly error: string; readonly message: string } {
  try {
    return work()
  } catch (error) {
    if (error instanceof EbpfError) return { error: error.errno ?? error.code, message: error.message }
    throw error
  }
}
