/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The count of open connections by backend. Who adds one notes it in the socket's record and takes it away once. */
#pragma once

#include "consts.h"
#include "maps.h"
#include "vmlinux-types.h"

/* False if it could not be counted: then it must not be taken away either. */
static __always_inline bool open_add(__u32 backend, __s64 n)
{
	struct backend_count *count = bpf_map_lookup_elem(&backend_count, &backend);

	if (!count)
		return false;
	__sync_fetch_and_add(&count->open, n);
	return true;
}

/*
 * TCP sockets that the kernel made for itself never pass sock_release: NFS, SMB, and the subflows of MPTCP. They
 * are translated, but an open count of theirs would stay for ever.
 */
static __always_inline bool is_kernel_tcp(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp && BPF_CORE_READ_BITFIELD((struct sock *)tp, sk_kern_sock);
}
