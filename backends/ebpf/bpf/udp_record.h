/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The flows that a UDP socket remembers. The hooks of one socket run one at a time, under its lock; only the
 * iterators look in from outside, so a flow is void while it is being written.
 */
#pragma once

#include "frontend.h"
#include "list.h"

static __always_inline bool flow_has_vip(const struct udp_flow *flow, const struct request *request)
{
	return (flow->flags & UDP_FLOW_USED) && flow->vip_port == request->port &&
	       same_address(&request->vip, flow->vip);
}

static __always_inline bool flow_has_backend(const struct udp_flow *flow, const union address *addr, __be16 port)
{
	return (flow->flags & UDP_FLOW_USED) && flow->backend_port == port && same_address(addr, flow->backend_addr);
}

/* Does another VIP of this socket go to this very backend? */
static __always_inline bool taken_by_other(const struct sk_udp *record, const struct request *request,
					   const struct pick *pick)
{
	for (int i = 0; i < UDP_SLOTS; i++) {
		const struct udp_flow *flow = &record->slot[i];

		if (flow_has_backend(flow, &pick->addr, pick->port) && !flow_has_vip(flow, request))
			return true;
	}
	return false;
}
