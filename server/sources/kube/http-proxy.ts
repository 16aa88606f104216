import { BlockList, isIP } from 'node:net'
import { KpngError } from '@kpng/api'
import { isLoopback } from './cluster-access.ts'

type Environment = Readonly<Record<string, string | undefined>>

const SCHEMES = ['http:', 'https:', 'socks5:']

/** Throws usage. `where`: what said so. */
export function parseProxy(text: string, where: string): URL {
  const url = URL.parse(text)
  if (url !== null && SCHEMES.includes(url.protocol) && url.hostname !== '') return url
  throw new KpngError('usage', `${where}: no URL of a proxy (http, https or socks5): ${hidden(text)}`)
}

/**
 * The proxy that the environment names for a server, read as Go's programs read it: HTTPS_PROXY or HTTP_PROXY by the
 * server's scheme, small letters as well; none for this machine and for what NO_PROXY names. Throws usage.
 */
export function proxyFromEnvironment(server: URL, env: Environment): URL | undefined {
  const name = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const value = env[name] || env[name.toLowerCase()] || ''
  if (value === '' || isLoopback(server) || isExempt(server, env.NO_PROXY || env.no_proxy || ''))
    return undefined
  return parseProxy(value.includes('://') ? value : `http://${value}`, name)
}

/** NO_PROXY: `*`, addresses, CIDRs, and names that stand for their subdomains too (with a leading dot: for these only), each with a port or without. */
function isExempt(server: URL, list: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = server.port || (server.protocol === 'https:' ? '443' : '80')
  return list
    .split(',')
    .map(it => it.trim().toLowerCase())
    .some(entry => entry === '*' || (entry !== '' && names(entry, host, port)))
}

function names(entry: string, host: string, port: string): boolean {
  const [address = '', length] = entry.split('/')
  if (length !== undefined) return inNetwork(host, address, Number(length))
  const [, name = entry, wanted] = isIP(entry) === 6 ? [] : (/^(.*):(\d+)$/.exec(entry) ?? [])
  if (wanted !== undefined && wanted !== port) return false
  const bare = name.replace(/^\[|\]$/g, '')
  if (isIP(bare) !== 0) return inNetwork(host, bare, isIP(bare) === 6 ? 128 : 32)
  const domain = bare.replace(/^\*(?=\.)/, '')
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`)
}

function inNetwork(host: string, address: string, length: number): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(address) === 0 || isIP(host) !== isIP(address)) return false
  if (!Number.isInteger(length) || length < 0 || length > (family === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(address, length, family)
  return list.check(host, family)
}

/** A proxy's URL may hold a password. */
const hidden = (text: string): string => JSON.stringify(text.replace(/\/\/[^@/]*@/, '//…@'))
