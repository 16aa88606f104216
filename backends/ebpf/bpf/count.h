/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Counters that programs add to. */
#pragma once

#include "consts.h"
#include "maps.h"

/* Atomic also where the memory is a CPU's own: a hook may be preempted by a task that runs one, too. */
static __always_inline void increment(__u64 *count)
{
	__sync_fetch_and_add(count, 1);
}

static __always_inline void count_reason(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&reason_count, &reason);

	if (count)
		increment(count);
}
