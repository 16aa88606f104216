/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Every map of the datapath and the structs in them: the one place where layouts live. User space gets its
 * codecs from the BTF of these definitions (bindings.gen.ts), so a change here is a change there.
 *
 * Three classes of state:
 *   derived   rebuilt from the Services at any time, in a new generation directory when the layout or a size
 *             changes (svc4, svc6, list, backend4, backend6, addr4, addr6, source4, source6, cfg, outside,
 *             service)
 *   living    belongs to sockets, clients and namespaces, survives upgrades: version byte, append-only layout,
 *             reserved space (sk_tcp, sk_udp, rsk, affinity, netns)
 *   counters  go along to a map of another size; start again at zero when the layout changes (backend_count,
 *             service_count, reason_count, netns_missing)
 *
 * "U" is user space, "K" the programs. max_entries below are minimums for loading by hand: the agent sets
 * the real sizes before it loads.
 */
#pragma once

/*
 * A field that moves shows in the BTF of a map. These say what does not show there; other versions of kpng read them in
 * the BTF of pinned maps and of attached programs.
 *
 * LAYOUT_VERSION is raised when a field of a derived map keeps its name and means something else: nothing is taken over
 * from a generation of another one.
 *
 * RECORD_VERSION is the version byte that programs write into records of living maps. It is raised when what a record
 * means changes, not when a field takes reserved bytes: who does not know that field does not miss it. Each version
 * reads the records of the one before. Users can go back from a version that raises it only to one that reads the new
 * records, so such a one comes first. An agent does not replace programs whose records it cannot read.
 *
 * In every version, of sk_tcp and of sk_udp.connected, the flag that a connection is counted as open and the id of its
 * backend mean what they do here: who cannot read the rest ends the count all the same.
 */
enum version {
	LAYOUT_VERSION = 1,
	RECORD_VERSION = 1, /* written */
	RECORD_OLDEST = 1, /* read: from here */
	RECORD_NEWEST = 1, /* to here */
};

enum scope {
	SCOPE_INSIDE = 0, /* traffic of pods and of the node itself: all that a socket sees */
	SCOPE_OUTSIDE = 1, /* traffic that comes from outside of the cluster, on the wire */
};

enum algorithm {
	ALGORITHM_RANDOM = 0,
	ALGORITHM_WEIGHTED = 1,
	ALGORITHM_MAGLEV = 2,
	ALGORITHM_LEAST_CONNECTION = 3,
};

/* What became of a connection or datagram, and why. Append only: numbers are in counters and events. */
enum reason {
	REASON_NOT_A_SERVICE = 0, /* untouched, never counted */
	REASON_TRANSLATED = 1, /* counted by service port, not in reason_count */
	REASON_NO_ENDPOINTS = 2, /* nobody in the cluster can serve: ECONNREFUSED */
	REASON_NO_LOCAL_ENDPOINTS = 3, /* policy Local and nobody here: EHOSTUNREACH */
	REASON_UNKNOWN_PORT = 4, /* a ClusterIP, but no such port or protocol: ECONNREFUSED */
	REASON_UNALLOCATED = 5, /* in a ServiceCIDR, but nobody's address: EHOSTUNREACH */
	REASON_LIST_BUSY = 6, /* the list changed under every retry: EAGAIN */
	REASON_RECORD_FAILED_TCP = 7, /* translated, but getpeername will show the backend */
	REASON_RECORD_FAILED_UDP = 8, /* no memory to remember the flow: ENOBUFS */
	REASON_PORT_PROTECTED = 9, /* bind() to a NodePort with --protect-node-ports: EADDRINUSE */
	REASON_EVENT_LOST = 10, /* of no connection: an event found the ring buffer full */
	REASON_SOURCE_BLOCKED = 11, /* the source is in none of the loadBalancerSourceRanges: EHOSTUNREACH */
	REASON_SOURCE_UNKNOWN = 12, /* there are such ranges, and nobody knows the source yet: EHOSTUNREACH */
	REASON_RECORD_UNKNOWN = 13, /* of no connection: a living map's record of a version that cannot be read */
	REASON_MAX,
};

/* Where an event happened. Append only. */
enum hook {
	HOOK_CONNECT = 0,
	HOOK_SENDMSG = 1,
	HOOK_POST_BIND = 2,
};

/*
 * Frontends. Written by U only when a Service changes, read by K on each connect and sendmsg. Full: the
 * Service does not fit, it is reported and retried, others go on. addr 0 = any of this node's NodePort
 * addresses.
 */
struct svc4_key {
	__be32 addr;
	__be16 port;
	__u8 proto;
	__u8 scope;
};

