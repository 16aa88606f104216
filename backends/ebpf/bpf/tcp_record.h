/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a TCP socket was translated from and to, and the count of open connections that goes with it. */
#pragma once

#include "frontend.h"
#include "list.h"
#include "vmlinux-types.h"

static __always_inline void open_add(__u32 backend, __s64 n, bool *counted)
{
	struct backend_count *count = bpf_map_lookup_elem(&backend_count, &backend);

	*counted = count;
	if (count)
		__sync_fetch_and_add(&count->open, n);
}

/*
 * Sockets that the kernel made for itself never pass sock_release: NFS, SMB, and the TCP subflows of MPTCP. They
 * are translated, but an open count of theirs would stay for ever.
 */
static __always_inline bool is_kernel_socket(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp && BPF_CORE_READ_BITFIELD((struct sock *)tp, sk_kern_sock);
}

/* The connection is over, or another one takes its place. */
static __always_inline void tcp_record_end(struct sk_tcp *record)
{
	bool counted;

	if (record->flags & SK_TCP_OPEN)
		open_add(record->backend, -1, &counted);
	record->flags = 0;
}

/* A connect() to something else: getpeername must not show the Service of the connection before. */
static __always_inline void tcp_forget(struct bpf_sock *sk)
{
	struct sk_tcp *record = bpf_sk_storage_get(&sk_tcp, sk, NULL, 0);

	if (record)
		tcp_record_end(record);
}

/* False if there is no memory for it. */
static __always_inline bool tcp_remember(struct bpf_sock *sk, const struct request *request, __u32 service_port,
					 const struct pick *pick)
{
	struct sk_tcp *record = bpf_sk_storage_get(&sk_tcp, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	bool counted = false;

	if (!record)
		return false;
	tcp_record_end(record);
	barrier();
	record->version = RECORD_VERSION;
	record->vip_port = request->port;
	record->backend_port = pick->port;
	record->generation = pick->generation;
	record->backend = pick->backend;
	record->service_port = service_port;
	record->tgid = bpf_get_current_pid_tgid() >> 32;
	store_address(record->vip, &request->vip);
	store_address(record->backend_addr, &pick->addr);
	if (!is_kernel_socket(sk))
		open_add(pick->backend, 1, &counted);
	barrier();
	record->flags = SK_TCP_USED | (counted ? SK_TCP_OPEN : 0);
	return true;
}
