import { isIPv6 } from 'node:net'
import { EbpfError } from '../error.ts'
import type { Fd } from '../sys/fd.ts'
import { withinNetns } from '../sys/netns.ts'
import { netnsCookie, sourceTowards } from '../sys/socket.ts'
import type { NetnsFinder } from './netns-finder.ts'
import type { NamespaceSources, SourceAddresses, SourceAddressRequest } from './requests.ts'

/** Looks into namespaces one after the other. What goes wrong with one does not stop the others. */
export function sourceAddresses(request: SourceAddressRequest, finder: NetnsFinder): SourceAddresses {
  const startedMs = performance.now()
  const found: NamespaceSources[] = []
  const failed = new Map<number, string>()
  const notFound: number[] = []
  const wanted = request.namespaces ?? allOf(finder)
  const chosen = wanted.toSorted((a, b) => a.inode - b.inode).slice(0, request.max)
  let scanned = request.namespaces === undefined
  const open = (inode: number, tgid: number): Fd | undefined => {
    const known = finder.find(inode, tgid)
    if (known !== undefined || scanned) return known
    scanned = true
    finder.scan()
    return finder.find(inode)
  }
  for (const { inode, tgid } of chosen) {
    try {
      const sources = lookInto(inode, () => open(inode, tgid), request.destinations, finder)
      if (sources === undefined) notFound.push(inode)
      else found.push(sources)
    } catch (error) {
      if (!(error instanceof EbpfError)) throw error
      failed.set(inode, error.message)
    }
  }
  const leftOut = wanted.length - chosen.length
  return { found, failed, notFound, leftOut, tookMs: performance.now() - startedMs }
}

function allOf(finder: NetnsFinder): { readonly inode: number; readonly tgid: number }[] {
  finder.scan()
  return finder.inodes().map(inode => ({ inode, tgid: 0 }))
}

function lookInto(
  inode: number,
  open: () => Fd | undefined,
  destinations: readonly string[],
  finder: NetnsFinder,
): NamespaceSources | undefined {
  const look = (): NamespaceSources => ({
    inode,
    cookie: netnsCookie(),
    source4: firstSource(destinations.filter(destination => !isIPv6(destination))),
    source6: firstSource(destinations.filter(isIPv6)),
  })
  if (finder.isOwn(inode)) return look()
  using netns = open()
  return netns && withinNetns(finder.own, netns, look)
}

function firstSource(destinations: readonly string[]): Uint8Array | undefined {
  for (const destination of destinations) {
    const source = sourceTowards(destination)
    if (source !== undefined) return source
  }
  return undefined
}