struct svc6_key {
	__u8 addr[16];
	__be16 port;
	__u8 proto;
	__u8 scope;
};

enum svc_flag {
	SVC_SOURCE_RANGES = 1, /* only for sources that source4 or source6 has for the service port */
};

struct svc_value {
	__u32 list; /* index into list */
	__u32 service_port; /* id: index into service_count, key of service */
	__u32 affinity_timeout_s; /* 0 = no session affinity */
	__u16 flags; /* enum svc_flag */
	__u8 algorithm; /* enum algorithm */
	__u8 reserved;
	__u32 maglev;
	__u32 reserved2;
};

/*
 * A backend list in force: one aligned 64-bit word, flipped by one 8-byte store of U into the mapping, read by
 * one 8-byte load of K. count 0: base is the enum reason (NO_ENDPOINTS or NO_LOCAL_ENDPOINTS). Index 0 is never
 * used. Which of backend4 and backend6 base points into follows from the frontend's family.
 */
struct list_entry {
	__u32 base; /* low half */
	__u32 count; /* high half */
};

/*
 * Backend lists: each a contiguous range of slots, sorted by id, immutable while K may see it. Written by U by
 * copying memory. K checks `list` after the pick: a slot of another list means that the list has flipped.
 */
struct backend4 {
	__be32 addr;
	__be16 port;
	__u16 weight;
	__u32 id; /* dense index of the membership (service port, address, port) */
	__u32 list;
	__u16 generation; /* of the id: moves on when the id is given to another membership */
	__u16 flags;
	__u32 reserved;
};

struct backend6 {
	__u8 addr[16];
	__be16 port;
	__u16 weight;
	__u32 id;
	__u32 list;
	__u16 generation;
	__u16 flags;
};

/*
 * Asked after a frontend miss, and outside of the ServiceCIDRs before the frontend. Written by U, the address of a
 * frontend before that and deleted after it. Never holds a loopback address. Full: an address that does not fit is
 * served in a ServiceCIDR only.
 */
enum addr_flag {
	ADDR_CLUSTER_IP = 1, /* another port of a ClusterIP is refused */
	ADDR_EXTERNAL = 2, /* externalIP or LoadBalancer VIP: another port is none of our business */
	ADDR_NODE = 4, /* serves NodePorts: look up address 0 */
};

struct addr_value {
	__u32 flags; /* enum addr_flag */
};

/*
 * Who may connect to the frontends with SVC_SOURCE_RANGES: loadBalancerSourceRanges, one entry a service port and
 * range. Written by U before such a frontend and deleted after it, read by K only for such a frontend. Full: the
 * ranges that do not fit stay closed and are reported. prefix_length counts service_port's 32 bits, too.
 */
struct source4_key {
	__u32 prefix_length;
	__u32 service_port; /* id */
	__be32 addr;
};

struct source6_key {
	__u32 prefix_length;
	__u32 service_port; /* id */
	__u8 addr[16];
};

/*
 * The addresses that the kernel chooses as source in a network namespace, for sockets that are not bound to one:
 * connect() runs before the choice. By the namespace's cookie. Written by U while there are frontends with
 * SVC_SOURCE_RANGES, read by K only for those. A namespace that is not there, for it is new or the map is full:
 * REASON_SOURCE_UNKNOWN.
 */
enum netns_flag {
	NETNS_SOURCE4 = 1, /* source4 is set */
	NETNS_SOURCE6 = 2, /* source6 is set */
};

struct netns_value {
	__u8 version;
	__u8 flags; /* enum netns_flag */
	__u16 reserved;
	__u32 inode; /* of the namespace: where to look again */
	__be32 source4;
	__u32 reserved2;
	__u8 source6[16];
	__u64 reserved3[2];
};

/*
 * Namespaces that netns lacks, by cookie. Written by K with REASON_SOURCE_UNKNOWN, emptied by U. Full: the next
 * attempt is noted when there is room.
 */
struct netns_missing {
	__u32 inode; /* of the socket's namespace; 0: not known */
	__u32 tgid; /* a process that is likely to be in it */
};

/*
 * One entry. Written by U: the first word to 0, then the CIDRs, then the first word, which K reads by one load: without
 * counts and flags the maps are asked for everything.
 */
enum cfg_flag {
	CFG_OUTSIDE = 1, /* the map outside is to be believed */
};

#define MAX_SERVICE_CIDRS 8

struct cidr4 {
	__be32 addr;
	__be32 mask;
};

struct cidr6 {
	__u8 addr[16];
	__u8 mask[16];
};

