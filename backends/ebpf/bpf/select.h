/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The selection core: from a Service to one backend of the list in force. Both families, all hooks and the test
 * program share it. Randomness, the clock and the client come in the request.
 */
#pragma once

#include "affinity.h"
#include "list.h"
#include "udp_overflow.h"

/* A list that flips between the two loads of a pick is read again. More than this many times: LIST_BUSY. */
#define PICK_TRIES 4

/* Distinct backends that are looked at for one that no other VIP of the socket has: more than there are slots. */
#define AVOID_TRIES (UDP_SLOTS + 2)

static __always_inline enum reason empty_reason(const struct range *range)
{
	return range->base == REASON_NO_LOCAL_ENDPOINTS ? REASON_NO_LOCAL_ENDPOINTS : REASON_NO_ENDPOINTS;
}

static __always_inline enum reason pick_random(const struct request *request, __u32 index, const int family,
					       struct range *range, struct pick *pick)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < PICK_TRIES; i++) {
		if (!load_range(index, range))
			return REASON_LIST_BUSY;
		if (!range->count)
			return empty_reason(range);
		/* Multiply-shift: no division. */
		if (read_slot(range->base + (((__u64)request->random * range->count) >> 32), index, family, pick))
			return REASON_TRANSLATED;
	}
	return REASON_LIST_BUSY;
}

/* From *pick on the first that no other VIP of the socket has; *pick itself if all are taken. */
static __always_inline void avoid_taken(const struct request *request, const struct range *range, __u32 index,
					const struct sk_udp *record, const int family, struct pick *pick)
{
	__u32 at = pick->slot - range->base;
	struct pick next = *pick;

#pragma clang loop unroll(disable)
	for (__u32 i = 1; i < AVOID_TRIES && i <= range->count; i++) {
		if (!taken_by_other(record, request, &next)) {
			*pick = next;
			return;
		}
		at = at + 1 < range->count ? at + 1 : 0;
		if (!read_slot(range->base + at, index, family, &next))
			return;
	}
}

/*
 * Chooses for a new connection or flow. record: of a UDP socket, whose other VIPs' backends are taken only if
 * there is no other; NULL where that is no question.
 */
static __always_inline enum reason select_backend(const struct request *request, const struct svc_value *svc,
						  const struct sk_udp *record, const int family, struct pick *pick)
{
	struct range range;
	enum reason reason;

	if (unlikely(svc->affinity_timeout_s) && load_range(svc->list, &range) &&
	    affinity_get(request, svc, &range, family, pick))
		return REASON_TRANSLATED;
	reason = pick_random(request, svc->list, family, &range, pick);
	if (reason != REASON_TRANSLATED)
		return reason;
	if (unlikely(record))
		avoid_taken(request, &range, svc->list, record, family, pick);
	if (unlikely(svc->affinity_timeout_s))
		affinity_put(request, svc, &range, family, pick);
	return REASON_TRANSLATED;
}
