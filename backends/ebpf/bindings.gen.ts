// Made by bpf2ts. Do not edit.

import {
  array,
  be16,
  be32,
  bool,
  bytes,
  i32,
  MapFlag,
  MapType,
  type StructCodec,
  text,
  u8,
  u16,
  u32,
  u64,
  zero,
} from '@kpng/ebpf'

const bytes16 = bytes(16)
const text64 = text(64)

/** enum addr_flag, ADDR_*. */
export const AddrFlag = {
  CLUSTER_IP: 1,
  EXTERNAL: 2,
  NODE: 4,
} as const
export type AddrFlag = (typeof AddrFlag)[keyof typeof AddrFlag]

/** enum algorithm, ALGORITHM_*. */
export const Algorithm = {
  RANDOM: 0,
  WEIGHTED: 1,
  MAGLEV: 2,
  LEAST_CONNECTION: 3,
} as const
export type Algorithm = (typeof Algorithm)[keyof typeof Algorithm]

/** enum cfg_flag, CFG_*. */
export const CfgFlag = {
  OUTSIDE: 1,
} as const
export type CfgFlag = (typeof CfgFlag)[keyof typeof CfgFlag]

/** enum hook, HOOK_*. */
export const Hook = {
  CONNECT: 0,
  SENDMSG: 1,
  POST_BIND: 2,
} as const
export type Hook = (typeof Hook)[keyof typeof Hook]

/** enum netns_flag, NETNS_*. */
export const NetnsFlag = {
  SOURCE4: 1,
  SOURCE6: 2,
} as const
export type NetnsFlag = (typeof NetnsFlag)[keyof typeof NetnsFlag]

/** enum reason, REASON_*. */
export const Reason = {
  NOT_A_SERVICE: 0,
  TRANSLATED: 1,
  NO_ENDPOINTS: 2,
  NO_LOCAL_ENDPOINTS: 3,
  UNKNOWN_PORT: 4,
  UNALLOCATED: 5,
  LIST_BUSY: 6,
  RECORD_FAILED_TCP: 7,
  RECORD_FAILED_UDP: 8,
  PORT_PROTECTED: 9,
  EVENT_LOST: 10,
  SOURCE_BLOCKED: 11,
  SOURCE_UNKNOWN: 12,
  RECORD_UNKNOWN: 13,
  MAX: 14,
} as const
export type Reason = (typeof Reason)[keyof typeof Reason]

/** enum rsk_kind, RSK_BY_*. */
export const RskKind = {
  VIP: 0,
  BACKEND: 1,
} as const
export type RskKind = (typeof RskKind)[keyof typeof RskKind]

/** enum scope, SCOPE_*. */
export const Scope = {
  INSIDE: 0,
  OUTSIDE: 1,
} as const
export type Scope = (typeof Scope)[keyof typeof Scope]

/** enum sk_tcp_flag, SK_TCP_*. */
export const SkTcpFlag = {
  USED: 1,
  OPEN: 2,
} as const
export type SkTcpFlag = (typeof SkTcpFlag)[keyof typeof SkTcpFlag]

/** enum sk_udp_flag, SK_UDP_*. */
export const SkUdpFlag = {
  OVERFLOW: 1,
} as const
export type SkUdpFlag = (typeof SkUdpFlag)[keyof typeof SkUdpFlag]

/** enum svc_flag, SVC_*. */
export const SvcFlag = {
  SOURCE_RANGES: 1,
} as const
export type SvcFlag = (typeof SvcFlag)[keyof typeof SvcFlag]

/** enum udp_flow_flag, UDP_FLOW_*. */
export const UdpFlowFlag = {
  USED: 1,
  OPEN: 2,
  SHARED: 4,
  DIRECT: 8,
} as const
export type UdpFlowFlag = (typeof UdpFlowFlag)[keyof typeof UdpFlowFlag]

/** enum version. */
export const Version = {
  LAYOUT_VERSION: 1,
  RECORD_VERSION: 1,
  RECORD_OLDEST: 1,
  RECORD_NEWEST: 1,
} as const
export type Version = (typeof Version)[keyof typeof Version]

/** struct addr_value, 4 bytes. */
export interface AddrValue {
  readonly flags: number
}

export const addrValue: StructCodec<AddrValue> = {
  name: 'addr_value',
  size: 4,
  offsets: {
    flags: 0,
  },
  encode(value, into, offset) {
    u32.encode(value.flags, into, offset)
  },
  decode(from, offset) {
    return {
      flags: u32.decode(from, offset),
    }
  },
}

/** struct affinity_key, 24 bytes. */
export interface AffinityKey {
  readonly client: Uint8Array
  readonly servicePort: number
  readonly kind: number
  readonly family: number
}

export const affinityKey: StructCodec<AffinityKey> = {
  name: 'affinity_key',
  size: 24,
  offsets: {
    client: 0,
    servicePort: 16,
    kind: 20,
    family: 21,
  },
  encode(value, into, offset) {
    zero(into, offset + 22, 2)
    bytes16.encode(value.client, into, offset)
    u32.encode(value.servicePort, into, offset + 16)
    u8.encode(value.kind, into, offset + 20)
    u8.encode(value.family, into, offset + 21)
  },
  decode(from, offset) {
    return {
      client: bytes16.decode(from, offset),
      servicePort: u32.decode(from, offset + 16),
      kind: u8.decode(from, offset + 20),
      family: u8.decode(from, offset + 21),
    }
  },
}

