/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a TCP socket was translated from and to, and the count of open connections that goes with it. */
#pragma once

#include "frontend.h"
#include "list.h"
#include "open.h"
#include "record_version.h"

static __always_inline struct sk_tcp *tcp_record(struct bpf_sock *sk)
{
	struct sk_tcp *record = bpf_sk_storage_get(&sk_tcp, sk, NULL, 0);

	return record && can_read(record->version) && (record->flags & SK_TCP_USED) ? record : NULL;
}

/* The connection is over, or another one takes its place. */
static __always_inline void tcp_record_end(struct sk_tcp *record)
{
	__u8 flags = record->flags;

	record->flags = 0;
	barrier();
	if (flags & SK_TCP_OPEN)
		open_add(record->backend, -1);
}

/* The same of a record that cannot be read: all that is known of it is what was counted. */
static __always_inline void tcp_unknown_end(struct sk_tcp *record)
{
	if (!(record->flags & SK_TCP_OPEN))
		return;
	record->flags &= ~SK_TCP_OPEN;
	barrier();
	open_add(record->backend, -1);
}

/* A connect() to something else: getpeername must not show the Service of the connection before. */
static __always_inline void tcp_forget(struct bpf_sock *sk)
{
	struct sk_tcp *record = bpf_sk_storage_get(&sk_tcp, sk, NULL, 0);

	if (!record)
		return;
	if (can_read(record->version))
		tcp_record_end(record);
	else if (unlikely(record->version))
		tcp_unknown_end(record);
}

/* False if there is no memory for it. */
static __always_inline bool tcp_remember(struct bpf_sock *sk, const struct request *request, __u32 service_port,
					 const struct pick *pick)
{
	struct sk_tcp *record = bpf_sk_storage_get(&sk_tcp, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	bool counted;

	if (!record)
		return false;
	if (can_read(record->version)) {
		tcp_record_end(record);
	} else if (unlikely(record->version)) {
		tcp_unknown_end(record);
		*record = (struct sk_tcp){};
	}
	record->version = RECORD_VERSION;
	record->vip_port = request->port;
	record->backend_port = pick->port;
	record->generation = pick->generation;
	record->backend = pick->backend;
	record->service_port = service_port;
	record->tgid = bpf_get_current_pid_tgid() >> 32;
	store_address(record->vip, &request->vip);
	store_address(record->backend_addr, &pick->addr);
	counted = !is_kernel_tcp(sk) && open_add(pick->backend, 1);
	barrier();
	record->flags = SK_TCP_USED | (counted ? SK_TCP_OPEN : 0);
	return true;
}
