// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The hooks of cgroup sockets: thin shells that read the destination, ask the selection core, and write the
 * backend into the destination.
 */
#include "consts.h"
#include "maps.h"
#include "select.h"
#include "tcp_record.h"
#include "verdict.h"

char _license[] SEC("license") = "Dual BSD/GPL";

static __always_inline bool is_ours(const struct request *request)
{
	/* Resolvers connect() UDP sockets to port 0 to learn their source address: nothing is ever sent there. */
	return request->port && (request->proto == IPPROTO_TCP || request->proto == IPPROTO_UDP);
}

static __always_inline struct request request_of(struct bpf_sock_addr *ctx, const enum form form)
{
	return (struct request){
		.vip = ctx_address(ctx, form),
		.port = ctx->user_port,
		.proto = ctx->protocol,
	};
}

/* What only a Service needs to know, and only some of them. */
static __always_inline void complete(struct bpf_sock_addr *ctx, const struct svc_value *svc, struct request *request)
{
	request->random = bpf_get_prandom_u32();
	if (svc->affinity_timeout_s) {
		request->client = bpf_get_netns_cookie(ctx);
		request->now_ns = bpf_ktime_get_ns();
	}
}

static __always_inline int connect_to(struct bpf_sock_addr *ctx, const enum form form, const int family)
{
	struct request request = request_of(ctx, form);
	struct svc_value *svc = NULL;
	struct pick pick = {};
	struct outcome outcome = {.hook = HOOK_CONNECT, .service_port = NO_SERVICE_PORT, .pick = &pick};

	outcome.reason = is_ours(&request) ? find_frontend(&request, family, &svc) : REASON_NOT_A_SERVICE;
	if (outcome.reason == REASON_NOT_A_SERVICE) {
		tcp_forget(ctx->sk);
		return NEXT;
	}
	if (svc) {
		outcome.service_port = svc->service_port;
		complete(ctx, svc, &request);
		outcome.reason = select_backend(&request, svc, NULL, family, &pick);
	}
	if (outcome.reason == REASON_TRANSLATED) {
		if (record_tcp && !tcp_remember(ctx->sk, &request, svc->service_port, &pick))
			outcome.reason = REASON_RECORD_FAILED_TCP;
		ctx_set_address(ctx, form, &pick.addr, pick.port);
	}
	return verdict(ctx, form, &request, &outcome, family);
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return connect_to(ctx, FORM4, AF_INET);
}
