import { formatAddressPort, formatIPv4 } from '@kpng/api'
import type { Cfg, ListEntry, Svc4Key, Svc6Key, SvcValue } from '../bindings.gen.ts'
import { AddrFlag, Reason, SvcFlag } from '../bindings.gen.ts'
import { formatIPv6 } from '../plan/address.ts'
import type { DatapathMaps } from './maps.ts'
import {
  keyOfPlace,
  placeOf4,
  placeOf6,
  rangeOf4,
  rangeOf6,
  type Slot,
  slotOf4,
  slotOf6,
  transportOf,
} from './rows.ts'

/** What `dumpMaps` reads: enough to print the datapath's tables, with or without an agent. */
export type DumpedMaps = Pick<
  DatapathMaps,
  | 'svc4'
  | 'svc6'
  | 'list'
  | 'backend4'
  | 'backend6'
  | 'addr4'
  | 'addr6'
  | 'source4'
  | 'source6'
  | 'outside'
  | 'cfg'
  | 'service'
>

/**
 * The datapath's tables as text, one line an entry, sorted: for scenario files and for people.
 *
 *     addr4 10.96.0.10 -> cluster-ip
 *     list 3 -> base 16 count 2: #5 10.180.0.1:53, #6 10.180.0.2:53
 *     service 1 -> kube-system/kube-dns:dns/UDP
 *     source4 203.0.113.0/24 -> service shop/frontend:http
 *     svc4 10.96.0.10:53/UDP -> list 3 service kube-system/kube-dns:dns affinity 0
 *
 * Generations are left out unless `generations` is set (`#5.1`).
 */
export function dumpMaps(maps: DumpedMaps, options: { readonly generations?: boolean } = {}): string[] {
  const names = new Map<number, string>()
  const lines: string[] = []
  for (const [id, { namespace, name, port, proto }] of maps.service.entries()) {
    const text = `${namespace}/${name}:${port}`
    names.set(id, text)
    lines.push(`service ${id} -> ${text}/${transportOf(proto) ?? proto}`)
  }
  const families = new Map<number, 4 | 6>()
  const ownerOf = (servicePort: number): string => names.get(servicePort) ?? `?${servicePort}`
  const frontend = (map: string, where: string, value: SvcValue): void => {
    const { list, servicePort, affinityTimeoutS, flags } = value
    const checks = flags & SvcFlag.SOURCE_RANGES ? ' source-ranges' : ''
    lines.push(
      `${map} ${where} -> list ${list} service ${ownerOf(servicePort)} affinity ${affinityTimeoutS}${checks}`,
    )
  }
  for (const [key, value] of maps.svc4.entries()) {
    families.set(value.list, 4)
    frontend('svc4', textOf4(key), value)
  }
  for (const [key, value] of maps.svc6.entries()) {
    families.set(value.list, 6)
    frontend('svc6', textOf6(key), value)
  }
  for (let index = 0; index < maps.list.maxEntries; index++) {
    const word = maps.list.load64(index)
    if (word === 0n) continue
    const entry = { base: Number(word & 0xffffffffn), count: Number(word >> 32n) }
    lines.push(listLine(maps, index, entry, families.get(index), options.generations === true))
  }
  for (const [address, { flags }] of maps.addr4.entries())
    lines.push(`addr4 ${formatIPv4(address)} -> ${flagText(flags)}`)
  for (const [address, { flags }] of maps.addr6.entries())
    lines.push(`addr6 ${formatIPv6(address)} -> ${flagText(flags)}`)
  for (const [key] of maps.source4.entries())
    lines.push(`source4 ${rangeOf4(key)} -> service ${ownerOf(key.servicePort)}`)
  for (const [key] of maps.source6.entries())
    lines.push(`source6 ${rangeOf6(key)} -> service ${ownerOf(key.servicePort)}`)
  const cfg = maps.cfg.lookup(0)
  if (cfg !== undefined) lines.push(...cfgLines(cfg))
  return lines.sort(compareNatural)
}

const textOf4 = (key: Svc4Key): string => {
  const place = placeOf4(key)
  return place ? keyOfPlace(place) : `${formatIPv4(key.addr)}:${key.port}/${key.proto} scope ${key.scope}`
}

const textOf6 = (key: Svc6Key): string => {
  const place = placeOf6(key)
  return place ? keyOfPlace(place) : `[${formatIPv6(key.addr)}]:${key.port}/${key.proto} scope ${key.scope}`
}

function listLine(
  maps: DumpedMaps,
  index: number,
  entry: ListEntry,
  family: 4 | 6 | undefined,
  generations: boolean,
): string {
  const { base, count } = entry
  if (count === 0) {
    const reason = Object.entries(Reason).find(([, number]) => number === base)?.[0] ?? `reason ${base}`
    return `list ${index} -> empty: ${reason}`
  }
  const head = `list ${index} -> base ${base} count ${count}`
  const map = family === 6 ? maps.backend6 : maps.backend4
  if (family === undefined || base + count > map.maxEntries) return `${head}: ?`
  const slots: string[] = []
  for (let slot = base; slot < base + count; slot++) {
    const row = family === 4 ? maps.backend4.read(slot) : undefined
    const found = row === undefined ? slotOf6(maps.backend6.read(slot)) : slotOf4(row)
    slots.push(slotText(found, generations))
  }
  return `${head}: ${slots.join(', ')}`
}

function slotText({ id, generation, address, port }: Slot, generations: boolean): string {
  return `#${id}${generations ? `.${generation}` : ''} ${formatAddressPort(address, port)}`
}

function flagText(flags: number): string {
  const words: string[] = []
  if (flags & AddrFlag.CLUSTER_IP) words.push('cluster-ip')
  if (flags & AddrFlag.EXTERNAL) words.push('external')
  if (flags & AddrFlag.NODE) words.push('node')
  return words.join(' ')
}

function cfgLines(cfg: Cfg): string[] {
  const ones = (mask: Uint8Array): number =>
    mask.reduce((sum, byte) => sum + (byte.toString(2).match(/1/g)?.length ?? 0), 0)
  const bits = (mask: number): number => (mask === 0 ? 0 : 32 - Math.log2((~mask >>> 0) + 1))
  return [
    ...cfg.cidr4.slice(0, cfg.cidr4Count).map(({ addr, mask }) => `cidr4 ${formatIPv4(addr)}/${bits(mask)}`),
    ...cfg.cidr6.slice(0, cfg.cidr6Count).map(({ addr, mask }) => `cidr6 ${formatIPv6(addr)}/${ones(mask)}`),
  ]
}

/** `list 9` before `list 10`, whatever the locale. */
function compareNatural(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? []
  const right = b.match(/\d+|\D+/g) ?? []
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [x = '', y = ''] = [left[at], right[at]]
    if (x === y) continue
    const numbers = /^\d+$/.test(x) && /^\d+$/.test(y) ? Number(x) - Number(y) : 0
    if (numbers !== 0) return numbers
    return x < y ? -1 : 1
  }
  return left.length - right.length
}
