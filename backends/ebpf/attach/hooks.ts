/**
 * Every hook of the socket datapath in the order in which a new generation takes over: readers first, writers
 * last, so that what a new writer records is never shown to an old reader.
 */
export const hooks = [
  { name: 'getpeername4', attachType: 'cgroup_inet4_getpeername' },
  { name: 'getpeername6', attachType: 'cgroup_inet6_getpeername' },
  { name: 'recvmsg4', attachType: 'cgroup_udp4_recvmsg' },
  { name: 'recvmsg6', attachType: 'cgroup_udp6_recvmsg' },
  { name: 'sock_release', attachType: 'cgroup_inet_sock_release' },
  { name: 'sendmsg4', attachType: 'cgroup_udp4_sendmsg' },
  { name: 'sendmsg6', attachType: 'cgroup_udp6_sendmsg' },
  { name: 'connect4', attachType: 'cgroup_inet4_connect' },
  { name: 'connect6', attachType: 'cgroup_inet6_connect' },
] as const

/** Only with --protect-node-ports. */
export const bindHooks = [
  { name: 'post_bind4', attachType: 'cgroup_inet4_post_bind' },
  { name: 'post_bind6', attachType: 'cgroup_inet6_post_bind' },
] as const

export type Hook = (typeof hooks | typeof bindHooks)[number]
