/* SPDX-License-Identifier: Apache-2.0 */
/* A program that the verifier takes many milliseconds for. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

#define ROUNDS 50000

SEC("tc")
int rounds(struct __sk_buff *skb)
{
	__u32 sum = skb->len;

#pragma clang loop unroll(disable)
	for (__u32 round = 0; round < ROUNDS; round++)
		sum = sum * 3 + *(volatile __u32 *)&skb->hash;
	return sum;
}
