/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Records of the living maps outlive the programs that wrote them. Those of a version that these programs cannot read
 * count as absent: nothing in them is believed, and who has something to remember begins them anew.
 */
#pragma once

#include "count.h"

static __always_inline bool is_readable(__u8 version)
{
	return version >= RECORD_OLDEST && version <= RECORD_NEWEST;
}

/* False also for memory that nobody has written to yet: version 0. */
static __always_inline bool can_read(__u8 version)
{
	if (is_readable(version))
		return true;
	if (unlikely(version))
		count_reason(REASON_RECORD_UNKNOWN);
	return false;
}
