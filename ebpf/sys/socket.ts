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
  const bound = new Uint8Array(address.length)
  const length = Uint8Array.of(bound.length, 0, 0, 0)
  check(syscall('getsockname', fd.number, bound, length), `reading the port of a ${fd.what}`)
  return new DataView(bound.buffer).getUint16(2)
}

const check = (result: number, failed: string): void => {
  if (result < 0) throw errnoError(-result, failed)
}
