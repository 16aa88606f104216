import { EbpfError } from '../error.ts'
import { errnoError } from './errno.ts'
import { Fd } from './fd.ts'
import { syscall } from './syscall.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLM_F_REQUEST = 0x1
const NLM_F_ACK = 0x4
const NLM_F_DUMP = 0x300
const ENOBUFS = 105

/** struct nlmsghdr and struct nlmsgerr: offsets in bytes. */
export const netlinkHeader = { size: 16, nlmsg_len: 0, nlmsg_type: 4, nlmsg_flags: 6, nlmsg_seq: 8 } as const
export const netlinkError = { size: 20, error: 0 } as const

/** The kernel fills at most this much at a time. */
const RECEIVE_BYTES = 64 << 10

export interface NetlinkMessage {
  readonly type: number
  readonly sequence: number
  /** Behind the header; shares memory with the buffer that was parsed. */
  readonly payload: DataView
}

/** A message with a header in front of `payload`. */
export const netlinkMessage = (
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array => {
  const bytes = new Uint8Array(netlinkHeader.size + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(netlinkHeader.nlmsg_len, bytes.length, true)
  view.setUint16(netlinkHeader.nlmsg_type, type, true)
  view.setUint16(netlinkHeader.nlmsg_flags, flags, true)
  view.setUint32(netlinkHeader.nlmsg_seq, sequence, true)
  bytes.set(payload, netlinkHeader.size)
  return bytes
}

/** The messages of a datagram. Throws MALFORMED. */
export const parseNetlink = (datagram: Uint8Array): NetlinkMessage[] => {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  const messages: NetlinkMessage[] = []
  let offset = 0
  while (offset < view.byteLength) {
    const rest = view.byteLength - offset
    const length = rest < netlinkHeader.size ? 0 : view.getUint32(offset + netlinkHeader.nlmsg_len, true)
    if (length < netlinkHeader.size || length > rest) {
      throw new EbpfError('MALFORMED', `netlink: a message of ${length} bytes where ${rest} are left`)
    }
    const start = view.byteOffset + offset + netlinkHeader.size
    messages.push({
      type: view.getUint16(offset + netlinkHeader.nlmsg_type, true),
      sequence: view.getUint32(offset + netlinkHeader.nlmsg_seq, true),
      payload: new DataView(view.buffer, start, length - netlinkHeader.size),
    })
    offset += Math.ceil(length / 4) * 4
  }
  return messages
}

/**
 * A netlink socket, which stays in the network namespace that it was opened in. Requests are answered by the kernel
 * before sending returns, so nothing here ever waits.
 */
export class NetlinkSocket implements Disposable {
  readonly #fd: Fd
  readonly #buffer = new Uint8Array(RECEIVE_BYTES)
  #sequence = 0

  /** `protocol` is NETLINK_*. Opens in the namespace of the calling thread. */
  constructor(protocol: number) {
    const result = syscall('socket', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
    this.#fd = Fd.from(result, `netlink socket (protocol ${protocol})`, 'opening a netlink socket')
  }

  /** Sends a request that the kernel acknowledges: 0, or -errno. Throws when that cannot be told. */
  request(type: number, payload: Uint8Array): number {
    const sequence = this.#send(type, NLM_F_REQUEST | NLM_F_ACK, payload)
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence === sequence && message.type === NLMSG_ERROR) return errorOf(message)
      }
    }
  }

  /** Sends a request for all objects of a kind and gives the answers. Throws what the kernel answers instead. */
  dump(type: number, payload: Uint8Array): NetlinkMessage[] {
    const sequence = this.#send(type, NLM_F_REQUEST | NLM_F_DUMP, payload)
    const found: NetlinkMessage[] = []
    for (;;) {
      for (const message of this.#receive(true)) {
        if (message.sequence !== sequence) continue
        if (message.type === NLMSG_DONE) return found
        if (message.type === NLMSG_ERROR) throw errnoError(-errorOf(message), 'netlink dump')
        found.push(message)
      }
    }
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]()
  }

  #send(type: number, flags: number, payload: Uint8Array): number {
    this.#sequence = (this.#sequence + 1) >>> 0
    const message = netlinkMessage(type, flags, this.#sequence, payload)
    const result = syscall('sendto', this.#fd.number, message, message.length, 0, 0, 0)
    if (result < 0) throw errnoError(-result, 'sending a netlink request')
    return this.#sequence
  }

  /** One datagram. `keep` copies it out of the buffer. Throws rather than waits when there is none. */
  #receive(keep = false): NetlinkMessage[] {
    const buffer = this.#buffer
    const flags = MSG_DONTWAIT | MSG_TRUNC
    const length = syscall('recvfrom', this.#fd.number, buffer, buffer.length, flags, 0, 0)
    if (length < 0) throw errnoError(-length, 'reading a netlink answer')
    if (length > buffer.length) throw errnoError(ENOBUFS, `reading a netlink answer of ${length} bytes`)
    return parseNetlink(keep ? buffer.slice(0, length) : buffer.subarray(0, length))
  }
}

const errorOf = ({ payload }: NetlinkMessage): number => {
  if (payload.byteLength < 4) throw new EbpfError('MALFORMED', 'netlink: an acknowledgement without a result')
  return payload.getInt32(netlinkError.error, true)
}
