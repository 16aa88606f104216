/** Commands of bpf(2), enum bpf_cmd. */
export const Command = {
  MAP_CREATE: 0,
  MAP_LOOKUP_ELEM: 1,
  MAP_UPDATE_ELEM: 2,
  MAP_DELETE_ELEM: 3,
  MAP_GET_NEXT_KEY: 4,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_TEST_RUN: 10,
  PROG_GET_FD_BY_ID: 13,
  MAP_GET_FD_BY_ID: 14,
  OBJ_GET_INFO_BY_FD: 15,
  PROG_QUERY: 16,
  BTF_LOAD: 18,
  BTF_GET_FD_BY_ID: 19,
  MAP_LOOKUP_BATCH: 24,
  MAP_UPDATE_BATCH: 26,
  MAP_DELETE_BATCH: 27,
  LINK_CREATE: 28,
  LINK_UPDATE: 29,
  LINK_GET_FD_BY_ID: 30,
  ENABLE_STATS: 32,
  ITER_CREATE: 33,
  LINK_DETACH: 34,
} as const
export type Command = (typeof Command)[keyof typeof Command]

/** enum bpf_map_type, BPF_MAP_TYPE_*: the types that this package has an interface for. */
export const MapType = {
  HASH: 1,
  ARRAY: 2,
  PERCPU_HASH: 5,
  PERCPU_ARRAY: 6,
  LRU_HASH: 9,
  LRU_PERCPU_HASH: 10,
  LPM_TRIE: 11,
  ARRAY_OF_MAPS: 12,
  SK_STORAGE: 24,
  RINGBUF: 27,
} as const
export type MapType = (typeof MapType)[keyof typeof MapType]

/** BPF_F_* of map creation. */
export const MapFlag = {
  NO_PREALLOC: 1 << 0,
  RDONLY_PROG: 1 << 7,
  MMAPABLE: 1 << 10,
} as const

/** enum bpf_prog_type, BPF_PROG_TYPE_*. */
export const ProgramType = {
  SOCKET_FILTER: 1,
  SCHED_CLS: 3,
  XDP: 6,
  CGROUP_SKB: 8,
  CGROUP_SOCK: 9,
  CGROUP_SOCK_ADDR: 18,
  CGROUP_SOCKOPT: 25,
  TRACING: 26,
  SYSCALL: 31,
} as const
export type ProgramType = (typeof ProgramType)[keyof typeof ProgramType]

/** enum bpf_attach_type, without BPF_: what the hooks of a cgroup are called, and iterators. */
export const AttachType = {
  CGROUP_INET_INGRESS: 0,
  CGROUP_INET_EGRESS: 1,
  CGROUP_INET_SOCK_CREATE: 2,
  CGROUP_INET4_BIND: 8,
  CGROUP_INET6_BIND: 9,
  CGROUP_INET4_CONNECT: 10,
  CGROUP_INET6_CONNECT: 11,
  CGROUP_INET4_POST_BIND: 12,
  CGROUP_INET6_POST_BIND: 13,
  CGROUP_UDP4_SENDMSG: 14,
  CGROUP_UDP6_SENDMSG: 15,
  CGROUP_UDP4_RECVMSG: 19,
  CGROUP_UDP6_RECVMSG: 20,
  TRACE_ITER: 28,
  CGROUP_INET4_GETPEERNAME: 29,
  CGROUP_INET6_GETPEERNAME: 30,
  CGROUP_INET_SOCK_RELEASE: 34,
} as const
export type AttachType = (typeof AttachType)[keyof typeof AttachType]

/** enum bpf_link_type, BPF_LINK_TYPE_*. */
export const LinkType = {
  CGROUP: 3,
  ITER: 4,
  NETNS: 5,
  XDP: 6,
} as const

/** The name of a number in one of the tables above: `LRU_HASH` for 9; `type 99` for what it does not list. */
export const enumName = (table: Readonly<Record<string, number>>, value: number, kind = 'type'): string =>
  Object.entries(table).find(([, number]) => number === value)?.[0] ?? `${kind} ${value}`
