import { type Cidr, type Family, formatIP, formatIPv4, parseCIDR, parseIPv4 } from '@kpng/api'
import {
  type Backend4,
  type Backend6,
  type Cfg,
  CfgFlag,
  type RecordRow,
  Scope,
  type Source4Key,
  type Source6Key,
  type Svc4Key,
  type Svc6Key,
  type SvcValue,
} from '../bindings.gen.ts'
import { formatIPv6, maskIPv4, maskIPv6, numberOfIPv4, parseIPv6 } from '../plan/address.ts'
import type { NodePlan } from '../plan/node-plan.ts'
import { frontendKey, type Transport } from '../plan/service-plan.ts'

const PROTOCOL_NUMBER: Readonly<Record<Transport, number>> = { TCP: 6, UDP: 17 }
const UNSPECIFIED6 = new Uint8Array(16)

export const protocolNumber = (protocol: Transport): number => PROTOCOL_NUMBER[protocol]

export const transportOf = (number: number): Transport | undefined =>
  number === 6 ? 'TCP' : number === 17 ? 'UDP' : undefined

/** Where a frontend is, as text: what the keys of svc4 and svc6 are made from. */
export interface FrontendPlace {
  readonly family: Family
  /** '' = any of this node's NodePort addresses. */
  readonly address: string
  readonly port: number
  readonly protocol: Transport
}

export const svc4KeyOf = (place: FrontendPlace): Svc4Key => ({
  addr: place.address === '' ? 0 : ipv4(place.address),
  port: place.port,
  proto: protocolNumber(place.protocol),
  scope: Scope.INSIDE,
})

export const svc6KeyOf = (place: FrontendPlace): Svc6Key => ({
  addr: place.address === '' ? UNSPECIFIED6 : ipv6(place.address),
  port: place.port,
  proto: protocolNumber(place.protocol),
  scope: Scope.INSIDE,
})

/** undefined for a key that no plan makes: another scope or protocol. */
export function placeOf4(key: Svc4Key): FrontendPlace | undefined {
  const protocol = transportOf(key.proto)
  if (protocol === undefined || key.scope !== Scope.INSIDE) return undefined
  return { family: 'IPv4', address: key.addr === 0 ? '' : formatIPv4(key.addr), port: key.port, protocol }
}

export function placeOf6(key: Svc6Key): FrontendPlace | undefined {
  const protocol = transportOf(key.proto)
  if (protocol === undefined || key.scope !== Scope.INSIDE) return undefined
  const address = key.addr.every(byte => byte === 0) ? '' : formatIPv6(key.addr)
  return { family: 'IPv6', address, port: key.port, protocol }
}

export const keyOfPlace = (place: FrontendPlace): string =>
  frontendKey(place.family, place.address, place.port, place.protocol)

export const sameSvcValue = (a: SvcValue, b: SvcValue): boolean =>
  a.list === b.list &&
  a.servicePort === b.servicePort &&
  a.affinityTimeoutS === b.affinityTimeoutS &&
  a.flags === b.flags &&
  a.algorithm === b.algorithm &&
  a.maglev === b.maglev

/** A list's word: base in the low half, count in the high half. count 0: base is the reason. */
export const listWord = (base: number, count: number): bigint => (BigInt(count) << 32n) | BigInt(base)

/** A membership of a list, with its address as text. */
export interface Slot {
  readonly id: number
  readonly generation: number
  readonly address: string
  readonly port: number
}

export const backend4Of = (slot: Slot, list: number): Backend4 => ({
  addr: ipv4(slot.address),
  port: slot.port,
  weight: 1,
  id: slot.id,
  list,
  generation: slot.generation,
  flags: 0,
})

export const backend6Of = (slot: Slot, list: number): Backend6 => ({
  addr: ipv6(slot.address),
  port: slot.port,
  weight: 1,
  id: slot.id,
  list,
  generation: slot.generation,
  flags: 0,
})

export const sameBackend = <B extends Backend4 | Backend6>(a: B, b: B): boolean =>
  (a.addr === b.addr ||
    (a.addr instanceof Uint8Array && b.addr instanceof Uint8Array && Buffer.compare(a.addr, b.addr) === 0)) &&
  a.port === b.port &&
  a.weight === b.weight &&
  a.id === b.id &&
  a.list === b.list &&
  a.generation === b.generation &&
  a.flags === b.flags

