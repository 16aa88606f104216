/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The flows that a UDP socket remembers. The hooks of one socket run one at a time, under its lock; only the
 * iterators look in from outside, so a flow is void while it is being written.
 */
#pragma once

#include "frontend.h"
#include "list.h"
#include "open.h"
#include "record_version.h"

/* 0 if the flow is in use and of this VIP. */
static __always_inline __u64 flow_vip_diff(const struct udp_flow *flow, const struct request *request)
{
	return address_diff(&request->vip, (const __u64 *)flow->vip) | (flow->vip_port ^ request->port) |
	       (~flow->flags & UDP_FLOW_USED);
}

/* 0 if the flow is in use and goes to this backend. */
static __always_inline __u64 flow_backend_diff(const struct udp_flow *flow, const union address *addr, __be16 port)
{
	return address_diff(addr, (const __u64 *)flow->backend_addr) | (flow->backend_port ^ port) |
	       (~flow->flags & UDP_FLOW_USED);
}

static __always_inline bool flow_has_vip(const struct udp_flow *flow, const struct request *request)
{
	return !flow_vip_diff(flow, request);
}

static __always_inline bool flow_has_backend(const struct udp_flow *flow, const union address *addr, __be16 port)
{
	return !flow_backend_diff(flow, addr, port);
}

/* Without a branch: 1 or 0. */
static __always_inline __u64 is_zero(__u64 diff)
{
	__u64 sign = diff | -diff;

	barrier_var(sign);
	return (sign >> 63) ^ 1;
}

/* The backend of the flow, if it is in the list in force: whoever else comes and goes does not matter. */
static __always_inline bool flow_holds(struct udp_flow *flow, const struct range *range, __u32 index, const int family,
				       struct pick *pick)
{
	__u32 hint = flow->hint;

	if (hint - range->base < range->count && read_slot(hint, index, family, pick) &&
	    pick->backend == flow->backend && pick->generation == flow->generation)
		return true;
	if (!find_backend(range, index, flow->backend, flow->generation, family, pick))
		return false;
	flow->hint = pick->slot;
	return true;
}

static __always_inline void flow_fill(struct udp_flow *flow, const struct request *request, __u32 service_port,
				      const struct pick *pick)
{
	store_address(flow->vip, &request->vip);
	store_address(flow->backend_addr, &pick->addr);
	flow->vip_port = request->port;
	flow->backend_port = pick->port;
	flow->backend = pick->backend;
	flow->service_port = service_port;
	flow->generation = pick->generation;
	flow->last_used_ns = request->now_ns;
	flow->hint = pick->slot;
}

/* A datagram goes out on the flow: replies of its backend are its VIP's again. */
static __always_inline void flow_touch(struct udp_flow *flow, __u64 now_ns)
{
	if ((flow->flags & UDP_FLOW_SHARED) || (__s64)(now_ns - flow->last_used_ns) > (__s64)NS_PER_S)
		flow->last_used_ns = now_ns;
	if (flow->flags & UDP_FLOW_DIRECT)
		flow->flags &= ~UDP_FLOW_DIRECT;
}

static __always_inline struct sk_udp *udp_record(struct bpf_sock *sk)
{
	struct sk_udp *record = bpf_sk_storage_get(&sk_udp, sk, NULL, 0);

	return record && can_read(record->version) ? record : NULL;
}

/* The connection is over, or another one takes its place. */
static __always_inline void connected_end(struct udp_flow *connected)
{
	__u16 flags = connected->flags;

	connected->flags = 0;
	barrier();
	if (flags & UDP_FLOW_OPEN)
		open_add(connected->backend, -1);
}

/* The same of a record that cannot be read: all that is known of it is what was counted. */
static __always_inline void udp_unknown_end(struct udp_flow *connected)
{
	if (!(connected->flags & UDP_FLOW_OPEN))
		return;
	connected->flags &= ~UDP_FLOW_OPEN;
	barrier();
	open_add(connected->backend, -1);
}

/* The connection that a record tells of is over. False if the record cannot be read. */
static __always_inline bool udp_record_end(struct sk_udp *record)
{
	if (can_read(record->version)) {
		connected_end(&record->connected);
		return true;
	}
	if (unlikely(record->version))
		udp_unknown_end(&record->connected);
	return false;
}

/* NULL if there is no memory for it. */
static __always_inline struct sk_udp *udp_record_create(struct bpf_sock_addr *ctx)
{
	struct sk_udp *record = bpf_sk_storage_get(&sk_udp, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (record && !can_read(record->version)) {
		if (unlikely(record->version)) {
			udp_unknown_end(&record->connected);
			__builtin_memset(record, 0, sizeof(*record));
		}
		/* A socket has a cookie only once somebody has asked for it, and stale_udp names it by that. */
		bpf_get_socket_cookie(ctx);
		record->tgid = bpf_get_current_pid_tgid() >> 32;
		record->version = RECORD_VERSION;
	}
	return record;
}

/*
 * Is the socket connect()ed to this peer now? The record alone cannot tell: neither connect(AF_UNSPEC) nor a
 * connect() that fails after the hook shows up in one.
 */
static __always_inline bool is_connected_to(struct bpf_sock *sk, const union address *addr, __be16 port,
					    const int family)
{
	if (!sk->dst_port || sk->dst_port != port)
		return false;
	if (family == AF_INET)
		return sk->dst_ip4 == addr->word[3]; /* set on IPv6 sockets with a mapped peer, too */
	return sk->dst_ip6[0] == addr->word[0] && sk->dst_ip6[1] == addr->word[1] && sk->dst_ip6[2] == addr->word[2] &&
	       sk->dst_ip6[3] == addr->word[3];
}
