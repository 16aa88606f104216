/* SPDX-License-Identifier: Apache-2.0 */
/* Changes its context. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int mark(struct __sk_buff *skb)
{
	skb->mark += 1;
	return -5;
}
