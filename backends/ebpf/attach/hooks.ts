import { AttachType } from '@kpng/ebpf'

export interface Hook {
  /** Of the program and of the link's pin. */
  readonly name: string
  readonly attachType: AttachType
}

/**
 * Every hook of the socket datapath in the order in which a new generation takes over: readers first, writers
 * last, so that what a new writer records is never shown to an old reader.
 */
export const hooks: readonly Hook[] = [
  { name: 'getpeername4', attachType: AttachType.CGROUP_INET4_GETPEERNAME },
  { name: 'getpeername6', attachType: AttachType.CGROUP_INET6_GETPEERNAME },
  { name: 'recvmsg4', attachType: AttachType.CGROUP_UDP4_RECVMSG },
  { name: 'recvmsg6', attachType: AttachType.CGROUP_UDP6_RECVMSG },
  { name: 'sock_release', attachType: AttachType.CGROUP_INET_SOCK_RELEASE },
  { name: 'sendmsg4', attachType: AttachType.CGROUP_UDP4_SENDMSG },
  { name: 'sendmsg6', attachType: AttachType.CGROUP_UDP6_SENDMSG },
  { name: 'connect4', attachType: AttachType.CGROUP_INET4_CONNECT },
  { name: 'connect6', attachType: AttachType.CGROUP_INET6_CONNECT },
]

/** Only with --protect-node-ports. */
export const bindHooks: readonly Hook[] = [
  { name: 'post_bind4', attachType: AttachType.CGROUP_INET4_POST_BIND },
  { name: 'post_bind6', attachType: AttachType.CGROUP_INET6_POST_BIND },
]

export const allHooks: readonly Hook[] = [...hooks, ...bindHooks]

/** What is attached, and so what is worth loading. */
export const wantedHooks = (options: { readonly protectNodePorts: boolean }): readonly Hook[] =>
  options.protectNodePorts ? allHooks : hooks
