// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * What no datapath at these hooks can be cheaper than: programs that do nothing, and programs that do nothing but
 * give each socket a record of the size of ours.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

struct record {
	__u8 bytes[80]; /* struct sk_tcp of the datapath */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct record);
} record SEC(".maps");

SEC("cgroup/connect4")
int empty_connect4(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return 1;
}

SEC("cgroup/sock_release")
int empty_sock_release(struct bpf_sock *sk)
{
	(void)sk;
	return 1;
}

SEC("cgroup/connect4")
int record_connect4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (sk)
		bpf_sk_storage_get(&record, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return 1;
}
