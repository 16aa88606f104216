/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Is an address in one of the cluster's ServiceCIDRs? A handful at most: compared one by one. */
#pragma once

#include "address.h"
#include "maps.h"

static __always_inline bool in_cidr6(const union address *a, const struct cidr6 *cidr)
{
	const __u32 *addr = (const __u32 *)cidr->addr;
	const __u32 *mask = (const __u32 *)cidr->mask;

	return (a->word[0] & mask[0]) == addr[0] && (a->word[1] & mask[1]) == addr[1] &&
	       (a->word[2] & mask[2]) == addr[2] && (a->word[3] & mask[3]) == addr[3];
}

/* *filtered: what is in none may be asked of the map outside. */
static __always_inline bool in_service_cidr(const union address *a, const int family, bool *filtered)
{
	__u32 zero = 0, count;
	struct cfg *c = bpf_map_lookup_elem(&cfg, &zero);
	__u64 word;

	*filtered = false;
	if (!c)
		return false;
	word = *(volatile __u64 *)c;
	*filtered = (word >> 32) & CFG_OUTSIDE;
	count = family == AF_INET ? (__u16)word : (__u16)(word >> 16);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_SERVICE_CIDRS && i < count; i++) {
		if (family == AF_INET) {
			if ((a->word[3] & c->cidr4[i].mask) == c->cidr4[i].addr)
				return true;
		} else if (in_cidr6(a, &c->cidr6[i])) {
			return true;
		}
	}
	return false;
}

/* Multiplicative hashing: the golden ratio of 2^32. User space has the same (outside-filter.ts). */
#define HASH_FACTOR 0x9e3779b1U

/* False: in no ServiceCIDR and in no map either. */
static __always_inline bool may_be_outside(const union address *a, const int family)
{
	__u32 hash = a->word[3], index;
	__u64 *bits;

	if (family == AF_INET6) {
		hash = a->word[0];
		hash = hash * HASH_FACTOR + a->word[1];
		hash = hash * HASH_FACTOR + a->word[2];
		hash = hash * HASH_FACTOR + a->word[3];
	}
	hash = (hash * HASH_FACTOR) >> 20; /* 12 bits: OUTSIDE_BITS */
	index = hash / 64;
	bits = bpf_map_lookup_elem(&outside, &index);
	return !bits || (*(volatile __u64 *)bits >> (hash % 64) & 1);
}