/** struct affinity_value, 16 bytes. */
export interface AffinityValue {
  readonly lastUsedNs: bigint
  readonly backend: number
  readonly generation: number
  readonly version: number
}

export const affinityValue: StructCodec<AffinityValue> = {
  name: 'affinity_value',
  size: 16,
  offsets: {
    lastUsedNs: 0,
    backend: 8,
    generation: 12,
    version: 14,
  },
  encode(value, into, offset) {
    zero(into, offset + 15, 1)
    u64.encode(value.lastUsedNs, into, offset)
    u32.encode(value.backend, into, offset + 8)
    u16.encode(value.generation, into, offset + 12)
    u8.encode(value.version, into, offset + 14)
  },
  decode(from, offset) {
    return {
      lastUsedNs: u64.decode(from, offset),
      backend: u32.decode(from, offset + 8),
      generation: u16.decode(from, offset + 12),
      version: u8.decode(from, offset + 14),
    }
  },
}

/** struct backend4, 24 bytes. */
export interface Backend4 {
  readonly addr: number
  readonly port: number
  readonly weight: number
  readonly id: number
  readonly list: number
  readonly generation: number
  readonly flags: number
}

export const backend4: StructCodec<Backend4> = {
  name: 'backend4',
  size: 24,
  offsets: {
    addr: 0,
    port: 4,
    weight: 6,
    id: 8,
    list: 12,
    generation: 16,
    flags: 18,
  },
  encode(value, into, offset) {
    zero(into, offset + 20, 4)
    be32.encode(value.addr, into, offset)
    be16.encode(value.port, into, offset + 4)
    u16.encode(value.weight, into, offset + 6)
    u32.encode(value.id, into, offset + 8)
    u32.encode(value.list, into, offset + 12)
    u16.encode(value.generation, into, offset + 16)
    u16.encode(value.flags, into, offset + 18)
  },
  decode(from, offset) {
    return {
      addr: be32.decode(from, offset),
      port: be16.decode(from, offset + 4),
      weight: u16.decode(from, offset + 6),
      id: u32.decode(from, offset + 8),
      list: u32.decode(from, offset + 12),
      generation: u16.decode(from, offset + 16),
      flags: u16.decode(from, offset + 18),
    }
  },
}

/** struct backend6, 32 bytes. */
export interface Backend6 {
  readonly addr: Uint8Array
  readonly port: number
  readonly weight: number
  readonly id: number
  readonly list: number
  readonly generation: number
  readonly flags: number
}

export const backend6: StructCodec<Backend6> = {
  name: 'backend6',
  size: 32,
  offsets: {
    addr: 0,
    port: 16,
    weight: 18,
    id: 20,
    list: 24,
    generation: 28,
    flags: 30,
  },
  encode(value, into, offset) {
    bytes16.encode(value.addr, into, offset)
    be16.encode(value.port, into, offset + 16)
    u16.encode(value.weight, into, offset + 18)
    u32.encode(value.id, into, offset + 20)
    u32.encode(value.list, into, offset + 24)
    u16.encode(value.generation, into, offset + 28)
    u16.encode(value.flags, into, offset + 30)
  },
  decode(from, offset) {
    return {
      addr: bytes16.decode(from, offset),
      port: be16.decode(from, offset + 16),
      weight: u16.decode(from, offset + 18),
      id: u32.decode(from, offset + 20),
      list: u32.decode(from, offset + 24),
      generation: u16.decode(from, offset + 28),
      flags: u16.decode(from, offset + 30),
    }
  },
}

/** struct backend_count, 32 bytes. */
export interface BackendCount {
  readonly connections: bigint
  readonly datagrams: bigint
  readonly open: bigint
  readonly failures: bigint
}

export const backendCount: StructCodec<BackendCount> = {
  name: 'backend_count',
  size: 32,
  offsets: {
    connections: 0,
    datagrams: 8,
    open: 16,
    failures: 24,
  },
  encode(value, into, offset) {
    u64.encode(value.connections, into, offset)
    u64.encode(value.datagrams, into, offset + 8)
    u64.encode(value.open, into, offset + 16)
    u64.encode(value.failures, into, offset + 24)
  },
  decode(from, offset) {
    return {
      connections: u64.decode(from, offset),
      datagrams: u64.decode(from, offset + 8),
      open: u64.decode(from, offset + 16),
      failures: u64.decode(from, offset + 24),
    }
  },
}

/** struct cidr4, 8 bytes. */
export interface Cidr4 {
  readonly addr: number
  readonly mask: number
}

export const cidr4: StructCodec<Cidr4> = {
  name: 'cidr4',
  size: 8,
  offsets: {
    addr: 0,
    mask: 4,
  },
  encode(value, into, offset) {
    be32.encode(value.addr, into, offset)
    be32.encode(value.mask, into, offset + 4)
  },
  decode(from, offset) {
    return {
      addr: be32.decode(from, offset),
      mask: be32.decode(from, offset + 4),
    }
  },
}

/** struct cidr6, 32 bytes. */
export interface Cidr6 {
  readonly addr: Uint8Array
  readonly mask: Uint8Array
}

