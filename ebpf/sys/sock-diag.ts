import { EbpfError } from '../error.ts'
import { NetlinkSocket } from './netlink.ts'

const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
const SOCK_DESTROY = 21
const ALL_STATES = 0xffff_ffff

/** linux/inet_diag.h, written by hand: offsets in bytes, compared with the kernel's BTF by a test. */
export const inetDiagSockid = {
  size: 48,
  idiag_sport: 0,
  idiag_dport: 2,
  idiag_src: 4,
  idiag_dst: 20,
  idiag_if: 36,
  idiag_cookie: 40,
} as const
export const inetDiagReqV2 = {
  size: 56,
  sdiag_family: 0,
  sdiag_protocol: 1,
  idiag_states: 4,
  id: 8,
} as const
export const inetDiagMsg = {
  size: 72,
  idiag_family: 0,
  idiag_state: 1,
  id: 4,
  idiag_uid: 64,
  idiag_inode: 68,
} as const

export const AF_INET = 2
export const AF_INET6 = 10

/** What tells one socket of a network namespace from all others. */
export interface SocketTuple {
  /** AF_INET or AF_INET6: of the socket, which may have IPv4-mapped addresses. */
  readonly family: number
  /** IPPROTO_TCP or IPPROTO_UDP. */
  readonly proto: number
  /** 4 bytes for AF_INET, 16 for AF_INET6. */
  readonly localAddr: Uint8Array
  readonly remoteAddr: Uint8Array
  readonly localPort: number
  readonly remotePort: number
  /** The device that the socket is bound to; 0 for none. */
  readonly ifindex: number
  readonly cookie: bigint
}

export interface FoundSocket extends SocketTuple {
  /** TCP_*; a connected UDP socket is TCP_ESTABLISHED (1), others TCP_CLOSE (7). */
  readonly state: number
  readonly uid: number
  /** Of the socket's file, as in `socket:[…]`. */
  readonly inode: number
}

/** A sock_diag socket of the network namespace of the calling thread. */
export class SockDiag implements Disposable {
  readonly #netlink = new NetlinkSocket(NETLINK_SOCK_DIAG)

  /**
   * SOCK_DESTROY: 0, or -errno. -ENOENT: there is no such socket (any more). The owner gets ECONNABORTED; needs
   * CAP_NET_ADMIN.
   */
  destroy(socket: SocketTuple): number {
    return this.#netlink.request(SOCK_DESTROY, encodeRequest(socket))
  }

  /** All sockets of a family and protocol in the namespace. */
  list(family: number, proto: number): FoundSocket[] {
    const none = new Uint8Array(family === AF_INET ? 4 : 16)
    const request = encodeRequest({
      ...{ family, proto, ifindex: 0, cookie: 0n },
      ...{ localAddr: none, remoteAddr: none, localPort: 0, remotePort: 0 },
    })
    return this.#netlink
      .dump(SOCK_DIAG_BY_FAMILY, request)
      .filter(message => message.type === SOCK_DIAG_BY_FAMILY)
      .map(message => decodeSocket(message.payload, proto))
  }

  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]()
  }
}

/** struct inet_diag_req_v2. Throws INVALID where an address has not the length of its family. */
export const encodeRequest = (socket: SocketTuple): Uint8Array => {
  const bytes = new Uint8Array(inetDiagReqV2.size)
  const view = new DataView(bytes.buffer)
  view.setUint8(inetDiagReqV2.sdiag_family, socket.family)
  view.setUint8(inetDiagReqV2.sdiag_protocol, socket.proto)
  view.setUint32(inetDiagReqV2.idiag_states, ALL_STATES, true)
  const id = inetDiagReqV2.id
  view.setUint16(id + inetDiagSockid.idiag_sport, socket.localPort)
  view.setUint16(id + inetDiagSockid.idiag_dport, socket.remotePort)
  const length = addressLength(socket.family)
  for (const [offset, address] of [
    [inetDiagSockid.idiag_src, socket.localAddr],
    [inetDiagSockid.idiag_dst, socket.remoteAddr],
  ] as const) {
    if (address.length !== length) {
      throw new EbpfError('INVALID', `an address of ${address.length} bytes for family ${socket.family}`)
    }
    bytes.set(address, id + offset)
  }
  view.setUint32(id + inetDiagSockid.idiag_if, socket.ifindex, true)
  // Two 32-bit words, low half first: on little-endian machines one of 64 bits.
  view.setBigUint64(id + inetDiagSockid.idiag_cookie, socket.cookie, true)
  return bytes
}

/** struct inet_diag_msg. Throws MALFORMED. */
export const decodeSocket = (message: DataView, proto: number): FoundSocket => {
  if (message.byteLength < inetDiagMsg.size) {
    throw new EbpfError('MALFORMED', `sock_diag: an answer of ${message.byteLength} bytes`)
  }
  const family = message.getUint8(inetDiagMsg.idiag_family)
  const id = inetDiagMsg.id
  const address = (offset: number) => {
    const start = message.byteOffset + id + offset
    return new Uint8Array(message.buffer.slice(start, start + addressLength(family)))
  }
  return {
    family,
    proto,
    localAddr: address(inetDiagSockid.idiag_src),
    remoteAddr: address(inetDiagSockid.idiag_dst),
    localPort: message.getUint16(id + inetDiagSockid.idiag_sport),
    remotePort: message.getUint16(id + inetDiagSockid.idiag_dport),
    ifindex: message.getUint32(id + inetDiagSockid.idiag_if, true),
    cookie: message.getBigUint64(id + inetDiagSockid.idiag_cookie, true),
    state: message.getUint8(inetDiagMsg.idiag_state),
    uid: message.getUint32(inetDiagMsg.idiag_uid, true),
    inode: message.getUint32(inetDiagMsg.idiag_inode, true),
  }
}

const addressLength = (family: number): number => {
  if (family === AF_INET) return 4
  if (family === AF_INET6) return 16
  throw new EbpfError('INVALID', `address family ${family} is neither AF_INET nor AF_INET6`)
}
