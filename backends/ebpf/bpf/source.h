/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * loadBalancerSourceRanges: who may connect to a frontend that has them. The hooks run before the kernel chooses a
 * source address, so for a socket that is not bound to one it is the address that its network namespace prefers.
 */
#pragma once

#include "frontend.h"
#include "vmlinux-types.h"

static __always_inline bool in_source_ranges(const union address *source, __u32 service_port, const int family)
{
	if (family == AF_INET) {
		struct source4_key key = {
			.prefix_length = 64,
			.service_port = service_port,
			.addr = source->word[3],
		};

		return bpf_map_lookup_elem(&source4, &key);
	} else {
		struct source6_key key = {
			.prefix_length = 160,
			.service_port = service_port,
		};

		__builtin_memcpy(key.addr, source, sizeof(key.addr));
		return bpf_map_lookup_elem(&source6, &key);
	}
}

/* The address that the socket, or with sendmsg() the datagram, is bound to. False: none. */
static __always_inline bool bound_source(struct bpf_sock_addr *ctx, const enum hook hook, const int family,
					 union address *source)
{
	struct bpf_sock *sk = ctx->sk;

	if (family == AF_INET) {
		*source = address_from4(hook == HOOK_SENDMSG ? ctx->msg_src_ip4 : sk->src_ip4);
		return source->word[3];
	}
	if (hook == HOOK_SENDMSG) {
		source->word[0] = ctx->msg_src_ip6[0];
		source->word[1] = ctx->msg_src_ip6[1];
		source->word[2] = ctx->msg_src_ip6[2];
		source->word[3] = ctx->msg_src_ip6[3];
	} else {
		source->word[0] = sk->src_ip6[0];
		source->word[1] = sk->src_ip6[1];
		source->word[2] = sk->src_ip6[2];
		source->word[3] = sk->src_ip6[3];
	}
	return source->half[0] | source->half[1];
}

/* The namespace's inode number. The verifier allows no arithmetic on a socket, but on a number that is its address. */
static __always_inline __u32 netns_inode(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct sock *raw = NULL;

	bpf_probe_read_kernel(&raw, sizeof(raw), &sk);
	return raw ? BPF_CORE_READ(raw, __sk_common.skc_net.net, ns.inum) : 0;
}

/* Asks user space for the namespace's addresses. */
static __always_inline void note_missing(struct bpf_sock_addr *ctx, __u64 cookie)
{
	struct netns_missing missing = {
		.inode = netns_inode(ctx),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	bpf_map_update_elem(&netns_missing, &cookie, &missing, BPF_ANY);
}

static __always_inline bool preferred_source(struct bpf_sock_addr *ctx, const int family, union address *source)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	struct netns_value *value = bpf_map_lookup_elem(&netns, &cookie);

	if (value && value->version == RECORD_VERSION) {
		if (family == AF_INET && (value->flags & NETNS_SOURCE4)) {
			*source = address_from4(value->source4);
			return true;
		}
		if (family == AF_INET6 && (value->flags & NETNS_SOURCE6)) {
			load_address(source, value->source6);
			return true;
		}
	}
	/* An address may have come since the namespace was looked at. */
	note_missing(ctx, cookie);
	return false;
}

/* REASON_TRANSLATED: it may go on. */
static __always_inline enum reason check_source(struct bpf_sock_addr *ctx, const enum hook hook,
						const struct svc_value *svc, const int family)
{
	union address source;

	if (!bound_source(ctx, hook, family, &source) && !preferred_source(ctx, family, &source))
		return REASON_SOURCE_UNKNOWN;
	return in_source_ranges(&source, svc->service_port, family) ? REASON_TRANSLATED : REASON_SOURCE_BLOCKED;
}
