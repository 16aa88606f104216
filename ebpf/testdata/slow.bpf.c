/* SPDX-License-Identifier: Apache-2.0 */
/* A program that runs for a while: for what waits until programs have ended. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 duration_ns = 1;

enum progress_index {
	BEGUN = 0,
	ENDED = 1,
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

static long is_late(__u32 round, void *deadline)
{
	return bpf_ktime_get_ns() > *(__u64 *)deadline;
}

SEC("tc")
int slow(struct __sk_buff *skb)
{
	__u64 deadline = bpf_ktime_get_ns() + duration_ns;

	mark(BEGUN);
	bpf_loop(1 << 23, is_late, &deadline, 0);
	mark(ENDED);
	return 0;
}
