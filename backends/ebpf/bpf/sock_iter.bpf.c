// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Iterators over the socket records, of all network namespaces in one pass. They run beside the hooks, without the
 * sockets' locks: a flow that is being written shows no flags, and what names a socket is taken from the socket.
 */
#include "consts.h"
#include "maps.h"
#include "record_version.h"
#include "vmlinux-types.h"

char _license[] SEC("license") = "Dual BSD/GPL";

static __always_inline void store_mapped(__u8 *to, __be32 addr)
{
	__u32 *word = (__u32 *)to;

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = addr;
}

/* What SOCK_DESTROY needs: both ends as the kernel has them, IPv4 in mapped form. */
static __always_inline void fill_stale(struct stale_socket *row, struct sock *sk)
{
	struct sock_common *common = &sk->__sk_common;

	row->cookie = common->skc_cookie.counter;
	row->netns = common->skc_net.net->ns.inum;
	row->family = common->skc_family;
	row->proto = IPPROTO_UDP;
	row->local_port = bpf_htons(common->skc_num);
	row->remote_port = common->skc_dport;
	row->ifindex = common->skc_bound_dev_if;
	if (row->family == AF_INET) {
		store_mapped(row->local_addr, common->skc_rcv_saddr);
		store_mapped(row->remote_addr, common->skc_daddr);
	} else {
		struct in6_addr local = common->skc_v6_rcv_saddr, remote = common->skc_v6_daddr;

		__builtin_memcpy(row->local_addr, &local, sizeof(local));
		__builtin_memcpy(row->remote_addr, &remote, sizeof(remote));
	}
}

/* Connected sockets of backends that are in `dead`, as struct stale_socket. */
SEC("iter/bpf_sk_storage_map")
int stale_udp(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct sk_udp *record = ctx->value;
	struct stale_socket row = {};
	struct dead_key key = {};
	const __u64 *backend_addr, *remote_addr = (const __u64 *)row.remote_addr;

	if (!sk || !record || !is_readable(record->version) || !(record->connected.flags & UDP_FLOW_USED))
		return 0;
	key.backend = record->connected.backend;
	key.generation = record->connected.generation;
	if (!bpf_map_lookup_elem(&dead, &key))
		return 0;
	fill_stale(&row, sk);
	/* Disconnected since, or connected to somebody else without a hook: not to be touched. */
	backend_addr = (const __u64 *)record->connected.backend_addr;
	if (row.remote_port != record->connected.backend_port || remote_addr[0] != backend_addr[0] ||
	    remote_addr[1] != backend_addr[1])
		return 0;
	row.backend = key.backend;
	row.tgid = record->tgid;
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

/*
 * Of a record that cannot be read: the id that an open connection is counted by is in use. The row has nothing else, no
 * service port either.
 */
static __always_inline int write_unknown(struct seq_file *seq, __u8 proto, __u32 backend)
{
	struct record_row row = {.proto = proto, .connected = 1, .backend = backend};

	bpf_seq_write(seq, &row, sizeof(row));
	return 0;
}

/* Backends that records of TCP sockets name, as struct record_row. */
SEC("iter/bpf_sk_storage_map")
int records_tcp(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sk_tcp *record = ctx->value;
	struct record_row row = {.proto = IPPROTO_TCP, .connected = 1};

	if (!ctx->sk || !record || !record->version)
		return 0;
	if (!is_readable(record->version))
		return record->flags & SK_TCP_OPEN ? write_unknown(ctx->meta->seq, row.proto, record->backend) : 0;
	if (!(record->flags & SK_TCP_USED))
		return 0;
	row.backend = record->backend;
	row.generation = record->generation;
	row.backend_port = record->backend_port;
	row.service_port = record->service_port;
	__builtin_memcpy(row.backend_addr, record->backend_addr, sizeof(row.backend_addr));
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

static __always_inline void write_flow(struct seq_file *seq, const struct udp_flow *flow, bool connected)
{
	struct record_row row = {.proto = IPPROTO_UDP, .connected = connected};

	if (!(flow->flags & UDP_FLOW_USED))
		return;
	row.backend = flow->backend;
	row.generation = flow->generation;
	row.backend_port = flow->backend_port;
	row.service_port = flow->service_port;
	__builtin_memcpy(row.backend_addr, flow->backend_addr, sizeof(row.backend_addr));
	bpf_seq_write(seq, &row, sizeof(row));
}

/* Backends that records of UDP sockets name, connected or not, as struct record_row. Those in rsk are not here. */
SEC("iter/bpf_sk_storage_map")
int records_udp(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sk_udp *record = ctx->value;

	if (!ctx->sk || !record || !record->version)
		return 0;
	if (!is_readable(record->version))
		return record->connected.flags & UDP_FLOW_OPEN
			       ? write_unknown(ctx->meta->seq, IPPROTO_UDP, record->connected.backend)
			       : 0;
	write_flow(ctx->meta->seq, &record->connected, true);
	for (int i = 0; i < UDP_SLOTS; i++)
		write_flow(ctx->meta->seq, &record->slot[i], false);
	return 0;
}
