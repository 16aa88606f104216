/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * UDP: all datagrams of a socket to one VIP go to one backend while that serves the VIP, and its replies come from
 * the VIP.
 */
#pragma once

#include "select.h"
#include "udp_overflow.h"
#include "udp_record.h"

static __always_inline struct udp_flow *slot_of(struct sk_udp *record, const struct request *request)
{
	for (int i = 0; i < UDP_SLOTS; i++)
		if (flow_has_vip(&record->slot[i], request))
			return &record->slot[i];
	return NULL;
}

static __always_inline struct udp_flow *free_slot(struct sk_udp *record)
{
	for (int i = 0; i < UDP_SLOTS; i++)
		if (!(record->slot[i].flags & UDP_FLOW_USED))
			return &record->slot[i];
	return NULL;
}

/*
 * Where the socket's datagrams to this VIP went before, if that serves still. A connected socket gets replies of
 * its peer only, so it stays with that while it is connected; connect() stays with it also after that.
 */
static __always_inline bool udp_recall(struct bpf_sock *sk, struct sk_udp *record, const struct request *request,
				       const struct svc_value *svc, const bool connecting, const int family,
				       struct pick *pick)
{
	struct udp_flow *flow = &record->connected;
	struct range range;
	union address peer;

	load_address(&peer, flow->backend_addr);
	if (!flow_has_vip(flow, request) || !(connecting || is_connected_to(sk, &peer, flow->backend_port, family)))
		flow = slot_of(record, request);
	if (!load_range(svc->list, &range))
		return false;
	if (flow) {
		if (!flow_holds(flow, &range, svc->list, family, pick))
			return false;
		flow_touch(flow, request->now_ns);
		return true;
	}
	if (!(record->flags & SK_UDP_OVERFLOW))
		return false;
	flow = overflow_by_vip(request);
	if (!flow || !flow_holds(flow, &range, svc->list, family, pick))
		return false;
	overflow_touch(request, flow, svc->service_port, pick);
	return true;
}

/* The record, with what its flows need known of the socket. */
static __always_inline struct sk_udp *udp_record_for(struct bpf_sock_addr *ctx, struct request *request)
{
	struct sk_udp *record = udp_record(ctx->sk);

	if (record && (record->flags & SK_UDP_OVERFLOW))
		request->socket = bpf_get_socket_cookie(ctx);
	return record;
}

/* Two VIPs on one backend: from now on both keep time exactly. */
static __always_inline bool share(struct sk_udp *record, const struct request *request, const struct pick *pick)
{
	if (!taken_by_other(record, request, pick))
		return false;
	for (int i = 0; i < UDP_SLOTS; i++)
		if (flow_has_backend(&record->slot[i], &pick->addr, pick->port))
			record->slot[i].flags |= UDP_FLOW_SHARED;
	if (record->flags & SK_UDP_OVERFLOW) {
		struct udp_flow *flow = overflow_by_backend(request->socket, &pick->addr, pick->port);

		if (flow)
			flow->flags |= UDP_FLOW_SHARED;
	}
	return true;
}

/* False if there is no memory for it. */
static __always_inline bool udp_remember(struct bpf_sock_addr *ctx, struct sk_udp *record, struct request *request,
					 const struct svc_value *svc, const struct pick *pick)
{
	bool shared = share(record, request, pick);
	struct udp_flow *flow = slot_of(record, request);

	if (!flow)
		flow = free_slot(record);
	if (!flow) {
		request->socket = bpf_get_socket_cookie(ctx);
		record->flags |= SK_UDP_OVERFLOW;
		return overflow_put(request, svc->service_port, pick, shared);
	}
	flow->flags = 0;
	barrier();
	flow_fill(flow, request, svc->service_port, pick);
	barrier();
	flow->flags = UDP_FLOW_USED | (shared ? UDP_FLOW_SHARED : 0);
	return true;
}

