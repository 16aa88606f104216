import { existsSync, readFileSync } from 'node:fs'
import type { Family } from '@kpng/api'

const interfacesWithIPv6 = '/proc/net/if_inet6'
const switchedOff = '/proc/sys/net/ipv6/conf/all/disable_ipv6'

/** Families of the kernel (and network namespace) that the agent runs in: IPv6 where it is there and not switched off. */
export function servedFamilies(read: (path: string) => string | undefined = readIfThere): readonly Family[] {
  const off = read(interfacesWithIPv6) === undefined || read(switchedOff)?.trim() === '1'
  return off ? ['IPv4'] : ['IPv4', 'IPv6']
}

const readIfThere = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8') : undefined
