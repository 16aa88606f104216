/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Addresses are kept in one form: IPv6, with IPv4 as ::ffff:a.b.c.d. A socket of either family can hold an IPv4
 * peer, so that "which family" is asked of the address, never of the socket.
 */
#pragma once

#include "consts.h"

union address {
	__u32 word[4]; /* network byte order */
	__u64 half[2];
};

/* Which of user_ip4 and user_ip6 a hook may touch: decided by its attach point, not by user_family. */
enum form {
	FORM4,
	FORM6,
};

static __always_inline union address address_from4(__be32 addr)
{
	union address a = {.word = {0, 0, bpf_htonl(0xffff), addr}};

	return a;
}

static __always_inline bool is_mapped(const union address *a)
{
	return a->half[0] == 0 && a->word[2] == bpf_htonl(0xffff);
}

/*
 * 0 if equal. Comparisons are or-ed together rather than and-ed: each branch less halves what the verifier has to
 * walk through.
 */
static __always_inline __u64 address_diff(const union address *a, const __u64 *half)
{
	return (a->half[0] ^ half[0]) | (a->half[1] ^ half[1]);
}

/* b: 16 bytes, 8-byte aligned, as all addresses in socket records are. */
static __always_inline bool same_address(const union address *a, const void *b)
{
	const __u64 *half = b;

	return !address_diff(a, half);
}

static __always_inline void store_address(void *to, const union address *from)
{
	__u64 *half = to;

	half[0] = from->half[0];
	half[1] = from->half[1];
}

static __always_inline void load_address(union address *to, const void *from)
{
	const __u64 *half = from;

	to->half[0] = half[0];
	to->half[1] = half[1];
}

/*
 * Loopback and "any" (which means loopback) are nobody's Service. Asked before the maps: address 0 is the key
 * of NodePorts there.
 */
static __always_inline bool is_local_only(const union address *a, const int family)
{
	if (family == AF_INET)
		return a->word[3] == 0 || (a->word[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	return a->half[0] == 0 && a->word[2] == 0 && (a->word[3] == 0 || a->word[3] == bpf_htonl(1));
}

static __always_inline union address ctx_address(struct bpf_sock_addr *ctx, const enum form form)
{
	union address a;

	if (form == FORM4)
		return address_from4(ctx->user_ip4);
	a.word[0] = ctx->user_ip6[0];
	a.word[1] = ctx->user_ip6[1];
	a.word[2] = ctx->user_ip6[2];
	a.word[3] = ctx->user_ip6[3];
	return a;
}

static __always_inline void ctx_set_address(struct bpf_sock_addr *ctx, const enum form form, const union address *a,
					    __be16 port)
{
	if (form == FORM4) {
		ctx->user_ip4 = a->word[3];
	} else {
		ctx->user_ip6[0] = a->word[0];
		ctx->user_ip6[1] = a->word[1];
		ctx->user_ip6[2] = a->word[2];
		ctx->user_ip6[3] = a->word[3];
	}
	ctx->user_port = port;
}
