/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which source address a socket has. The hooks run before the kernel chooses one, so for a socket that is not bound
 * it is the address that its network namespace prefers.
 */
#pragma once

#include "record_version.h"
#include "source.h"
#include "vmlinux-types.h"

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

	if (value && can_read(value->version)) {
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

static __always_inline int source_reason(struct bpf_sock_addr *ctx, const enum hook hook, __u32 service_port,
					 const int family)
{
	union address source;

	if (!bound_source(ctx, hook, family, &source) && !preferred_source(ctx, family, &source))
		return REASON_SOURCE_UNKNOWN;
	return in_source_ranges(&source, service_port, family) ? REASON_TRANSLATED : REASON_SOURCE_BLOCKED;
}

/* Functions of their own, out of the way of connections to Services that everybody may call. */
static __noinline int connect_source4(struct bpf_sock_addr *ctx, __u32 service_port)
{
	return source_reason(ctx, HOOK_CONNECT, service_port, AF_INET);
}

static __noinline int connect_source6(struct bpf_sock_addr *ctx, __u32 service_port)
{
	return source_reason(ctx, HOOK_CONNECT, service_port, AF_INET6);
}

static __noinline int send_source4(struct bpf_sock_addr *ctx, __u32 service_port)
{
	return source_reason(ctx, HOOK_SENDMSG, service_port, AF_INET);
}

static __noinline int send_source6(struct bpf_sock_addr *ctx, __u32 service_port)
{
	return source_reason(ctx, HOOK_SENDMSG, service_port, AF_INET6);
}

/* REASON_TRANSLATED: it may go on. */
static __always_inline enum reason check_source(struct bpf_sock_addr *ctx, const enum hook hook,
						const struct svc_value *svc, const int family)
{
	if (hook == HOOK_CONNECT)
		return family == AF_INET ? connect_source4(ctx, svc->service_port)
					 : connect_source6(ctx, svc->service_port);
	return family == AF_INET ? send_source4(ctx, svc->service_port) : send_source6(ctx, svc->service_port);
}