export const cidr6: StructCodec<Cidr6> = {
  name: 'cidr6',
  size: 32,
  offsets: {
    addr: 0,
    mask: 16,
  },
  encode(value, into, offset) {
    bytes16.encode(value.addr, into, offset)
    bytes16.encode(value.mask, into, offset + 16)
  },
  decode(from, offset) {
    return {
      addr: bytes16.decode(from, offset),
      mask: bytes16.decode(from, offset + 16),
    }
  },
}

const cidr4X8 = array(cidr4, 8)
const cidr6X8 = array(cidr6, 8)

/** struct cfg, 328 bytes. */
export interface Cfg {
  readonly cidr4Count: number
  readonly cidr6Count: number
  readonly flags: number
  readonly cidr4: readonly Cidr4[]
  readonly cidr6: readonly Cidr6[]
}

export const cfg: StructCodec<Cfg> = {
  name: 'cfg',
  size: 328,
  offsets: {
    cidr4Count: 0,
    cidr6Count: 2,
    flags: 4,
    cidr4: 8,
    cidr6: 72,
  },
  encode(value, into, offset) {
    u16.encode(value.cidr4Count, into, offset)
    u16.encode(value.cidr6Count, into, offset + 2)
    u32.encode(value.flags, into, offset + 4)
    cidr4X8.encode(value.cidr4, into, offset + 8)
    cidr6X8.encode(value.cidr6, into, offset + 72)
  },
  decode(from, offset) {
    return {
      cidr4Count: u16.decode(from, offset),
      cidr6Count: u16.decode(from, offset + 2),
      flags: u32.decode(from, offset + 4),
      cidr4: cidr4X8.decode(from, offset + 8),
      cidr6: cidr6X8.decode(from, offset + 72),
    }
  },
}

/** struct dead_key, 8 bytes. */
export interface DeadKey {
  readonly backend: number
  readonly generation: number
}

export const deadKey: StructCodec<DeadKey> = {
  name: 'dead_key',
  size: 8,
  offsets: {
    backend: 0,
    generation: 4,
  },
  encode(value, into, offset) {
    zero(into, offset + 6, 2)
    u32.encode(value.backend, into, offset)
    u16.encode(value.generation, into, offset + 4)
  },
  decode(from, offset) {
    return {
      backend: u32.decode(from, offset),
      generation: u16.decode(from, offset + 4),
    }
  },
}

/** struct event, 64 bytes. */
export interface Event {
  readonly timeNs: bigint
  readonly cookie: bigint
  readonly vip: Uint8Array
  readonly backendAddr: Uint8Array
  readonly vipPort: number
  readonly backendPort: number
  readonly servicePort: number
  readonly tgid: number
  readonly proto: number
  readonly hook: number
  readonly reason: number
  readonly family: number
}

export const event: StructCodec<Event> = {
  name: 'event',
  size: 64,
  offsets: {
    timeNs: 0,
    cookie: 8,
    vip: 16,
    backendAddr: 32,
    vipPort: 48,
    backendPort: 50,
    servicePort: 52,
    tgid: 56,
    proto: 60,
    hook: 61,
    reason: 62,
    family: 63,
  },
  encode(value, into, offset) {
    u64.encode(value.timeNs, into, offset)
    u64.encode(value.cookie, into, offset + 8)
    bytes16.encode(value.vip, into, offset + 16)
    bytes16.encode(value.backendAddr, into, offset + 32)
    be16.encode(value.vipPort, into, offset + 48)
    be16.encode(value.backendPort, into, offset + 50)
    u32.encode(value.servicePort, into, offset + 52)
    u32.encode(value.tgid, into, offset + 56)
    u8.encode(value.proto, into, offset + 60)
    u8.encode(value.hook, into, offset + 61)
    u8.encode(value.reason, into, offset + 62)
    u8.encode(value.family, into, offset + 63)
  },
  decode(from, offset) {
    return {
      timeNs: u64.decode(from, offset),
      cookie: u64.decode(from, offset + 8),
      vip: bytes16.decode(from, offset + 16),
      backendAddr: bytes16.decode(from, offset + 32),
      vipPort: be16.decode(from, offset + 48),
      backendPort: be16.decode(from, offset + 50),
      servicePort: u32.decode(from, offset + 52),
      tgid: u32.decode(from, offset + 56),
      proto: u8.decode(from, offset + 60),
      hook: u8.decode(from, offset + 61),
      reason: u8.decode(from, offset + 62),
      family: u8.decode(from, offset + 63),
    }
  },
}

/** struct list_entry, 8 bytes. */
export interface ListEntry {
  readonly base: number
  readonly count: number
}

export const listEntry: StructCodec<ListEntry> = {
  name: 'list_entry',
  size: 8,
  offsets: {
    base: 0,
    count: 4,
  },
  encode(value, into, offset) {
    u32.encode(value.base, into, offset)
    u32.encode(value.count, into, offset + 4)
  },
  decode(from, offset) {
    return {
      base: u32.decode(from, offset),
      count: u32.decode(from, offset + 4),
    }
  },
}

/** struct netns_missing, 8 bytes. */
export interface NetnsMissing {
  readonly inode: number
  readonly tgid: number
}

export const netnsMissing: StructCodec<NetnsMissing> = {
  name: 'netns_missing',
  size: 8,
  offsets: {
    inode: 0,
    tgid: 4,
  },
  encode(value, into, offset) {
    u32.encode(value.inode, into, offset)
    u32.encode(value.tgid, into, offset + 4)
  },
  decode(from, offset) {
    return {
      inode: u32.decode(from, offset),
      tgid: u32.decode(from, offset + 4),
    }
  },
}