static __always_inline enum reason udp_send(struct bpf_sock_addr *ctx, struct request *request,
					    const struct svc_value *svc, const int family, struct pick *pick)
{
	struct sk_udp *record = udp_record_for(ctx, request);
	enum reason reason;

	if (record && udp_recall(ctx->sk, record, request, svc, false, family, pick))
		return REASON_TRANSLATED;
	reason = select_backend(request, svc, record, family, pick);
	if (reason != REASON_TRANSLATED)
		return reason;
	if (!record)
		record = udp_record_create(ctx);
	if (!record || !udp_remember(ctx, record, request, svc, pick))
		return REASON_RECORD_FAILED_UDP;
	return REASON_TRANSLATED;
}

/*
 * connect(). A refused one leaves the record alone: the socket keeps the connection that it has. False if there is
 * no memory for it.
 */
static __always_inline bool udp_remember_connected(struct bpf_sock_addr *ctx, const struct request *request,
						   __u32 service_port, const struct pick *pick)
{
	struct sk_udp *record = udp_record_create(ctx);
	struct udp_flow *flow;
	bool counted;

	if (!record)
		return false;
	flow = &record->connected;
	connected_end(flow);
	flow_fill(flow, request, service_port, pick);
	counted = open_add(pick->backend, 1);
	barrier();
	flow->flags = UDP_FLOW_USED | (counted ? UDP_FLOW_OPEN : 0);
	return true;
}

/* connect() to something that is not a Service. */
static __always_inline void udp_forget(struct bpf_sock *sk)
{
	struct sk_udp *record = bpf_sk_storage_get(&sk_udp, sk, NULL, 0);

	if (record)
		udp_record_end(record);
}

/* close(). The kernel frees the record a moment later; nobody is to see it until then. */
static __always_inline void udp_release(struct bpf_sock *sk)
{
	struct sk_udp *record = bpf_sk_storage_get(&sk_udp, sk, NULL, 0);

	if (record && udp_record_end(record))
		record->version = 0;
}

/* A datagram to something that is not a Service. If it is a backend of ours, its replies are its own. */
static __always_inline void udp_sent_directly(struct bpf_sock_addr *ctx, const struct request *request)
{
	struct sk_udp *record = udp_record(ctx->sk);

	if (!record)
		return;
	for (int i = 0; i < UDP_SLOTS; i++) {
		struct udp_flow *flow = &record->slot[i];

		if (flow_has_backend(flow, &request->vip, request->port))
			flow->flags |= UDP_FLOW_DIRECT;
	}
	if (record->flags & SK_UDP_OVERFLOW)
		overflow_direct(bpf_get_socket_cookie(ctx), &request->vip, request->port);
}

/*
 * An IPv4-mapped socket that is connected passes sendmsg4 with its backend's address on every send(). That may be
 * somebody's VIP in odd set-ups: it is not translated twice.
 */
static __always_inline bool is_own_backend(struct bpf_sock *sk, const struct request *request, const int family)
{
	struct sk_udp *record;

	if (!is_connected_to(sk, &request->vip, request->port, family))
		return false;
	record = udp_record(sk);
	return record && flow_has_backend(&record->connected, &request->vip, request->port);
}

static __always_inline struct udp_flow *newer(struct udp_flow *a, struct udp_flow *b)
{
	return a && (__s64)(a->last_used_ns - b->last_used_ns) > 0 ? a : b;
}

/* The flow that a datagram from this source answers; NULL: nobody's, the source is shown as it is. */
static __always_inline struct udp_flow *flow_of_reply(struct bpf_sock_addr *ctx, const union address *from, __be16 port,
						      const int family)
{
	struct sk_udp *record = udp_record(ctx->sk);
	struct udp_flow *found = NULL, *flow;

	if (!record)
		return NULL;
	if (flow_has_backend(&record->connected, from, port) && is_connected_to(ctx->sk, from, port, family))
		return &record->connected;
	for (int i = 0; i < UDP_SLOTS; i++) {
		flow = &record->slot[i];
		if (flow_has_backend(flow, from, port) && !(flow->flags & UDP_FLOW_DIRECT))
			found = newer(found, flow);
	}
	if (record->flags & SK_UDP_OVERFLOW) {
		flow = overflow_by_backend(bpf_get_socket_cookie(ctx), from, port);
		if (flow)
			found = newer(found, flow);
	}
	return found;
}
