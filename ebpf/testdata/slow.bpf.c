/* SPDX-License-Identifier: Apache-2.0 */
/* A program that runs until it is told to end: for what waits until programs have ended. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

enum progress_index {
	BEGUN = 0,
	STOP = 1, /* written by user space */
	ENDED = 2,
	PROGRESS_MAX,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PROGRESS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} progress SEC(".maps");

static __always_inline void mark(__u32 index)
{
	__u64 *n = bpf_map_lookup_elem(&progress, &index);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static long look(__u32 round, void *context)
{
	__u32 index = STOP;
	volatile __u64 *stop = bpf_map_lookup_elem(&progress, &index);

	return bpf_ktime_get_ns() == 0 || !stop || *stop;
}

static long look_often(__u32 round, void *context)
{
	bpf_loop(1 << 20, look, (void *)0, 0);
	return look(round, context);
}

/* Ends by itself after some seconds. */
SEC("tc")
int slow(struct __sk_buff *skb)
{
	mark(BEGUN);
	bpf_loop(128, look_often, (void *)0, 0);
	mark(ENDED);
	return 0;
}