/** What fills the rounding of a range where two ranges are written at once: never read. */
export const NO_BACKEND4: Backend4 = { addr: 0, port: 0, weight: 0, id: 0, list: 0, generation: 0, flags: 0 }
export const NO_BACKEND6: Backend6 = { ...NO_BACKEND4, addr: UNSPECIFIED6 }

export const slotOf4 = (row: Backend4): Slot => ({
  id: row.id,
  generation: row.generation,
  address: formatIPv4(row.addr),
  port: row.port,
})

export const slotOf6 = (row: Backend6): Slot => ({
  id: row.id,
  generation: row.generation,
  address: formatIPv6(row.addr),
  port: row.port,
})

/** The backend of a socket record: records keep IPv4 in mapped form, which prints as IPv4. */
export function slotOfRecord(row: RecordRow): Slot {
  const address = formatIP(row.backendAddr)
  return { id: row.backend, generation: row.generation, address, port: row.backendPort }
}

export function cfgOf(cidrs: NodePlan['serviceCIDRs']): Cfg {
  const cidr4 = cidrs.IPv4.map(row4)
  const cidr6 = cidrs.IPv6.map(row6)
  return { cidr4Count: cidr4.length, cidr6Count: cidr6.length, flags: CfgFlag.OUTSIDE, cidr4, cidr6 }
}

/** The CIDRs in force with such an entry. */
export const cidrsOf = ({ cidr4Count, cidr6Count, cidr4, cidr6 }: Cfg): Cidr[] => [
  ...cidr4.slice(0, cidr4Count).map(({ addr, mask }) => ({
    family: 'IPv4' as const,
    bytes: Uint8Array.of(addr >>> 24, addr >>> 16, addr >>> 8, addr),
    prefixLength: ones(Uint8Array.of(mask >>> 24, mask >>> 16, mask >>> 8, mask)),
  })),
  ...cidr6.slice(0, cidr6Count).map(({ addr, mask }) => ({
    family: 'IPv6' as const,
    bytes: addr,
    prefixLength: ones(mask),
  })),
]

const ones = (mask: Uint8Array): number => mask.reduce((sum, byte) => sum + POPULATION.indexOf(byte), 0)

/** The bytes of masks, by how many bits they have. */
const POPULATION = [0, 0x80, 0xc0, 0xe0, 0xf0, 0xf8, 0xfc, 0xfe, 0xff]

// Host bits are cleared, as the programs need it: they compare (address & mask) with addr.
const row4 = ({ bytes, prefixLength }: Cidr) => ({ addr: numberOfIPv4(bytes), mask: maskIPv4(prefixLength) })
const row6 = ({ bytes, prefixLength }: Cidr) => ({ addr: bytes, mask: maskIPv6(prefixLength) })

/** The bits of a key of source4 and source6 before the address. */
const SERVICE_PORT_BITS = 32

/** For a CIDR of a plan. */
export function source4KeyOf(servicePort: number, range: string): Source4Key {
  const { bytes, prefixLength } = cidr(range)
  return { prefixLength: SERVICE_PORT_BITS + prefixLength, servicePort, addr: numberOfIPv4(bytes) }
}

export function source6KeyOf(servicePort: number, range: string): Source6Key {
  const { bytes, prefixLength } = cidr(range)
  return { prefixLength: SERVICE_PORT_BITS + prefixLength, servicePort, addr: bytes }
}

/** As a plan writes it; of a key that no plan makes, something else. */
export const rangeOf4 = (key: Source4Key): string =>
  `${formatIPv4(key.addr)}/${key.prefixLength - SERVICE_PORT_BITS}`

export const rangeOf6 = (key: Source6Key): string =>
  `${formatIPv6(key.addr)}/${key.prefixLength - SERVICE_PORT_BITS}`

function cidr(text: string): Cidr {
  const value = parseCIDR(text)
  if (value === undefined) throw new TypeError(`${text} is not a CIDR`)
  return value
}

/** For text that a plan has already parsed. */
export function ipv4(text: string): number {
  const value = parseIPv4(text)
  if (value === undefined) throw new TypeError(`${text} is not an IPv4 address`)
  return value
}

export function ipv6(text: string): Uint8Array {
  const value = parseIPv6(text)
  if (value === undefined) throw new TypeError(`${text} is not an IPv6 address`)
  return value
}
