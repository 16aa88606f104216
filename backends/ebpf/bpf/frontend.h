/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* From a destination to the Service that it belongs to, or the reason why there is none. */
#pragma once

#include "address.h"
#include "cidr.h"
#include "maps.h"

/* What a hook asks of the selection core. */
struct request {
	union address vip;
	__be16 port;
	__u8 proto;
	__u32 random;
	__u64 client; /* netns cookie; read only with session affinity */
	__u64 now_ns; /* CLOCK_MONOTONIC; read only with session affinity and by UDP flows */
	__u64 socket; /* cookie; read only of UDP sockets whose flows overflow */
};

static __always_inline struct svc_value *lookup_svc(const union address *addr, __be16 port, __u8 proto,
						    const int family)
{
	if (family == AF_INET) {
		struct svc4_key key = {
			.addr = addr->word[3],
			.port = port,
			.proto = proto,
			.scope = SCOPE_INSIDE,
		};

		return bpf_map_lookup_elem(&svc4, &key);
	} else {
		struct svc6_key key __attribute__((aligned(8))) = {
			.port = port,
			.proto = proto,
			.scope = SCOPE_INSIDE,
		};

		store_address(key.addr, addr);
		return bpf_map_lookup_elem(&svc6, &key);
	}
}

/* The frontend that all NodePort addresses of this node share. */
static __always_inline struct svc_value *lookup_node_port(__be16 port, __u8 proto, const int family)
{
	union address any = {};

	return lookup_svc(&any, port, proto, family);
}

static __always_inline __u32 address_flags(const union address *addr, const int family)
{
	struct addr_value *value;

	if (family == AF_INET) {
		__be32 key = addr->word[3];

		value = bpf_map_lookup_elem(&addr4, &key);
	} else {
		union address key = *addr;

		value = bpf_map_lookup_elem(&addr6, &key);
	}
	return value ? value->flags : 0;
}

/*
 * REASON_TRANSLATED: *svc is set. Otherwise what to do without one. In the order that costs least: a ClusterIP is in
 * a ServiceCIDR and takes one lookup; what is in none takes a bit, seldom a lookup, to know that nobody has it, for
 * the address of every frontend is in addr4 or addr6, and its bit set, before that is.
 */
static __always_inline enum reason find_frontend(const struct request *request, const int family,
						 struct svc_value **svc)
{
	bool in_cidr, filtered;
	__u32 flags;

	if (is_local_only(&request->vip, family))
		return REASON_NOT_A_SERVICE;
	in_cidr = in_service_cidr(&request->vip, family, &filtered);
	if (in_cidr) {
		*svc = lookup_svc(&request->vip, request->port, request->proto, family);
		if (*svc)
			return REASON_TRANSLATED;
	}

	if (!in_cidr && filtered && !may_be_outside(&request->vip, family))
		return REASON_NOT_A_SERVICE;
	flags = address_flags(&request->vip, family);
	if (!flags)
		return in_cidr ? REASON_UNALLOCATED : REASON_NOT_A_SERVICE;
	if (!in_cidr && (flags & (ADDR_CLUSTER_IP | ADDR_EXTERNAL))) {
		*svc = lookup_svc(&request->vip, request->port, request->proto, family);
		if (*svc)
			return REASON_TRANSLATED;
	}
	if (flags & ADDR_NODE) {
		*svc = lookup_node_port(request->port, request->proto, family);
		if (*svc)
			return REASON_TRANSLATED;
	}
	return flags & ADDR_CLUSTER_IP ? REASON_UNKNOWN_PORT : REASON_NOT_A_SERVICE;
}
