/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Every kind of type that bindings must cope with. Compiled by the tests of bpf2ts. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

typedef __u16 port_t;
typedef const volatile port_t sealed_port_t;

enum color {
	COLOR_RED = 1,
	COLOR_GREEN = 2,
};

enum big {
	BIG_SMALL = 1,
	BIG_LARGE = 0x7fffffff,
};

struct unknown;

struct point {
	__s32 x;
	__s32 y;
};

struct kinds {
	char name[12];
	bool on;
	__u8 kind; /* three bytes of padding behind it */
	__be16 port;
	__be32 addr;
	__be64 cookie;
	__s8 tiny;
	__s16 small;
	__s64 large;
	sealed_port_t sealed;
	enum color color;
	__u32 low : 3;
	__s32 middle : 13;
	__u32 high : 16;
	__u64 wide : 40;
	__u64 rest : 24;
	struct {
		__u32 left;
		__u32 right;
	};
	union {
		__u64 whole;
		__u32 halves[2];
	};
	union {
		struct point point;
		__u64 word;
	} choice;
	struct {
		__u8 inner[3];
	} unnamed;
	__u32 grid[2][3];
	struct point path[4];
	__u8 matrix[2][4];
	struct in6_addr ip;
	struct unknown *next;
	double ratio;
	float share;
	__u8 reserved[4];
	__u8 default_;
	__u32 tail[];
} __attribute__((aligned(8)));

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 7);
	__type(key, struct in6_addr);
	__type(value, struct kinds);
} by_address SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__uint(value_size, 8);
} plain SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3);
	__type(key, __be32);
	__type(value, struct point[2]);
} pairs SEC(".maps");

struct {
	enum color color;
	enum big big;
} bindings SEC(".bpf2ts");

const volatile __u32 limit = 5;
const volatile struct point origin = {1, 2};

__attribute__((noinline)) int helper(int x)
{
	return x + limit + origin.x;
}

SEC("socket")
int first(struct __sk_buff *skb)
{
	return helper(skb->len);
}

SEC("socket/second")
int second(struct __sk_buff *skb)
{
	return skb->len;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
