/**
 * What the thread that may change its network namespace does for others: a closed set of requests, plain data both
 * ways.
 */
export interface NetnsRequests {
  'destroy-sockets': { readonly request: readonly SocketToDestroy[]; readonly answer: DestroyedSockets }
  'source-addresses': { readonly request: SourceAddressRequest; readonly answer: SourceAddresses }
  'open-sockets': { readonly request: readonly SocketToOpen[]; readonly answer: readonly OpenedSocket[] }
}

export type NetnsRequestKind = keyof NetnsRequests

/** A connected socket anywhere on this machine: a `stale_socket` row of the iterator fits. */
export interface SocketToDestroy {
  /** Inode number of its network namespace. */
  readonly netns: number
  /** A process that was in that namespace: tried first. 0 = unknown. */
  readonly tgid: number
  /** AF_INET or AF_INET6: of the socket. */
  readonly family: number
  /** IPPROTO_TCP or IPPROTO_UDP. */
  readonly proto: number
  /** 16 bytes, IPv4 in mapped form (also for AF_INET). */
  readonly localAddr: Uint8Array
  readonly remoteAddr: Uint8Array
  readonly localPort: number
  readonly remotePort: number
  readonly cookie: bigint
  /** The device that the socket is bound to with SO_BINDTODEVICE; 0 or absent = none. */
  readonly ifindex?: number
}

/** What became of sockets to destroy. The four add up to the rows. */
export interface DestroyedSockets {
  readonly destroyed: number
  /** Closed, reconnected or destroyed before. */
  readonly gone: number
  /** No process and none of the known directories holds the namespace. */
  readonly netnsNotFound: number
  readonly failed: number
  /** Why the failed ones failed: message -> how many. At most 16 messages. */
  readonly reasons: Readonly<Record<string, number>>
}

/** Which address sockets have as source in network namespaces, when they are not bound to one. */
export interface SourceAddressRequest {
  /** undefined: all that a process or one of the known directories holds. */
  readonly namespaces?: ReadonlyArray<{
    /** Inode number. */
    readonly inode: number
    /** A process that is likely to be in it: tried first. 0 = unknown. */
    readonly tgid: number
  }>
  /**
   * Where to: of each family the first that there is a way to, out of the namespace. One that is the namespace's own
   * tells nothing of the others.
   */
  readonly destinations: readonly string[]
  /** How many namespaces to look at; those with the lowest inode numbers are. */
  readonly max: number
}

export interface NamespaceSources {
  readonly inode: number
  /** undefined before Linux 5.14. */
  readonly cookie: bigint | undefined
  /** 4 bytes; undefined: there is no way to any of the destinations. */
  readonly source4: Uint8Array | undefined
  /** 16 bytes. */
  readonly source6: Uint8Array | undefined
}

export interface SourceAddresses {
  readonly found: readonly NamespaceSources[]
  /** Inode numbers of those that could not be looked into, and why. */
  readonly failed: ReadonlyMap<number, string>
  /** Inode numbers of those asked for that no process and none of the known directories holds. */
  readonly notFound: readonly number[]
  /** How many more there are than `max`. */
  readonly leftOut: number
  readonly tookMs: number
}

/** A network namespace: by a file such as /run/netns/x, of a process, by its inode number, or the thread's own. */
export type NetnsTarget =
  | { readonly path: string }
  | { readonly pid: number }
  | { readonly inode: number }
  | 'own'

export interface SocketToOpen {
  readonly netns: NetnsTarget
  readonly protocol: 'TCP' | 'UDP'
  /** IPv4 or IPv6; an IPv6 socket takes IPv6 only. */
  readonly address: string
  /** 0 = any free one. */
  readonly port: number
  /** TCP, default 4096. */
  readonly backlog?: number
}

/**
 * A bound socket, TCP listening: the descriptor belongs to whoever asked, for `net.Server.listen({ fd })` or
 * `dgram.Socket.bind({ fd })`. Or why there is none: the errno's name where there is one.
 */
export type OpenedSocket =
  | { readonly fd: number; readonly port: number }
  | { readonly error: string; readonly message: string }