struct cfg {
	__u16 cidr4_count;
	__u16 cidr6_count;
	__u32 flags; /* enum cfg_flag */
	struct cidr4 cidr4[MAX_SERVICE_CIDRS];
	struct cidr6 cidr6[MAX_SERVICE_CIDRS];
};

/*
 * Names of service port ids, for tools and so that ids survive restarts. Written by U, never read by K.
 * Texts are NUL-terminated.
 */
struct service_name {
	char namespace[64];
	char name[64];
	char port[64];
	__u8 proto;
	__u8 reserved[7];
};

/*
 * What a socket was translated from and to. Written by K in connect and sendmsg, read by getpeername, recvmsg,
 * sock_release and the iterators. Lives and dies with the socket. Addresses are IPv6, IPv4 in mapped form.
 */
enum sk_tcp_flag {
	SK_TCP_USED = 1, /* describes the connection that the socket has */
	SK_TCP_OPEN = 2, /* counted in backend_count.open; in every version of records, as is backend */
};

struct sk_tcp {
	__u8 version;
	__u8 flags; /* enum sk_tcp_flag */
	__be16 vip_port;
	__be16 backend_port;
	__u16 generation;
	__u32 backend; /* id */
	__u32 service_port; /* id */
	__u8 vip[16];
	__u8 backend_addr[16];
	__u32 tgid; /* of the connecting process: a hint where to find its network namespace */
	__u32 reserved[5];
};

enum udp_flow_flag {
	UDP_FLOW_USED = 1,
	UDP_FLOW_OPEN = 2, /* counted in backend_count.open; connected only; in every version, as is backend */
	UDP_FLOW_SHARED = 4, /* another VIP of the socket has this backend: last_used_ns says whose a reply is */
	UDP_FLOW_DIRECT = 8, /* the socket has since sent to the backend itself: replies are not the VIP's */
};

enum sk_udp_flag {
	SK_UDP_OVERFLOW = 1, /* rsk may hold more flows */
};

struct udp_flow {
	__u8 vip[16];
	__u8 backend_addr[16];
	__be16 vip_port;
	__be16 backend_port;
	__u32 backend; /* id */
	__u32 service_port; /* id */
	__u16 generation;
	__u16 flags; /* enum udp_flow_flag; written last, cleared first */
	__u64 last_used_ns; /* CLOCK_MONOTONIC; refreshed at most once a second, always if shared */
	__u32 hint; /* slot where the backend was last seen; checked on use, saves the binary search */
	__u32 reserved;
};

#define UDP_SLOTS 4

struct sk_udp {
	__u8 version;
	__u8 flags; /* enum sk_udp_flag */
	__u16 reserved;
	__u32 tgid;
	struct udp_flow connected; /* set while the socket is connect()ed to a Service */
	struct udp_flow slot[UDP_SLOTS]; /* unconnected: the VIPs that it sends to */
	__u64 reserved2[3];
};

/*
 * Unconnected UDP with more VIPs than slots: both directions, LRU. Evicted: the next datagram picks anew and
 * a late reply shows the backend's address. Flows are of the version of their socket's record.
 */
enum rsk_kind {
	RSK_BY_VIP = 0,
	RSK_BY_BACKEND = 1,
};

struct rsk_key {
	__u64 cookie; /* of the socket */
	__u8 addr[16];
	__be16 port;
	__u8 kind;
	__u8 reserved[5];
};

/*
 * ClientIP session affinity. Written and read by K; LRU, evicted = the client picks anew. At the socket the
 * client is the network namespace's cookie (kind 0, first 8 bytes), on the wire its address (kind 1).
 */
struct affinity_key {
	__u8 client[16];
	__u32 service_port; /* id */
	__u8 kind;
	__u8 family; /* 4 or 6: of the backend */
	__u16 reserved;
};

struct affinity_value {
	__u64 last_used_ns; /* CLOCK_MONOTONIC, refreshed in place by each new connection */
	__u32 backend; /* id */
	__u16 generation;
	__u8 version;
	__u8 reserved;
};

/* By backend id. Atomic adds of K, U reads the mapping. */
struct backend_count {
	__u64 connections;
	__u64 datagrams;
	__u64 open; /* connections now open, exact: what sock_release has not ended yet; two's complement: in a map
		       that is younger than its sockets it goes below 0 */
	__u64 failures;
};

/* By service port id, per CPU. Added to by K. */
struct service_count {
	__u64 connections;
	__u64 datagrams;
	__u64 refused;
	__u64 unreachable;
};

