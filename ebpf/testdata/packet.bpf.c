/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that BPF_PROG_TEST_RUN can run: data, events, a loop that takes its time. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

struct event {
	__u64 number;
	__u32 length;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} event SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

__u64 sent;

SEC("tc")
int swap_first(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data;
	__u8 *end = (void *)(long)skb->data_end;

	if (data + 2 > end)
		return -1;
	__u8 first = data[0];

	data[0] = data[1];
	data[1] = first;
	return skb->len;
}

/* Sends an event, or every other one only reserves room and gives it back. */
SEC("tc")
int send_event(struct __sk_buff *skb)
{
	struct event *e = bpf_ringbuf_reserve(&event, sizeof(*e), 0);
	__u32 zero = 0;

	if (!e) {
		__u64 *n = bpf_map_lookup_elem(&lost, &zero);

		if (n)
			*n += 1;
		return 1;
	}
	e->number = __sync_fetch_and_add(&sent, 1);
	e->length = skb->len;
	e->reserved = 0;
	if (skb->mark == 1)
		bpf_ringbuf_discard(e, 0);
	else
		bpf_ringbuf_submit(e, 0);
	return 0;
}
