import { BlockList } from 'node:net'
import { canonicalIP } from '@kpng/api'
import type { Service, ServiceCIDR } from '@kpng/server'
import { familyOf } from '../address.ts'

/** What the API server of a lab allocates from. */
export interface ServiceRanges {
  /** Its own, the ServiceCIDR `kubernetes`: one of each family, first that of its address. */
  readonly cidrs: readonly [string, string]
  /** `first-last` */
  readonly nodePorts: string
}

export type RangeService = Pick<
  Service,
  'namespace' | 'name' | 'clusterIPs' | 'ports' | 'healthCheckNodePort'
>

type CIDRs = readonly Pick<ServiceCIDR, 'name' | 'cidrs'>[]

const defaults = { 4: ['10.96.0.0/16', '10.97.0.0/16'], 6: ['fd00:10:96::/112', 'fd00:10:97::/112'] } as const
const customaryPorts = { first: 30_000, last: 32_767 }

/** The range of a family that the ServiceCIDR `kubernetes` of the manifests names; undefined without one. */
const named = (serviceCIDRs: CIDRs, family: 4 | 6): string | undefined =>
  serviceCIDRs
    .filter(({ name }) => name === 'kubernetes')
    .flatMap(({ cidrs }) => cidrs)
    .find(cidr => familyOf(cidr) === family)

/** Families in the order in which the API server of the manifests would prefer them. */
export const preferredFamilies = (serviceCIDRs: CIDRs): readonly [4 | 6, 4 | 6] => {
  const first = serviceCIDRs.find(({ name }) => name === 'kubernetes')?.cidrs[0]
  return first !== undefined && familyOf(first) === 6 ? [6, 4] : [4, 6]
}

/**
 * What an API server has to be started with, so that the Services of the manifests may have what they ask for: the
 * ranges of the ServiceCIDR `kubernetes` if there is one, else the customary ones. `first`: the family of its own
 * address, and of the Services that do not say theirs.
 */
export function planServiceRanges(
  services: readonly RangeService[],
  serviceCIDRs: CIDRs,
  first: 4 | 6,
): ServiceRanges {
  const wanted = wantedAddresses(services)
  const own = (family: 4 | 6): string =>
    named(serviceCIDRs, family) ??
    // The API server gives the first address to itself.
    defaults[family].find(cidr => !wanted.includes(`${cidr.replace(/0?\/.*/, '')}1`)) ??
    defaults[family][0]
  return { cidrs: [own(first), own(first === 4 ? 6 : 4)], nodePorts: portRange(services) }
}

/** Small ranges around the ClusterIPs that lie in none of these CIDRs: an API server refuses such Services. */
export function missingRanges(services: readonly RangeService[], cidrs: readonly string[]): string[] {
  const covered = new BlockList()
  const cover = (cidr: string): void => {
    const [address = '', length] = cidr.split('/')
    covered.addSubnet(address, Number(length), kind(address))
  }
  for (const cidr of cidrs) cover(cidr)
  const missing: string[] = []
  for (const address of wantedAddresses(services)) {
    if (covered.check(address, kind(address))) continue
    const cidr = rangeAround(address)
    cover(cidr)
    missing.push(cidr)
  }
  return missing
}

const wantedAddresses = (services: readonly RangeService[]): string[] =>
  services
    .filter(({ namespace, name }) => namespace !== 'default' || name !== 'kubernetes')
    .flatMap(({ clusterIPs }) => Object.values(clusterIPs))

const kind = (address: string): 'ipv4' | 'ipv6' => (familyOf(address) === 6 ? 'ipv6' : 'ipv4')

/** A /24 or /120; wider where the address would be its first or last, which are never given to a Service. */
function rangeAround(address: string): string {
  if (familyOf(address) === 4) {
    const [a, b, c, d] = address.split('.').map(Number)
    if (d !== 0 && d !== 255) return `${a}.${b}.${c}.0/24`
    return c !== 0 && c !== 255 ? `${a}.${b}.0.0/16` : `${a}.0.0.0/8`
  }
  const groups = expand(address)
  const last = groups[7] ?? 0
  if ((last & 0xff) !== 0) return `${groupsText([...groups.slice(0, 7), last & 0xff00])}/120`
  return `${groupsText([...groups.slice(0, 7), 0])}/${last === 0 ? 108 : 112}`
}

/** Of canonical text. */
function expand(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const parse = (text: string): number[] =>
    text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16))
  if (tail === undefined) return parse(head)
  const [before, after] = [parse(head), parse(tail)]
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
}

const groupsText = (groups: readonly number[]): string =>
  canonicalIP(groups.map(group => group.toString(16)).join(':')) ?? ''

function portRange(services: readonly RangeService[]): string {
  const ports = services
    .flatMap(({ ports, healthCheckNodePort }) => [
      ...ports.map(({ nodePort }) => nodePort),
      healthCheckNodePort,
    ])
    .filter(port => port !== undefined && port > 0)
  return `${Math.min(customaryPorts.first, ...ports)}-${Math.max(customaryPorts.last, ...ports)}`
}
