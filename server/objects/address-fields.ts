/** Lists of addresses and networks out of untrusted fields. */
import {
  type AddressClass,
  canonicalCIDR,
  classifyIP,
  type Family,
  formatIP,
  ipFamily,
  parseIP,
} from '@kpng/api'
import { type Fields, show } from './fields.ts'

/** Addresses that a Service can't have: their traffic must stay what it is. */
const NEVER_A_FRONTEND: ReadonlySet<AddressClass> = new Set(['unspecified', 'loopback', 'multicast'])

/** One address a Service is reached at, canonical; undefined, and reported, when it can't be one. */
export function frontendAddress(
  owner: Fields,
  text: string,
  ...field: readonly (string | number)[]
): string | undefined {
  const bytes = parseIP(text)
  if (bytes === undefined) {
    owner.report(`is not an IP address: ${show(text)}: ignored`, ...field)
    return undefined
  }
  const kind = classifyIP(bytes)
  if (NEVER_A_FRONTEND.has(kind)) {
    owner.report(`is no address for this (${kind}): ${show(text)}: ignored`, ...field)
    return undefined
  }
  return formatIP(bytes)
}

/** The good addresses of a list of strings, in order. */
export function frontendAddresses(owner: Fields, field: string): string[] {
  return owner
    .strings(field)
    .map(({ text, index }) => frontendAddress(owner, text, field, index))
    .filter(address => address !== undefined)
}

/** The good networks of a list of strings, in order; white space around them is forgiven. */
export function networks(owner: Fields, field: string): string[] {
  const found: string[] = []
  for (const { text, index } of owner.strings(field)) {
    const cidr = canonicalCIDR(text.trim())
    if (cidr === undefined) owner.report(`is not a CIDR: ${show(text)}: ignored`, field, index)
    else found.push(cidr)
  }
  return found
}

export const sortedUnique = (texts: readonly string[]): string[] => [...new Set(texts)].sort()

/** Those of one family, in order. */
export const ofFamily = (family: Family, texts: readonly string[]): readonly string[] =>
  texts.every(text => ipFamily(text) === family) ? texts : texts.filter(text => ipFamily(text) === family)