/* Flow and drop events, 64 bytes, only when events_enabled. Full: lost, and counted as REASON_EVENT_LOST. */
struct event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 cookie; /* of the socket */
	__u8 vip[16];
	__u8 backend_addr[16];
	__be16 vip_port;
	__be16 backend_port;
	__u32 service_port;
	__u32 tgid;
	__u8 proto;
	__u8 hook; /* enum hook */
	__u8 reason; /* enum reason */
	__u8 family;
};

/* Backend ids that serve nowhere any more, while an iterator looks for sockets bound to them. Written by U. */
struct dead_key {
	__u32 backend;
	__u16 generation;
	__u16 reserved;
};

/* A connected UDP socket bound to a dead backend: what SOCK_DESTROY needs. Written by the iterator. */
struct stale_socket {
	__u64 cookie;
	__u32 netns; /* inode */
	__u32 tgid;
	__u8 local_addr[16];
	__u8 remote_addr[16];
	__be16 local_port;
	__be16 remote_port;
	__u8 family; /* AF_INET or AF_INET6: of the socket */
	__u8 proto;
	__u16 reserved;
	__u32 backend;
	__u32 ifindex; /* of the device that it is bound to (SO_BINDTODEVICE), or 0 */
};

/*
 * One use of a backend id by a socket: how ids are found again after a restart and known to be free. Of a record that
 * cannot be read only the id is known: service_port is 0.
 */
struct record_row {
	__u32 backend;
	__u16 generation;
	__be16 backend_port;
	__u32 service_port;
	__u8 proto;
	__u8 connected;
	__u16 reserved;
	__u8 backend_addr[16];
};

/* Question and answer of the program select_test: a whole packet for BPF_PROG_TEST_RUN. */
struct select_test {
	__u8 reserved_ethernet[16]; /* the kernel reads a header there */
	__u8 vip[16]; /* IPv4 in mapped form, as all addresses here */
	__u8 backend_addr[16];
	__u64 client; /* netns cookie */
	__u64 now_ns; /* 0: the clock */
	__u32 random; /* 0: random */
	__u32 service_port;
	__u32 backend;
	__be16 vip_port;
	__be16 backend_port;
	__u16 generation;
	__u8 proto;
	__u8 reason; /* enum reason */
	__u8 count; /* 1: as a connection, in all counters */
	__u8 reserved[3];
	__u8 source[16]; /* unspecified: not known */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct svc4_key);
	__type(value, struct svc_value);
} svc4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct svc6_key);
	__type(value, struct svc_value);
} svc6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct list_entry);
} list SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct backend4);
} backend4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct backend6);
} backend6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, struct addr_value);
} addr4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct in6_addr);
	__type(value, struct addr_value);
} addr6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct source4_key);
	__type(value, __u8);
} source4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct source6_key);
	__type(value, __u8);
} source6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct netns_value);
} netns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct netns_missing);
} netns_missing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cfg);
} cfg SEC(".maps");

/*
 * A filter of OUTSIDE_BITS bits: that of an address is set, by its hash, where addr4 or addr6 may have it and it is in
 * no ServiceCIDR. Written by U before those, read by K: most connections are to none of them and need no lookup.
 */
#define OUTSIDE_BITS 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OUTSIDE_BITS / 64);
	__type(key, __u32);
	__type(value, __u64);
} outside SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct service_name);
} service SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sk_tcp);
} sk_tcp SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sk_udp);
} sk_udp SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct rsk_key);
	__type(value, struct udp_flow);
} rsk SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct affinity_key);
	__type(value, struct affinity_value);
} affinity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct backend_count);
} backend_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct service_count);
} service_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_MAX);
	__type(key, __u32);
	__type(value, __u64);
} reason_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} event SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct dead_key);
	__type(value, __u8);
} dead SEC(".maps");

/*
 * Types that no map names, for the bindings of user space: compilers drop from BTF what nothing uses. Only the
 * types count; nobody reads or writes this, and loaders skip the section.
 */
struct {
	struct event event;
	struct stale_socket stale_socket;
	struct record_row record_row;
	struct select_test select_test;
	enum version version;
	enum scope scope;
	enum algorithm algorithm;
	enum reason reason;
	enum hook hook;
	enum addr_flag addr_flag;
	enum svc_flag svc_flag;
	enum netns_flag netns_flag;
	enum cfg_flag cfg_flag;
	enum sk_tcp_flag sk_tcp_flag;
	enum udp_flow_flag udp_flow_flag;
	enum sk_udp_flag sk_udp_flag;
	enum rsk_kind rsk_kind;
} bindings SEC(".bpf2ts");
