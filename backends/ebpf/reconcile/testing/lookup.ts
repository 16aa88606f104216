import { cidrContains, ipBytes, parseCIDR, parseIPv4 } from '@kpng/api'
import { AddrFlag, CfgFlag, Reason, SvcFlag, type SvcValue } from '../../bindings.gen.ts'
import { parseIPv6 } from '../../plan/address.ts'
import type { DatapathMaps } from '../maps.ts'
import {
  type FrontendPlace,
  rangeOf4,
  rangeOf6,
  type Slot,
  slotOf4,
  slotOf6,
  svc4KeyOf,
  svc6KeyOf,
} from '../rows.ts'

export type Answer =
  | {
      readonly verdict: 'backends'
      readonly servicePort: number
      readonly affinityS: number
      readonly base: number
      readonly slots: readonly Slot[]
    }
  | { readonly verdict: Exclude<keyof typeof Reason, 'TRANSLATED'> }

/**
 * What connect() to a place would meet, step by step as the programs do it: every slot that it might pick. `source`
 * is who connects; without it, one who may.
 */
export function lookup(maps: DatapathMaps, place: FrontendPlace, source?: string): Answer {
  const isInside = inServiceCidr(maps, place.address)
  if (place.address !== '' && !isInside && !mayBeOutside(maps, place.address))
    return { verdict: 'NOT_A_SERVICE' }
  const flags = flagsOf(maps, place.address)
  const mayServe = isInside || (flags & (AddrFlag.CLUSTER_IP | AddrFlag.EXTERNAL)) !== 0
  const direct = mayServe ? frontendOf(maps, place) : undefined
  if (direct !== undefined) {
    const checks = (direct.flags & SvcFlag.SOURCE_RANGES) !== 0
    if (source !== undefined && checks && !isAllowed(maps, direct.servicePort, source))
      return { verdict: 'SOURCE_BLOCKED' }
    return listOf(maps, place, direct)
  }
  // What is asked for by its NodePort alone has no address.
  if (place.address === '') return answerOf(maps, place, frontendOf(maps, place))
  if (flags === 0) return { verdict: isInside ? 'UNALLOCATED' : 'NOT_A_SERVICE' }
  const nodePort = (flags & AddrFlag.NODE) !== 0 ? frontendOf(maps, { ...place, address: '' }) : undefined
  if (nodePort !== undefined) return listOf(maps, place, nodePort)
  return { verdict: (flags & AddrFlag.CLUSTER_IP) !== 0 ? 'UNKNOWN_PORT' : 'NOT_A_SERVICE' }
}

/** The filter, where it is to be believed: asked with the hash of the programs, in their words. */
function mayBeOutside(maps: DatapathMaps, address: string): boolean {
  if (((maps.cfg.lookup(0)?.flags ?? 0) & CfgFlag.OUTSIDE) === 0) return true
  const bytes = ipBytes(address)
  const factor = 0x9e3779b1n
  let hash = 0n
  for (let at = 0; at < bytes.length; at += 4) {
    const word = Buffer.from(bytes.subarray(at, at + 4)).readUInt32LE()
    hash = BigInt.asUintN(32, hash * factor + BigInt(word))
  }
  const bit = Number(BigInt.asUintN(32, hash * factor) >> 20n)
  return ((maps.outside.load64(bit >> 6) >> BigInt(bit & 63)) & 1n) === 1n
}

const answerOf = (maps: DatapathMaps, place: FrontendPlace, value: SvcValue | undefined): Answer =>
  value === undefined ? { verdict: 'NOT_A_SERVICE' } : listOf(maps, place, value)

const frontendOf = (maps: DatapathMaps, place: FrontendPlace): SvcValue | undefined =>
  place.family === 'IPv4' ? maps.svc4.lookup(svc4KeyOf(place)) : maps.svc6.lookup(svc6KeyOf(place))

/** As a longest-prefix-match trie answers: whether any entry holds the service port and the source. */
function isAllowed(maps: DatapathMaps, servicePort: number, source: string): boolean {
  const address = ipBytes(source)
  const holds = (key: { readonly servicePort: number }, range: string): boolean => {
    const cidr = parseCIDR(range)
    return key.servicePort === servicePort && cidr !== undefined && cidrContains(cidr, address)
  }
  return address.length === 4
    ? [...maps.source4.entries()].some(([key]) => holds(key, rangeOf4(key)))
    : [...maps.source6.entries()].some(([key]) => holds(key, rangeOf6(key)))
}

function listOf(
  maps: DatapathMaps,
  place: FrontendPlace,
  { list, servicePort, affinityTimeoutS }: SvcValue,
): Answer {
  const word = maps.list.load64(list)
  const base = Number(word & 0xffffffffn)
  const count = Number(word >> 32n)
  if (count === 0)
    return { verdict: base === Reason.NO_LOCAL_ENDPOINTS ? 'NO_LOCAL_ENDPOINTS' : 'NO_ENDPOINTS' }
  const slots: Slot[] = []
  for (let slot = base; slot < base + count; slot++) {
    const row = place.family === 'IPv4' ? maps.backend4.read(slot) : maps.backend6.read(slot)
    if (row.list !== list) return { verdict: 'LIST_BUSY' }
    slots.push(
      place.family === 'IPv4' ? slotOf4(maps.backend4.read(slot)) : slotOf6(maps.backend6.read(slot)),
    )
  }
  return { verdict: 'backends', servicePort, affinityS: affinityTimeoutS, base, slots }
}

function flagsOf(maps: DatapathMaps, address: string): number {
  const v4 = parseIPv4(address)
  if (v4 !== undefined) return maps.addr4.lookup(v4)?.flags ?? 0
  const v6 = parseIPv6(address)
  return v6 === undefined ? 0 : (maps.addr6.lookup(v6)?.flags ?? 0)
}

function inServiceCidr(maps: DatapathMaps, address: string): boolean {
  const cfg = maps.cfg.lookup(0)
  const v4 = parseIPv4(address)
  if (cfg === undefined) return false
  if (v4 !== undefined)
    return cfg.cidr4.slice(0, cfg.cidr4Count).some(({ addr, mask }) => (v4 & mask) >>> 0 === addr)
  const v6 = parseIPv6(address)
  if (v6 === undefined) return false
  return cfg.cidr6
    .slice(0, cfg.cidr6Count)
    .some(({ addr, mask }) => addr.every((byte, index) => ((v6[index] ?? 0) & (mask[index] ?? 0)) === byte))
}
