import { isIPv4, isIPv6 } from 'node:net'
import koffi from 'koffi'
import { EbpfError } from '../error.ts'
import { errnoError } from './errno.ts'
import { Fd } from './fd.ts'
import { AF_INET, AF_INET6 } from './sock-diag.ts'
import { syscall } from './syscall.ts'

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_NETNS_COOKIE = 71
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26

export interface BoundSocketOptions {
  readonly protocol: 'TCP' | 'UDP'
  /** IPv4 or IPv6, without a zone. An IPv6 socket takes IPv6 only. */
  readonly address: string
  /** 0 = any free one. */
  readonly port: number
  /** TCP: how many connections may wait to be accepted. */
  readonly backlog: number
}

/**
 * A non-blocking socket bound to an address in the network namespace of the calling thread; TCP listens. Throws with
 * errno EADDRINUSE, EADDRNOTAVAIL, EACCES, …; INVALID for what is no address or port.
 */
export const openBoundSocket = (options: BoundSocketOptions): { readonly fd: Fd; readonly port: number } => {
  const { protocol, backlog } = options
  const name = `${protocol} socket on ${options.address} port ${options.port}`
  const address = socketAddress(options.address, options.port)
  const family = address.length === SOCKADDR_IN_BYTES ? AF_INET : AF_INET6
  const type = (protocol === 'TCP' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC
  const fd = Fd.from(syscall('socket', family, type, 0), name, `opening a ${name}`)
  try {
    if (protocol === 'TCP') setOption(fd, SOL_SOCKET, SO_REUSEADDR)
    if (family === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY)
    check(syscall('bind', fd.number, address, address.length), `binding a ${name}`)
    if (protocol === 'TCP') check(syscall('listen', fd.number, backlog), `listening on a ${name}`)
    return { fd, port: options.port === 0 ? boundPort(fd, address) : options.port }
  } catch (error) {
    fd[Symbol.dispose]()
    throw error
  }
}

const SOCKADDR_IN_BYTES = 16
const SOCKADDR_IN6_BYTES = 28

/** struct sockaddr_in or sockaddr_in6. Throws INVALID. */
export const socketAddress = (address: string, port: number): Uint8Array => {
  const family = isIPv4(address) ? AF_INET : isIPv6(address) && !address.includes('%') ? AF_INET6 : undefined
  if (family === undefined) throw new EbpfError('INVALID', `${address} is no IP address`)
  if (!Number.isInteger(port) || port < 0 || port > 0xffff)
    throw new EbpfError('INVALID', `${port} is no port`)
  const bytes = new Uint8Array(family === AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, family, true)
  view.setUint16(2, port)
  const parsed = family === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24)
  if (inetPton(family, address, parsed) !== 1) throw new EbpfError('INVALID', `${address} is no IP address`)
  return bytes
}

/** What the kernel says when there is no way to a destination, or no such family at all. */
const NO_WAY = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES'])

/**
 * The address that a socket of the calling thread's network namespace would have as source towards a destination: 4
 * or 16 bytes; undefined where there is no way, and for a destination on its own interfaces, which is called from
 * itself. Connects a datagram socket to port 0, so nothing is ever sent. Throws INVALID for what is no address.
 */
export const sourceTowards = (destination: string): Uint8Array | undefined => {
  const address = socketAddress(destination, 0)
  const family = address.length === SOCKADDR_IN_BYTES ? AF_INET : AF_INET6
  try {
    using fd = openDatagramSocket(family)
    check(syscall('connect', fd.number, address, address.length), `a way to ${destination}`)
    const bound = socketName(fd, address.length)
    const bytesOf = (name: Uint8Array): Uint8Array =>
      family === AF_INET ? name.slice(4, 8) : name.slice(8, 24)
    const source = bytesOf(bound)
    const isItself = Buffer.compare(source, bytesOf(address)) === 0
    return isItself || source.every(byte => byte === 0) ? undefined : source
  } catch (error) {
    if (error instanceof EbpfError && NO_WAY.has(error.errno ?? '')) return undefined
    throw error
  }
}

const ENOPROTOOPT = 92

/**
 * The cookie of the calling thread's network namespace: a number that no other namespace has had or will have, and
 * that bpf_get_netns_cookie gives. undefined before Linux 5.14.
 */
export const netnsCookie = (): bigint | undefined => {
  using fd = openDatagramSocket(AF_INET)
  const cookie = new Uint8Array(8)
  const length = Uint8Array.of(cookie.length, 0, 0, 0)
  const result = syscall('getsockopt', fd.number, SOL_SOCKET, SO_NETNS_COOKIE, cookie, length, 0)
  if (result === -ENOPROTOOPT) return undefined
  check(result, 'reading the cookie of a network namespace')
  return new DataView(cookie.buffer).getBigUint64(0, true)
}

const openDatagramSocket = (family: number): Fd => {
  const result = syscall('socket', family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  return Fd.from(result, 'UDP socket', 'opening a UDP socket')
}

const inetPton = koffi.load(null).func('inet_pton', 'int', ['int', 'str', 'void *']) as (
  family: number,
  address: string,
  into: Uint8Array,
) => number

const setOption = (fd: Fd, level: number, option: number): void => {
  const one = Uint8Array.of(1, 0, 0, 0)
  const result = syscall('setsockopt', fd.number, level, option, one, one.length, 0)
  check(result, `setting option ${option} of a ${fd.what}`)
}

const boundPort = (fd: Fd, address: Uint8Array): number => {
  return new DataView(socketName(fd, address.length).buffer).getUint16(2)
}

const socketName = (fd: Fd, bytes: number): Uint8Array<ArrayBuffer> => {
  const bound = new Uint8Array(bytes)
  const length = Uint8Array.of(bound.length, 0, 0, 0)
  check(syscall('getsockname', fd.number, bound, length), `reading the address of a ${fd.what}`)
  return bound
}

const check = (result: number, failed: string): void => {
  if (result < 0) throw errnoError(-result, failed)
}