/** struct netns_value, 48 bytes. */
export interface NetnsValue {
  readonly version: number
  readonly flags: number
  readonly inode: number
  readonly source4: number
  readonly source6: Uint8Array
}

export const netnsValue: StructCodec<NetnsValue> = {
  name: 'netns_value',
  size: 48,
  offsets: {
    version: 0,
    flags: 1,
    inode: 4,
    source4: 8,
    source6: 16,
  },
  encode(value, into, offset) {
    zero(into, offset + 2, 2)
    zero(into, offset + 12, 4)
    zero(into, offset + 32, 16)
    u8.encode(value.version, into, offset)
    u8.encode(value.flags, into, offset + 1)
    u32.encode(value.inode, into, offset + 4)
    be32.encode(value.source4, into, offset + 8)
    bytes16.encode(value.source6, into, offset + 16)
  },
  decode(from, offset) {
    return {
      version: u8.decode(from, offset),
      flags: u8.decode(from, offset + 1),
      inode: u32.decode(from, offset + 4),
      source4: be32.decode(from, offset + 8),
      source6: bytes16.decode(from, offset + 16),
    }
  },
}

/** struct record_row, 32 bytes. */
export interface RecordRow {
  readonly backend: number
  readonly generation: number
  readonly backendPort: number
  readonly servicePort: number
  readonly proto: number
  readonly connected: number
  readonly backendAddr: Uint8Array
}

export const recordRow: StructCodec<RecordRow> = {
  name: 'record_row',
  size: 32,
  offsets: {
    backend: 0,
    generation: 4,
    backendPort: 6,
    servicePort: 8,
    proto: 12,
    connected: 13,
    backendAddr: 16,
  },
  encode(value, into, offset) {
    zero(into, offset + 14, 2)
    u32.encode(value.backend, into, offset)
    u16.encode(value.generation, into, offset + 4)
    be16.encode(value.backendPort, into, offset + 6)
    u32.encode(value.servicePort, into, offset + 8)
    u8.encode(value.proto, into, offset + 12)
    u8.encode(value.connected, into, offset + 13)
    bytes16.encode(value.backendAddr, into, offset + 16)
  },
  decode(from, offset) {
    return {
      backend: u32.decode(from, offset),
      generation: u16.decode(from, offset + 4),
      backendPort: be16.decode(from, offset + 6),
      servicePort: u32.decode(from, offset + 8),
      proto: u8.decode(from, offset + 12),
      connected: u8.decode(from, offset + 13),
      backendAddr: bytes16.decode(from, offset + 16),
    }
  },
}

/** struct rsk_key, 32 bytes. */
export interface RskKey {
  readonly cookie: bigint
  readonly addr: Uint8Array
  readonly port: number
  readonly kind: number
}

export const rskKey: StructCodec<RskKey> = {
  name: 'rsk_key',
  size: 32,
  offsets: {
    cookie: 0,
    addr: 8,
    port: 24,
    kind: 26,
  },
  encode(value, into, offset) {
    zero(into, offset + 27, 5)
    u64.encode(value.cookie, into, offset)
    bytes16.encode(value.addr, into, offset + 8)
    be16.encode(value.port, into, offset + 24)
    u8.encode(value.kind, into, offset + 26)
  },
  decode(from, offset) {
    return {
      cookie: u64.decode(from, offset),
      addr: bytes16.decode(from, offset + 8),
      port: be16.decode(from, offset + 24),
      kind: u8.decode(from, offset + 26),
    }
  },
}

/** struct select_test, 104 bytes. */
export interface SelectTest {
  readonly vip: Uint8Array
  readonly backendAddr: Uint8Array
  readonly client: bigint
  readonly nowNs: bigint
  readonly random: number
  readonly servicePort: number
  readonly backend: number
  readonly vipPort: number
  readonly backendPort: number
  readonly generation: number
  readonly proto: number
  readonly reason: number
  readonly count: number
  readonly source: Uint8Array
}

export const selectTest: StructCodec<SelectTest> = {
  name: 'select_test',
  size: 104,
  offsets: {
    vip: 16,
    backendAddr: 32,
    client: 48,
    nowNs: 56,
    random: 64,
    servicePort: 68,
    backend: 72,
    vipPort: 76,
    backendPort: 78,
    generation: 80,
    proto: 82,
    reason: 83,
    count: 84,
    source: 88,
  },
  encode(value, into, offset) {
    zero(into, offset, 16)
    zero(into, offset + 85, 3)
    bytes16.encode(value.vip, into, offset + 16)
    bytes16.encode(value.backendAddr, into, offset + 32)
    u64.encode(value.client, into, offset + 48)
    u64.encode(value.nowNs, into, offset + 56)
    u32.encode(value.random, into, offset + 64)
    u32.encode(value.servicePort, into, offset + 68)
    u32.encode(value.backend, into, offset + 72)
    be16.encode(value.vipPort, into, offset + 76)
    be16.encode(value.backendPort, into, offset + 78)
    u16.encode(value.generation, into, offset + 80)
    u8.encode(value.proto, into, offset + 82)
    u8.encode(value.reason, into, offset + 83)
    u8.encode(value.count, into, offset + 84)
    bytes16.encode(value.source, into, offset + 88)
  },
  decode(from, offset) {
    return {
      vip: bytes16.decode(from, offset + 16),
      backendAddr: bytes16.decode(from, offset + 32),
      client: u64.decode(from, offset + 48),
      nowNs: u64.decode(from, offset + 56),
      random: u32.decode(from, offset + 64),
      servicePort: u32.decode(from, offset + 68),
      backend: u32.decode(from, offset + 72),
      vipPort: be16.decode(from, offset + 76),
      backendPort: be16.decode(from, offset + 78),
      generation: u16.decode(from, offset + 80),
      proto: u8.decode(from, offset + 82),
      reason: u8.decode(from, offset + 83),
      count: u8.decode(from, offset + 84),
      source: bytes16.decode(from, offset + 88),
    }
  },
}

