/* SPDX-License-Identifier: Apache-2.0 */
/* A program that runs for a while and says so: for what waits until programs have ended. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 rounds = 1;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2); /* 0: begun, 1: ended */
	__type(key, __u32);
	__type(value, __u64);
} progress SEC(".maps");

static __always_inline void mark(__u32 index)
{
	__u64 *n = bpf_map_lookup_elem(&progress, &index);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static long idle(__u32 index, void *context)
{
	return bpf_ktime_get_ns() == 0;
}

SEC("tc")
int slow(struct __sk_buff *skb)
{
	mark(0);
	bpf_loop(rounds, idle, (void *)0, 0);
	mark(1);
	return 0;
}
