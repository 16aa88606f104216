// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Iterators over counters per CPU of another size: each adds what is in one map to the other, and takes it away where
 * it was. Programs may go on counting in both. User space could only overwrite the values of all CPUs, and lose what
 * is counted meanwhile.
 */
#include "consts.h"
#include "maps.h"
#include "vmlinux-types.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* The kernel gives a pass up that goes over 1,000,000 entries without a word. */
#define MAX_SILENT 65536

/* How many values an entry has: all CPUs that there could ever be. */
const volatile __u32 possible_cpus = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct service_count);
} service_count_before SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reason_count_before SEC(".maps");

/*
 * Of an entry only the sum over all CPUs counts: taken away on this one, it leaves a sum of 0 and what was counted
 * since it was read. All in one run, which nobody can kill halfway.
 */
static __always_inline int move_counts(struct bpf_iter__bpf_map_elem *ctx, void *before, void *now, const int words)
{
	__u64 *from, *to, *value = ctx->value, sum[4] = {}, any = 0;
	const __u32 *index = ctx->key;
	__u32 key;

	if (!index || !value)
		return 0;
	key = *index;
	if (key % MAX_SILENT == 0)
		bpf_seq_write(ctx->meta->seq, &key, sizeof(key));
	for (__u32 cpu = 0; cpu < possible_cpus; cpu++, value += words)
		for (int i = 0; i < words; i++)
			sum[i] += value[i];
	for (int i = 0; i < words; i++)
		any |= sum[i];
	if (!any)
		return 0;
	from = bpf_map_lookup_elem(before, &key);
	to = bpf_map_lookup_elem(now, &key);
	if (!from || !to)
		return 0;
	for (int i = 0; i < words; i++) {
		__sync_fetch_and_add(&to[i], sum[i]);
		__sync_fetch_and_add(&from[i], -sum[i]);
	}
	return 0;
}

SEC("iter/bpf_map_elem")
int move_service_count(struct bpf_iter__bpf_map_elem *ctx)
{
	return move_counts(ctx, &service_count_before, &service_count, sizeof(struct service_count) / sizeof(__u64));
}

SEC("iter/bpf_map_elem")
int move_reason_count(struct bpf_iter__bpf_map_elem *ctx)
{
	return move_counts(ctx, &reason_count_before, &reason_count, 1);
}