/** struct service_count, 32 bytes. */
export interface ServiceCount {
  readonly connections: bigint
  readonly datagrams: bigint
  readonly refused: bigint
  readonly unreachable: bigint
}

export const serviceCount: StructCodec<ServiceCount> = {
  name: 'service_count',
  size: 32,
  offsets: {
    connections: 0,
    datagrams: 8,
    refused: 16,
    unreachable: 24,
  },
  encode(value, into, offset) {
    u64.encode(value.connections, into, offset)
    u64.encode(value.datagrams, into, offset + 8)
    u64.encode(value.refused, into, offset + 16)
    u64.encode(value.unreachable, into, offset + 24)
  },
  decode(from, offset) {
    return {
      connections: u64.decode(from, offset),
      datagrams: u64.decode(from, offset + 8),
      refused: u64.decode(from, offset + 16),
      unreachable: u64.decode(from, offset + 24),
    }
  },
}

/** struct service_name, 200 bytes. */
export interface ServiceName {
  readonly namespace: string
  readonly name: string
  readonly port: string
  readonly proto: number
}

export const serviceName: StructCodec<ServiceName> = {
  name: 'service_name',
  size: 200,
  offsets: {
    namespace: 0,
    name: 64,
    port: 128,
    proto: 192,
  },
  encode(value, into, offset) {
    zero(into, offset + 193, 7)
    text64.encode(value.namespace, into, offset)
    text64.encode(value.name, into, offset + 64)
    text64.encode(value.port, into, offset + 128)
    u8.encode(value.proto, into, offset + 192)
  },
  decode(from, offset) {
    return {
      namespace: text64.decode(from, offset),
      name: text64.decode(from, offset + 64),
      port: text64.decode(from, offset + 128),
      proto: u8.decode(from, offset + 192),
    }
  },
}

/** struct sk_tcp, 72 bytes. */
export interface SkTcp {
  readonly version: number
  readonly flags: number
  readonly vipPort: number
  readonly backendPort: number
  readonly generation: number
  readonly backend: number
  readonly servicePort: number
  readonly vip: Uint8Array
  readonly backendAddr: Uint8Array
  readonly tgid: number
}

export const skTcp: StructCodec<SkTcp> = {
  name: 'sk_tcp',
  size: 72,
  offsets: {
    version: 0,
    flags: 1,
    vipPort: 2,
    backendPort: 4,
    generation: 6,
    backend: 8,
    servicePort: 12,
    vip: 16,
    backendAddr: 32,
    tgid: 48,
  },
  encode(value, into, offset) {
    zero(into, offset + 52, 20)
    u8.encode(value.version, into, offset)
    u8.encode(value.flags, into, offset + 1)
    be16.encode(value.vipPort, into, offset + 2)
    be16.encode(value.backendPort, into, offset + 4)
    u16.encode(value.generation, into, offset + 6)
    u32.encode(value.backend, into, offset + 8)
    u32.encode(value.servicePort, into, offset + 12)
    bytes16.encode(value.vip, into, offset + 16)
    bytes16.encode(value.backendAddr, into, offset + 32)
    u32.encode(value.tgid, into, offset + 48)
  },
  decode(from, offset) {
    return {
      version: u8.decode(from, offset),
      flags: u8.decode(from, offset + 1),
      vipPort: be16.decode(from, offset + 2),
      backendPort: be16.decode(from, offset + 4),
      generation: u16.decode(from, offset + 6),
      backend: u32.decode(from, offset + 8),
      servicePort: u32.decode(from, offset + 12),
      vip: bytes16.decode(from, offset + 16),
      backendAddr: bytes16.decode(from, offset + 32),
      tgid: u32.decode(from, offset + 48),
    }
  },
}

/** struct udp_flow, 64 bytes. */
export interface UdpFlow {
  readonly vip: Uint8Array
  readonly backendAddr: Uint8Array
  readonly vipPort: number
  readonly backendPort: number
  readonly backend: number
  readonly servicePort: number
  readonly generation: number
  readonly flags: number
  readonly lastUsedNs: bigint
  readonly hint: number
}

