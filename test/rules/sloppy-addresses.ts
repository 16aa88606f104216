/**
 * Addresses and CIDRs as kube-proxy reads them (leading zeros are decimal), by way of numbers. Slow; shares nothing
 * with @kpng/api, so that a mistake there is seen.
 */
import type { Family } from '@kpng/api'

export interface Address {
  readonly family: Family
  readonly value: bigint
  /** Canonical text. */
  readonly text: string
}

export interface Cidr {
  readonly family: Family
  readonly length: number
  /** Canonical text, host bits zero. */
  readonly text: string
}

const MAPPED = 0xffffn << 32n

export function parseAddress(text: string): Address | undefined {
  const four = parseFour(text)
  if (four !== undefined) return address('IPv4', four)
  const six = parseSix(text)
  if (six === undefined) return undefined
  return six >> 32n === MAPPED >> 32n ? address('IPv4', six & 0xffffffffn) : address('IPv6', six)
}

/** undefined for those that stand for IPv4 in IPv6 notation: nobody means them. */
export function parseCidr(text: string): Cidr | undefined {
  const [, ip = '', digits = ''] = /^([^/]*)\/(\d+)$/.exec(text) ?? []
  const found = parseAddress(ip)
  if (found === undefined || (found.family === 'IPv4') === ip.includes(':')) return undefined
  const bits = found.family === 'IPv4' ? 32 : 128
  const length = Number(digits)
  if (length > bits) return undefined
  const host = BigInt(bits - length)
  return {
    family: found.family,
    length,
    text: `${address(found.family, (found.value >> host) << host).text}/${length}`,
  }
}

/** Both as text that can be read. */
export function contains(range: string, text: string): boolean {
  const [cidr, found] = [parseCidr(range), parseAddress(text)]
  if (cidr === undefined || found === undefined || cidr.family !== found.family) return false
  return parseCidr(`${found.text}/${cidr.length}`)?.text === cidr.text
}

const address = (family: Family, value: bigint): Address => ({
  family,
  value,
  text: family === 'IPv4' ? printFour(value) : printSix(value),
})

function parseFour(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(part => /^\d+$/.test(part) && Number(part) <= 255)) return undefined
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n)
}

function parseSix(text: string): bigint | undefined {
  const halves = text.split('::')
  if (!text.includes(':') || halves.length > 2) return undefined
  const [head, tail] = halves.map(groups)
  if (head === undefined) return undefined
  if (halves.length === 1) return head.length === 8 ? join(head) : undefined
  if (tail === undefined || head.length + tail.length > 7) return undefined
  return join([...head, ...Array<bigint>(8 - head.length - tail.length).fill(0n), ...tail])
}

const join = (all: readonly bigint[]): bigint => all.reduce((value, group) => value * 65536n + group, 0n)

function groups(half: string): bigint[] | undefined {
  if (half === '') return []
  const found: bigint[] = []
  const parts = half.split(':')
  for (const [i, part] of parts.entries()) {
    const four = i === parts.length - 1 ? parseFour(part) : undefined
    if (four !== undefined) found.push(four >> 16n, four & 0xffffn)
    else if (/^[0-9a-f]{1,4}$/i.test(part)) found.push(BigInt(`0x${part}`))
    else return undefined
  }
  return found
}

const printFour = (value: bigint): string => [24n, 16n, 8n, 0n].map(at => (value >> at) & 255n).join('.')

/** RFC 5952: the longest run of two or more zero groups, the first of equals, is left out. */
function printSix(value: bigint): string {
  const all = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  for (let run = 8; run >= 2; run--) {
    for (let at = 0; at + run <= 8; at++) {
      if (all.slice(at, at + run).every(group => group === '0')) {
        return `${all.slice(0, at).join(':')}::${all.slice(at + run).join(':')}`
      }
    }
  }
  return all.join(':')
}
