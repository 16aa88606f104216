/* SPDX-License-Identifier: Apache-2.0 */
/* Times, and what is told of them. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Nanoseconds, one value each time. */
struct series {
	uint32_t *ns;
	size_t count;
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static struct series series_of(size_t room)
{
	struct series series = {.ns = calloc(room, sizeof(uint32_t))};

	if (!series.ns) {
		perror("calloc");
		exit(1);
	}
	return series;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* "name":{"n":…,"p50_ns":…,"p99_ns":…,"min_ns":…} */
static void print_series(const char *name, struct series *series)
{
	qsort(series->ns, series->count, sizeof(uint32_t), compare);
	printf("\"%s\":{\"n\":%zu,\"p50_ns\":%u,\"p99_ns\":%u,\"min_ns\":%u}", name, series->count,
	       series->ns[series->count / 2], series->ns[series->count * 99 / 100], series->ns[0]);
}