export const udpFlow: StructCodec<UdpFlow> = {
  name: 'udp_flow',
  size: 64,
  offsets: {
    vip: 0,
    backendAddr: 16,
    vipPort: 32,
    backendPort: 34,
    backend: 36,
    servicePort: 40,
    generation: 44,
    flags: 46,
    lastUsedNs: 48,
    hint: 56,
  },
  encode(value, into, offset) {
    zero(into, offset + 60, 4)
    bytes16.encode(value.vip, into, offset)
    bytes16.encode(value.backendAddr, into, offset + 16)
    be16.encode(value.vipPort, into, offset + 32)
    be16.encode(value.backendPort, into, offset + 34)
    u32.encode(value.backend, into, offset + 36)
    u32.encode(value.servicePort, into, offset + 40)
    u16.encode(value.generation, into, offset + 44)
    u16.encode(value.flags, into, offset + 46)
    u64.encode(value.lastUsedNs, into, offset + 48)
    u32.encode(value.hint, into, offset + 56)
  },
  decode(from, offset) {
    return {
      vip: bytes16.decode(from, offset),
      backendAddr: bytes16.decode(from, offset + 16),
      vipPort: be16.decode(from, offset + 32),
      backendPort: be16.decode(from, offset + 34),
      backend: u32.decode(from, offset + 36),
      servicePort: u32.decode(from, offset + 40),
      generation: u16.decode(from, offset + 44),
      flags: u16.decode(from, offset + 46),
      lastUsedNs: u64.decode(from, offset + 48),
      hint: u32.decode(from, offset + 56),
    }
  },
}

const udpFlowX4 = array(udpFlow, 4)

/** struct sk_udp, 352 bytes. */
export interface SkUdp {
  readonly version: number
  readonly flags: number
  readonly tgid: number
  readonly connected: UdpFlow
  readonly slot: readonly UdpFlow[]
}

export const skUdp: StructCodec<SkUdp> = {
  name: 'sk_udp',
  size: 352,
  offsets: {
    version: 0,
    flags: 1,
    tgid: 4,
    connected: 8,
    slot: 72,
  },
  encode(value, into, offset) {
    zero(into, offset + 2, 2)
    zero(into, offset + 328, 24)
    u8.encode(value.version, into, offset)
    u8.encode(value.flags, into, offset + 1)
    u32.encode(value.tgid, into, offset + 4)
    udpFlow.encode(value.connected, into, offset + 8)
    udpFlowX4.encode(value.slot, into, offset + 72)
  },
  decode(from, offset) {
    return {
      version: u8.decode(from, offset),
      flags: u8.decode(from, offset + 1),
      tgid: u32.decode(from, offset + 4),
      connected: udpFlow.decode(from, offset + 8),
      slot: udpFlowX4.decode(from, offset + 72),
    }
  },
}

/** struct source4_key, 12 bytes. */
export interface Source4Key {
  readonly prefixLength: number
  readonly servicePort: number
  readonly addr: number
}

export const source4Key: StructCodec<Source4Key> = {
  name: 'source4_key',
  size: 12,
  offsets: {
    prefixLength: 0,
    servicePort: 4,
    addr: 8,
  },
  encode(value, into, offset) {
    u32.encode(value.prefixLength, into, offset)
    u32.encode(value.servicePort, into, offset + 4)
    be32.encode(value.addr, into, offset + 8)
  },
  decode(from, offset) {
    return {
      prefixLength: u32.decode(from, offset),
      servicePort: u32.decode(from, offset + 4),
      addr: be32.decode(from, offset + 8),
    }
  },
}

/** struct source6_key, 24 bytes. */
export interface Source6Key {
  readonly prefixLength: number
  readonly servicePort: number
  readonly addr: Uint8Array
}

export const source6Key: StructCodec<Source6Key> = {
  name: 'source6_key',
  size: 24,
  offsets: {
    prefixLength: 0,
    servicePort: 4,
    addr: 8,
  },
  encode(value, into, offset) {
    u32.encode(value.prefixLength, into, offset)
    u32.encode(value.servicePort, into, offset + 4)
    bytes16.encode(value.addr, into, offset + 8)
  },
  decode(from, offset) {
    return {
      prefixLength: u32.decode(from, offset),
      servicePort: u32.decode(from, offset + 4),
      addr: bytes16.decode(from, offset + 8),
    }
  },
}

/** struct stale_socket, 64 bytes. */
export interface StaleSocket {
  readonly cookie: bigint
  readonly netns: number
  readonly tgid: number
  readonly localAddr: Uint8Array
  readonly remoteAddr: Uint8Array
  readonly localPort: number
  readonly remotePort: number
  readonly family: number
  readonly proto: number
  readonly backend: number
  readonly ifindex: number
}

export const staleSocket: StructCodec<StaleSocket> = {
  name: 'stale_socket',
  size: 64,
  offsets: {
    cookie: 0,
    netns: 8,
    tgid: 12,
    localAddr: 16,
    remoteAddr: 32,
    localPort: 48,
    remotePort: 50,
    family: 52,
    proto: 53,
    backend: 56,
    ifindex: 60,
  },
  encode(value, into, offset) {
    zero(into, offset + 54, 2)
    u64.encode(value.cookie, into, offset)
    u32.encode(value.netns, into, offset + 8)
    u32.encode(value.tgid, into, offset + 12)
    bytes16.encode(value.localAddr, into, offset + 16)
    bytes16.encode(value.remoteAddr, into, offset + 32)
    be16.encode(value.localPort, into, offset + 48)
    be16.encode(value.remotePort, into, offset + 50)
    u8.encode(value.family, into, offset + 52)
    u8.encode(value.proto, into, offset + 53)
    u32.encode(value.backend, into, offset + 56)
    u32.encode(value.ifindex, into, offset + 60)
  },
  decode(from, offset) {
    return {
      cookie: u64.decode(from, offset),
      netns: u32.decode(from, offset + 8),
      tgid: u32.decode(from, offset + 12),
      localAddr: bytes16.decode(from, offset + 16),
      remoteAddr: bytes16.decode(from, offset + 32),
      localPort: be16.decode(from, offset + 48),
      remotePort: be16.decode(from, offset + 50),
      family: u8.decode(from, offset + 52),
      proto: u8.decode(from, offset + 53),
      backend: u32.decode(from, offset + 56),
      ifindex: u32.decode(from, offset + 60),
    }
  },
}

