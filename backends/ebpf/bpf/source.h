/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* loadBalancerSourceRanges: who may connect to a frontend that has them. */
#pragma once

#include "address.h"
#include "maps.h"

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
