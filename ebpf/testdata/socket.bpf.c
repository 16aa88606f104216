/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks of a cgroup, socket storage and an iterator over it: what the tests attach. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile _Bool let_through = 1;
const volatile __u32 mark = 7;
const volatile __u64 wide = 9;

struct record {
	__u64 cookie;
	__u32 port; /* network byte order */
	__u32 mark;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct record);
} record SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} count SEC(".maps");

static __always_inline void add(__u32 index)
{
	__u64 *n = bpf_map_lookup_elem(&count, &index);

	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("cgroup/connect4")
int first(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct record *r;

	add(0);
	if (!sk)
		return let_through;
	r = bpf_sk_storage_get(&record, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (r) {
		r->cookie = bpf_get_socket_cookie(ctx);
		r->port = ctx->user_port;
		r->mark = mark;
	}
	return let_through;
}

SEC("cgroup/connect4")
int second(struct bpf_sock_addr *ctx)
{
	add(1);
	return 1;
}

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_map;
struct sock;

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
} __attribute__((preserve_access_index));

SEC("iter/bpf_sk_storage_map")
int rows(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct record *r = ctx->value;

	if (ctx->sk && r)
		bpf_seq_write(ctx->meta->seq, r, sizeof(*r));
	return 0;
}