/** struct svc4_key, 8 bytes. */
export interface Svc4Key {
  readonly addr: number
  readonly port: number
  readonly proto: number
  readonly scope: number
}

export const svc4Key: StructCodec<Svc4Key> = {
  name: 'svc4_key',
  size: 8,
  offsets: {
    addr: 0,
    port: 4,
    proto: 6,
    scope: 7,
  },
  encode(value, into, offset) {
    be32.encode(value.addr, into, offset)
    be16.encode(value.port, into, offset + 4)
    u8.encode(value.proto, into, offset + 6)
    u8.encode(value.scope, into, offset + 7)
  },
  decode(from, offset) {
    return {
      addr: be32.decode(from, offset),
      port: be16.decode(from, offset + 4),
      proto: u8.decode(from, offset + 6),
      scope: u8.decode(from, offset + 7),
    }
  },
}

/** struct svc6_key, 20 bytes. */
export interface Svc6Key {
  readonly addr: Uint8Array
  readonly port: number
  readonly proto: number
  readonly scope: number
}

export const svc6Key: StructCodec<Svc6Key> = {
  name: 'svc6_key',
  size: 20,
  offsets: {
    addr: 0,
    port: 16,
    proto: 18,
    scope: 19,
  },
  encode(value, into, offset) {
    bytes16.encode(value.addr, into, offset)
    be16.encode(value.port, into, offset + 16)
    u8.encode(value.proto, into, offset + 18)
    u8.encode(value.scope, into, offset + 19)
  },
  decode(from, offset) {
    return {
      addr: bytes16.decode(from, offset),
      port: be16.decode(from, offset + 16),
      proto: u8.decode(from, offset + 18),
      scope: u8.decode(from, offset + 19),
    }
  },
}

/** struct svc_value, 24 bytes. */
export interface SvcValue {
  readonly list: number
  readonly servicePort: number
  readonly affinityTimeoutS: number
  readonly flags: number
  readonly algorithm: number
  readonly maglev: number
}

export const svcValue: StructCodec<SvcValue> = {
  name: 'svc_value',
  size: 24,
  offsets: {
    list: 0,
    servicePort: 4,
    affinityTimeoutS: 8,
    flags: 12,
    algorithm: 14,
    maglev: 16,
  },
  encode(value, into, offset) {
    zero(into, offset + 15, 1)
    zero(into, offset + 20, 4)
    u32.encode(value.list, into, offset)
    u32.encode(value.servicePort, into, offset + 4)
    u32.encode(value.affinityTimeoutS, into, offset + 8)
    u16.encode(value.flags, into, offset + 12)
    u8.encode(value.algorithm, into, offset + 14)
    u32.encode(value.maglev, into, offset + 16)
  },
  decode(from, offset) {
    return {
      list: u32.decode(from, offset),
      servicePort: u32.decode(from, offset + 4),
      affinityTimeoutS: u32.decode(from, offset + 8),
      flags: u16.decode(from, offset + 12),
      algorithm: u8.decode(from, offset + 14),
      maglev: u32.decode(from, offset + 16),
    }
  },
}

