/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The selection core: from a Service to one backend of the list in force. Both families, all hooks and the test
 * program share it. Randomness, the clock and the client come in the request.
 */
#pragma once

#include "affinity.h"
#include "list.h"
#include "udp_record.h"

/* A list that flips between the two loads of a pick is read again. More than this many times: LIST_BUSY. */
#define PICK_TRIES 4

/* Distinct backends that are looked at for one that no other VIP of the socket has: more than there are slots. */
#define AVOID_TRIES (UDP_SLOTS + 4)

static __always_inline enum reason empty_reason(const struct range *range)
{
	return range->base == REASON_NO_LOCAL_ENDPOINTS ? REASON_NO_LOCAL_ENDPOINTS : REASON_NO_ENDPOINTS;
}

/* A random slot of the range; from there on the first that no other VIP of the socket has, if there is one. */
static __always_inline bool pick_slot(const struct request *request, const struct range *range, __u32 index,
				      const struct sk_udp *avoid, const int family, struct pick *pick)
{
	__u32 at = ((__u64)request->random * range->count) >> 32; /* multiply-shift: no division */
	struct pick next;

	if (!read_slot(range->base + at, index, family, pick))
		return false;
	if (!avoid || !taken_by_other(avoid, request, pick))
		return true;
	for (__u32 i = 1; i < AVOID_TRIES && i < range->count; i++) {
		at = at + 1 < range->count ? at + 1 : 0;
		if (!read_slot(range->base + at, index, family, &next))
			return false;
		if (!taken_by_other(avoid, request, &next)) {
			*pick = next;
			return true;
		}
	}
	return true;
}

/*
 * Chooses for a new connection or flow. avoid: the record of a UDP socket, whose other VIPs' backends are taken
 * only if there is no other; NULL where that is no question.
 */
static __always_inline enum reason select_backend(const struct request *request, const struct svc_value *svc,
						  const struct sk_udp *avoid, const int family, struct pick *pick)
{
	for (int i = 0; i < PICK_TRIES; i++) {
		struct range range;

		if (!load_range(svc->list, &range))
			return REASON_LIST_BUSY;
		if (!range.count)
			return empty_reason(&range);
		if (svc->affinity_timeout_s && affinity_get(request, svc, &range, family, pick))
			return REASON_TRANSLATED;
		if (!pick_slot(request, &range, svc->list, avoid, family, pick))
			continue;
		if (svc->affinity_timeout_s)
			affinity_put(request, svc, &range, family, pick);
		return REASON_TRANSLATED;
	}
	return REASON_LIST_BUSY;
}
