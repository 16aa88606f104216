/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Flows of UDP sockets that send to more VIPs than a record has slots. Kept in both directions in an LRU map:
 * VIP -> flow for sending, backend -> flow for replies. Elements of an LRU map may be given to somebody else
 * while we hold them, so a value counts only if it names what was asked for, and backend addresses come from the
 * list, never from here.
 */
#pragma once

#include "udp_record.h"

static __always_inline void rsk_key_of(__u64 cookie, const union address *addr, __be16 port, enum rsk_kind kind,
				       struct rsk_key *key)
{
	*key = (struct rsk_key){.cookie = cookie, .port = port, .kind = kind};
	store_address(key->addr, addr);
}

static __always_inline bool overflow_put(const struct request *request, __u32 service_port, const struct pick *pick,
					 bool shared)
{
	struct rsk_key key;
	struct udp_flow flow = {};

	flow_fill(&flow, request, service_port, pick);
	flow.flags = UDP_FLOW_USED | (shared ? UDP_FLOW_SHARED : 0);
	rsk_key_of(request->socket, &request->vip, request->port, RSK_BY_VIP, &key);
	if (bpf_map_update_elem(&rsk, &key, &flow, BPF_ANY))
		return false;
	rsk_key_of(request->socket, &pick->addr, pick->port, RSK_BY_BACKEND, &key);
	return !bpf_map_update_elem(&rsk, &key, &flow, BPF_ANY);
}

/* The flow that replies of this backend belong to. */
static __always_inline struct udp_flow *overflow_by_backend(__u64 cookie, const union address *addr, __be16 port)
{
	struct rsk_key key;
	struct udp_flow *flow;

	rsk_key_of(cookie, addr, port, RSK_BY_BACKEND, &key);
	flow = bpf_map_lookup_elem(&rsk, &key);
	return flow && flow_has_backend(flow, addr, port) ? flow : NULL;
}

static __always_inline struct udp_flow *overflow_by_vip(const struct request *request)
{
	struct rsk_key key;
	struct udp_flow *flow;

	rsk_key_of(request->socket, &request->vip, request->port, RSK_BY_VIP, &key);
	flow = bpf_map_lookup_elem(&rsk, &key);
	return flow && flow_has_vip(flow, request) ? flow : NULL;
}

/* A datagram goes out on the flow: replies of its backend are its VIP's, the last used. */
static __always_inline void overflow_touch(const struct request *request, const struct udp_flow *flow,
					   __u32 service_port, const struct pick *pick)
{
	struct udp_flow *reply = overflow_by_backend(request->socket, &pick->addr, pick->port);

	if (reply && flow_has_vip(reply, request))
		flow_touch(reply, request->now_ns);
	else
		overflow_put(request, service_port, pick, reply || (flow->flags & UDP_FLOW_SHARED));
}

/* The socket has sent to the backend itself. */
static __always_inline void overflow_direct(__u64 cookie, const union address *addr, __be16 port)
{
	struct rsk_key key;

	rsk_key_of(cookie, addr, port, RSK_BY_BACKEND, &key);
	bpf_map_delete_elem(&rsk, &key);
}

/* Does another VIP of this socket go to this very backend? request->socket is set if the record overflows. */
static __always_inline bool taken_by_other(const struct sk_udp *record, const struct request *request,
					   const struct pick *pick)
{
	const struct udp_flow *flow;
	__u64 taken = 0;

	for (int i = 0; i < UDP_SLOTS; i++) {
		flow = &record->slot[i];
		taken |= is_zero(flow_backend_diff(flow, &pick->addr, pick->port)) &
			 ~is_zero(flow_vip_diff(flow, request));
	}
	if (taken)
		return true;
	if (!(record->flags & SK_UDP_OVERFLOW))
		return false;
	flow = overflow_by_backend(request->socket, &pick->addr, pick->port);
	return flow && !flow_has_vip(flow, request);
}
