/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Where all hooks leave: counts, reports, and turns the reason into what the caller of connect() or send() sees. */
#pragma once

#include "count.h"
#include "frontend.h"
#include "list.h"

/* Not in the headers of old systems; the loader resolves it against the running kernel. */
enum bpf_func_id___here {
	BPF_FUNC_set_retval___here = 187,
};

static int (*const set_retval)(int retval) = (void *)BPF_FUNC_set_retval___here;

static __always_inline bool can_set_retval(void)
{
	return use_set_retval && bpf_core_enum_value_exists(enum bpf_func_id___here, BPF_FUNC_set_retval___here);
}

struct outcome {
	enum hook hook;
	enum reason reason;
	__u32 service_port; /* id, or NO_SERVICE_PORT */
	const struct pick *pick; /* read only if translated */
};

static __always_inline bool is_translated(enum reason reason)
{
	return reason == REASON_TRANSLATED || reason == REASON_RECORD_FAILED_TCP;
}

static __always_inline int errno_of(enum reason reason)
{
	switch (reason) {
	case REASON_NO_ENDPOINTS:
	case REASON_UNKNOWN_PORT:
		return ECONNREFUSED;
	case REASON_NO_LOCAL_ENDPOINTS:
	case REASON_UNALLOCATED:
	case REASON_SOURCE_BLOCKED:
	case REASON_SOURCE_UNKNOWN:
		return EHOSTUNREACH;
	case REASON_LIST_BUSY:
		return EAGAIN;
	case REASON_RECORD_FAILED_UDP:
		return ENOBUFS;
	case REASON_PORT_PROTECTED:
		return EADDRINUSE;
	default:
		return 0;
	}
}

/*
 * The counters of a Service that was not used for a while are cold, and an atomic add waits for its memory. Read as
 * soon as it is known which they will be, they arrive while other memory is waited for.
 */
static __always_inline void prefetch_service_count(__u32 id)
{
	struct service_count *count = bpf_map_lookup_elem(&service_count, &id);

	if (count)
		(void)*(volatile __u64 *)&count->connections;
}

static __always_inline void prefetch_backend_count(__u32 id)
{
	struct backend_count *count = bpf_map_lookup_elem(&backend_count, &id);

	if (count)
		(void)*(volatile __u64 *)&count->connections;
}

static __always_inline void count_service(const struct outcome *outcome)
{
	__u32 id = outcome->service_port;
	struct service_count *count;

	if (id == NO_SERVICE_PORT)
		return;
	count = bpf_map_lookup_elem(&service_count, &id);
	if (!count)
		return;
	if (is_translated(outcome->reason)) {
		if (outcome->hook == HOOK_CONNECT)
			increment(&count->connections);
		else
			increment(&count->datagrams);
	} else if (outcome->reason == REASON_NO_ENDPOINTS) {
		increment(&count->refused);
	} else if (errno_of(outcome->reason) == EHOSTUNREACH) {
		increment(&count->unreachable);
	}
}

static __always_inline void count_backend(const struct outcome *outcome)
{
	__u32 id;
	struct backend_count *count;

	if (!is_translated(outcome->reason))
		return;
	id = outcome->pick->backend;
	count = bpf_map_lookup_elem(&backend_count, &id);
	if (!count)
		return;
	if (outcome->hook == HOOK_CONNECT)
		increment(&count->connections);
	else
		increment(&count->datagrams);
}

static __always_inline void count_outcome(const struct outcome *outcome)
{
	if (outcome->reason != REASON_TRANSLATED)
		count_reason(outcome->reason);
	count_service(outcome);
	count_backend(outcome);
}

static __always_inline void emit_event(void *ctx, const struct request *request, const struct outcome *outcome,
				       const int family)
{
	struct event *e;

	if (!events_enabled)
		return;
	e = bpf_ringbuf_reserve(&event, sizeof(*e), 0);
	if (!e) {
		count_reason(REASON_EVENT_LOST);
		return;
	}
	e->time_ns = bpf_ktime_get_ns();
	e->cookie = bpf_get_socket_cookie(ctx);
	e->tgid = bpf_get_current_pid_tgid() >> 32;
	e->service_port = outcome->service_port;
	e->proto = request->proto;
	e->hook = outcome->hook;
	e->reason = outcome->reason;
	e->family = family;
	store_address(e->vip, &request->vip);
	e->vip_port = request->port;
	if (is_translated(outcome->reason)) {
		store_address(e->backend_addr, &outcome->pick->addr);
		e->backend_port = outcome->pick->port;
	} else {
		__builtin_memset(e->backend_addr, 0, sizeof(e->backend_addr));
		e->backend_port = 0;
	}
	bpf_ringbuf_submit(e, 0);
}

/*
 * Kernels before 5.18 know one errno, EPERM, which some programs retry for ever. So connect() is sent to where the
 * stack itself answers: a closed port of the loopback (ECONNREFUSED), or broadcast and multicast addresses, which
 * TCP finds unreachable (ENETUNREACH), also on sockets bound to a device, where the loopback would hang. For a
 * datagram without connection, and for unreachable UDP, EPERM is the only answer that comes at once.
 */
static __always_inline int refuse_by_address(struct bpf_sock_addr *ctx, const enum form form,
					     const struct request *request, const struct outcome *outcome,
					     const int family)
{
	union address to = {.word = {0, 0, bpf_htonl(0xffff), bpf_htonl(0x7f000001)}};
	bool refused = errno_of(outcome->reason) == ECONNREFUSED;
	bool unreachable = errno_of(outcome->reason) == EHOSTUNREACH;

	if (outcome->hook != HOOK_CONNECT || !(refused || (unreachable && request->proto == IPPROTO_TCP)))
		return REJECT;
	if (unreachable || (request->proto == IPPROTO_TCP && ctx->sk && ctx->sk->bound_dev_if)) {
		to.word[3] = 0xffffffff;
		if (family == AF_INET6)
			to = (union address){.word = {bpf_htonl(0xff020000), 0, 0, bpf_htonl(1)}};
	} else if (family == AF_INET6) {
		to = (union address){.word = {0, 0, 0, bpf_htonl(1)}};
	}
	ctx_set_address(ctx, form, &to, bpf_htons(1));
	return NEXT;
}

/* post_bind has another context and no address to send it to. */
static __always_inline int bind_verdict(struct bpf_sock *ctx, const struct request *request,
					const struct outcome *outcome, const int family)
{
	count_outcome(outcome);
	emit_event(ctx, request, outcome, family);
	if (can_set_retval())
		set_retval(-errno_of(outcome->reason));
	return REJECT;
}

static __always_inline int verdict(struct bpf_sock_addr *ctx, const enum form form, const struct request *request,
				   const struct outcome *outcome, const int family)
{
	count_outcome(outcome);
	emit_event(ctx, request, outcome, family);
	if (is_translated(outcome->reason))
		return NEXT;
	if (!can_set_retval())
		return refuse_by_address(ctx, form, request, outcome, family);
	set_retval(-errno_of(outcome->reason));
	return REJECT;
}