/** Every map of the objects. maxEntries as compiled: loaders set the real ones. */
export const maps = {
  addr4: {
    name: 'addr4',
    type: MapType.HASH,
    key: be32,
    value: addrValue,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  addr6: {
    name: 'addr6',
    type: MapType.HASH,
    key: bytes16,
    value: addrValue,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  affinity: {
    name: 'affinity',
    type: MapType.LRU_HASH,
    key: affinityKey,
    value: affinityValue,
    maxEntries: 1024,
    flags: 0,
  },
  backend4: {
    name: 'backend4',
    type: MapType.ARRAY,
    key: u32,
    value: backend4,
    maxEntries: 1024,
    flags: MapFlag.MMAPABLE,
  },
  backend6: {
    name: 'backend6',
    type: MapType.ARRAY,
    key: u32,
    value: backend6,
    maxEntries: 1024,
    flags: MapFlag.MMAPABLE,
  },
  backendCount: {
    name: 'backend_count',
    type: MapType.ARRAY,
    key: u32,
    value: backendCount,
    maxEntries: 1024,
    flags: MapFlag.MMAPABLE,
  },
  cfg: {
    name: 'cfg',
    type: MapType.ARRAY,
    key: u32,
    value: cfg,
    maxEntries: 1,
    flags: 0,
  },
  dead: {
    name: 'dead',
    type: MapType.HASH,
    key: deadKey,
    value: u8,
    maxEntries: 4096,
    flags: 0,
  },
  event: {
    name: 'event',
    type: MapType.RINGBUF,
    maxEntries: 262144,
    flags: 0,
  },
  list: {
    name: 'list',
    type: MapType.ARRAY,
    key: u32,
    value: listEntry,
    maxEntries: 1024,
    flags: MapFlag.MMAPABLE,
  },
  netns: {
    name: 'netns',
    type: MapType.HASH,
    key: u64,
    value: netnsValue,
    maxEntries: 4096,
    flags: MapFlag.NO_PREALLOC,
  },
  netnsMissing: {
    name: 'netns_missing',
    type: MapType.HASH,
    key: u64,
    value: netnsMissing,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  outside: {
    name: 'outside',
    type: MapType.ARRAY,
    key: u32,
    value: u64,
    maxEntries: 64,
    flags: MapFlag.MMAPABLE,
  },
  reasonCount: {
    name: 'reason_count',
    type: MapType.PERCPU_ARRAY,
    key: u32,
    value: u64,
    maxEntries: 14,
    flags: 0,
  },
  reasonCountBefore: {
    name: 'reason_count_before',
    type: MapType.PERCPU_ARRAY,
    key: u32,
    value: u64,
    maxEntries: 1,
    flags: 0,
  },
  rsk: {
    name: 'rsk',
    type: MapType.LRU_HASH,
    key: rskKey,
    value: udpFlow,
    maxEntries: 1024,
    flags: 0,
  },
  service: {
    name: 'service',
    type: MapType.HASH,
    key: u32,
    value: serviceName,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  serviceCount: {
    name: 'service_count',
    type: MapType.PERCPU_ARRAY,
    key: u32,
    value: serviceCount,
    maxEntries: 1024,
    flags: 0,
  },
  serviceCountBefore: {
    name: 'service_count_before',
    type: MapType.PERCPU_ARRAY,
    key: u32,
    value: serviceCount,
    maxEntries: 1,
    flags: 0,
  },
  skTcp: {
    name: 'sk_tcp',
    type: MapType.SK_STORAGE,
    key: i32,
    value: skTcp,
    maxEntries: 0,
    flags: MapFlag.NO_PREALLOC,
  },
  skUdp: {
    name: 'sk_udp',
    type: MapType.SK_STORAGE,
    key: i32,
    value: skUdp,
    maxEntries: 0,
    flags: MapFlag.NO_PREALLOC,
  },
  source4: {
    name: 'source4',
    type: MapType.LPM_TRIE,
    key: source4Key,
    value: u8,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  source6: {
    name: 'source6',
    type: MapType.LPM_TRIE,
    key: source6Key,
    value: u8,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  svc4: {
    name: 'svc4',
    type: MapType.HASH,
    key: svc4Key,
    value: svcValue,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
  svc6: {
    name: 'svc6',
    type: MapType.HASH,
    key: svc6Key,
    value: svcValue,
    maxEntries: 1024,
    flags: MapFlag.NO_PREALLOC,
  },
} as const

/** Every program, with the object that it is in and its ELF section. */
export const programs = {
  connect4: {
    name: 'connect4',
    object: 'sock',
    section: 'cgroup/connect4',
  },
  connect6: {
    name: 'connect6',
    object: 'sock',
    section: 'cgroup/connect6',
  },
  getpeername4: {
    name: 'getpeername4',
    object: 'sock',
    section: 'cgroup/getpeername4',
  },
  getpeername6: {
    name: 'getpeername6',
    object: 'sock',
    section: 'cgroup/getpeername6',
  },
  moveReasonCount: {
    name: 'move_reason_count',
    object: 'count_iter',
    section: 'iter/bpf_map_elem',
  },
  moveServiceCount: {
    name: 'move_service_count',
    object: 'count_iter',
    section: 'iter/bpf_map_elem',
  },
  postBind4: {
    name: 'post_bind4',
    object: 'sock',
    section: 'cgroup/post_bind4',
  },
  postBind6: {
    name: 'post_bind6',
    object: 'sock',
    section: 'cgroup/post_bind6',
  },
  recordsTcp: {
    name: 'records_tcp',
    object: 'sock_iter',
    section: 'iter/bpf_sk_storage_map',
  },
  recordsUdp: {
    name: 'records_udp',
    object: 'sock_iter',
    section: 'iter/bpf_sk_storage_map',
  },
  recvmsg4: {
    name: 'recvmsg4',
    object: 'sock',
    section: 'cgroup/recvmsg4',
  },
  recvmsg6: {
    name: 'recvmsg6',
    object: 'sock',
    section: 'cgroup/recvmsg6',
  },
  selectTest: {
    name: 'select_test',
    object: 'select_test',
    section: 'tc',
  },
  sendmsg4: {
    name: 'sendmsg4',
    object: 'sock',
    section: 'cgroup/sendmsg4',
  },
  sendmsg6: {
    name: 'sendmsg6',
    object: 'sock',
    section: 'cgroup/sendmsg6',
  },
  sockRelease: {
    name: 'sock_release',
    object: 'sock',
    section: 'cgroup/sock_release',
  },
  staleUdp: {
    name: 'stale_udp',
    object: 'sock_iter',
    section: 'iter/bpf_sk_storage_map',
  },
} as const

/** Every constant that a loader may set before it loads, with the objects that have it. */
export const constants = {
  eventsEnabled: {
    name: 'events_enabled',
    objects: ['count_iter', 'select_test', 'sock', 'sock_iter'],
    codec: bool,
  },
  possibleCpus: {
    name: 'possible_cpus',
    objects: ['count_iter'],
    codec: u32,
  },
  recordTcp: {
    name: 'record_tcp',
    objects: ['count_iter', 'select_test', 'sock', 'sock_iter'],
    codec: bool,
  },
  useSetRetval: {
    name: 'use_set_retval',
    objects: ['count_iter', 'select_test', 'sock', 'sock_iter'],
    codec: bool,
  },
} as const
