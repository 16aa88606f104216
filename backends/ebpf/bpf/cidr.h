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

static __always_inline bool in_service_cidr(const union address *a, const int family)
{
	__u32 zero = 0;
	struct cfg *c = bpf_map_lookup_elem(&cfg, &zero);

	if (!c)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_SERVICE_CIDRS; i++) {
		if (family == AF_INET) {
			if (i >= c->cidr4_count)
				return false;
			if ((a->word[3] & c->cidr4[i].mask) == c->cidr4[i].addr)
				return true;
		} else {
			if (i >= c->cidr6_count)
				return false;
			if (in_cidr6(a, &c->cidr6[i]))
				return true;
		}
	}
	return false;
}
