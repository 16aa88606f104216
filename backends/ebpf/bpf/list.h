/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Backend lists as the programs see them. A list flips in one 8-byte store of user space and its old slots stay
 * as they are until no program that began before the flip runs any more, so a range once loaded can be used
 * to the end. Slots name their list all the same: what user space got wrong shows as a retry, not as a connection
 * to somebody else's backend.
 */
#pragma once

#include "address.h"
#include "maps.h"

/* Enough for lists of 2^20 backends. */
#define SEARCH_STEPS 20

struct range {
	__u32 base;
	__u32 count;
};

/* A backend, copied out of its slot. */
struct pick {
	union address addr;
	__be16 port;
	__u16 generation;
	__u32 backend; /* id */
	__u32 slot;
};

/* One 8-byte load: base and count always belong together. */
static __always_inline bool load_range(__u32 index, struct range *range)
{
	struct list_entry *entry = bpf_map_lookup_elem(&list, &index);
	__u64 word;

	if (!entry)
		return false;
	word = *(volatile __u64 *)entry;
	range->base = (__u32)word;
	range->count = word >> 32;
	return true;
}

/* False if the slot does not belong to the list. */
static __always_inline bool read_slot(__u32 slot, __u32 index, const int family, struct pick *pick)
{
	pick->slot = slot;
	if (family == AF_INET) {
		struct backend4 *b = bpf_map_lookup_elem(&backend4, &slot);

		if (!b)
			return false;
		pick->addr = address_from4(b->addr);
		pick->port = b->port;
		pick->generation = b->generation;
		pick->backend = b->id;
		return *(volatile __u32 *)&b->list == index;
	} else {
		struct backend6 *b = bpf_map_lookup_elem(&backend6, &slot);

		if (!b)
			return false;
		pick->addr.word[0] = ((__u32 *)b->addr)[0];
		pick->addr.word[1] = ((__u32 *)b->addr)[1];
		pick->addr.word[2] = ((__u32 *)b->addr)[2];
		pick->addr.word[3] = ((__u32 *)b->addr)[3];
		pick->port = b->port;
		pick->generation = b->generation;
		pick->backend = b->id;
		return *(volatile __u32 *)&b->list == index;
	}
}

#define NO_SLOT 0xffffffffU

/*
 * Binary search by id: the slot, or NO_SLOT. Global functions on purpose: the verifier walks through them once, not
 * once for every state that a caller may be in.
 */
__noinline __u32 find_slot4(__u32 base, __u32 count, __u32 id)
{
	__u32 low = base, high = base + count;

#pragma clang loop unroll(disable)
	for (int i = 0; i < SEARCH_STEPS && low < high; i++) {
		__u32 middle = low + (high - low) / 2;
		struct backend4 *b = bpf_map_lookup_elem(&backend4, &middle);

		if (!b || b->id == id)
			return b ? middle : NO_SLOT;
		if (b->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NO_SLOT;
}

__noinline __u32 find_slot6(__u32 base, __u32 count, __u32 id)
{
	__u32 low = base, high = base + count;

#pragma clang loop unroll(disable)
	for (int i = 0; i < SEARCH_STEPS && low < high; i++) {
		__u32 middle = low + (high - low) / 2;
		struct backend6 *b = bpf_map_lookup_elem(&backend6, &middle);

		if (!b || b->id == id)
			return b ? middle : NO_SLOT;
		if (b->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NO_SLOT;
}

/* Found only if the id still means what it meant: same generation. */
static __always_inline bool find_backend(const struct range *range, __u32 index, __u32 id, __u16 generation,
					 const int family, struct pick *pick)
{
	__u32 slot = family == AF_INET ? find_slot4(range->base, range->count, id)
				       : find_slot6(range->base, range->count, id);

	return slot != NO_SLOT && read_slot(slot, index, family, pick) && pick->generation == generation;
}
