// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The hooks of cgroup sockets: thin shells that read the destination, ask the selection core, and write the
 * backend into the destination; and, on the way back, the Service into the source. All say "next" to what is not
 * ours. "4" and "6" are the form of the address, not its family: connect6 also sees IPv4-mapped addresses.
 */
#include "consts.h"
#include "maps.h"
#include "select.h"
#include "socket_source.h"
#include "tcp_record.h"
#include "udp_flow.h"
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

/* What only Services need to know, and only some of them. */
static __always_inline void complete(struct bpf_sock_addr *ctx, const struct svc_value *svc, struct request *request)
{
	request->random = bpf_get_prandom_u32();
	if (svc->affinity_timeout_s || request->proto == IPPROTO_UDP)
		request->now_ns = bpf_ktime_get_ns();
	if (svc->affinity_timeout_s)
		request->client = bpf_get_netns_cookie(ctx);
}

static __always_inline void forget(struct bpf_sock *sk, __u8 proto)
{
	if (proto == IPPROTO_TCP)
		tcp_forget(sk);
	else if (proto == IPPROTO_UDP)
		udp_forget(sk);
}

static __always_inline enum reason connect_choice(struct bpf_sock_addr *ctx, struct request *request,
						  const struct svc_value *svc, const int family, struct pick *pick)
{
	struct sk_udp *record = NULL;

	if (unlikely(request->proto == IPPROTO_UDP)) {
		record = udp_record_for(ctx, request);
		if (record && udp_recall(ctx->sk, record, request, svc, true, family, pick))
			return REASON_TRANSLATED;
	}
	return select_backend(request, svc, record, family, pick);
}

static __always_inline enum reason remember(struct bpf_sock_addr *ctx, const struct request *request,
					    __u32 service_port, const struct pick *pick)
{
	if (unlikely(request->proto == IPPROTO_UDP))
		return udp_remember_connected(ctx, request, service_port, pick) ? REASON_TRANSLATED
										: REASON_RECORD_FAILED_UDP;
	if (record_tcp && !tcp_remember(ctx->sk, request, service_port, pick))
		return REASON_RECORD_FAILED_TCP;
	return REASON_TRANSLATED;
}

static __always_inline int connect_to(struct bpf_sock_addr *ctx, const enum form form, const int family)
{
	struct request request = request_of(ctx, form);
	struct svc_value *svc = NULL;
	struct pick pick = {};
	struct outcome outcome = {.hook = HOOK_CONNECT, .service_port = NO_SERVICE_PORT, .pick = &pick};

	outcome.reason = is_ours(&request) ? find_frontend(&request, family, &svc) : REASON_NOT_A_SERVICE;
	if (outcome.reason == REASON_NOT_A_SERVICE) {
		forget(ctx->sk, request.proto);
		return NEXT;
	}
	if (svc) {
		outcome.service_port = svc->service_port;
		prefetch_service_count(svc->service_port);
		if (unlikely(svc->flags & SVC_SOURCE_RANGES))
			outcome.reason = check_source(ctx, HOOK_CONNECT, svc, family);
		if (outcome.reason == REASON_TRANSLATED) {
			complete(ctx, svc, &request);
			outcome.reason = connect_choice(ctx, &request, svc, family, &pick);
		}
	}
	if (outcome.reason == REASON_TRANSLATED) {
		prefetch_backend_count(pick.backend);
		outcome.reason = remember(ctx, &request, outcome.service_port, &pick);
	}
	if (is_translated(outcome.reason))
		ctx_set_address(ctx, form, &pick.addr, pick.port);
	else if (request.proto == IPPROTO_TCP)
		tcp_forget(ctx->sk); /* connect() runs on unconnected TCP sockets only: what was is over */
	return verdict(ctx, form, &request, &outcome, family);
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	return connect_to(ctx, FORM4, AF_INET);
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	union address to = ctx_address(ctx, FORM6);

	return is_mapped(&to) ? connect_to(ctx, FORM6, AF_INET) : connect_to(ctx, FORM6, AF_INET6);
}

static __always_inline int send_to(struct bpf_sock_addr *ctx, const enum form form, const int family)
{
	struct request request = request_of(ctx, form);
	struct svc_value *svc = NULL;
	struct pick pick = {};
	struct outcome outcome = {.hook = HOOK_SENDMSG, .service_port = NO_SERVICE_PORT, .pick = &pick};

	if (request.proto != IPPROTO_UDP || !request.port || is_own_backend(ctx->sk, &request, family))
		return NEXT;
	outcome.reason = find_frontend(&request, family, &svc);
	if (outcome.reason == REASON_NOT_A_SERVICE) {
		udp_sent_directly(ctx, &request);
		return NEXT;
	}
	if (svc) {
		outcome.service_port = svc->service_port;
		if (unlikely(svc->flags & SVC_SOURCE_RANGES))
			outcome.reason = check_source(ctx, HOOK_SENDMSG, svc, family);
		if (outcome.reason == REASON_TRANSLATED) {
			complete(ctx, svc, &request);
			outcome.reason = udp_send(ctx, &request, svc, family, &pick);
		}
	}
	if (outcome.reason == REASON_TRANSLATED)
		ctx_set_address(ctx, form, &pick.addr, pick.port);
	return verdict(ctx, form, &request, &outcome, family);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	return send_to(ctx, FORM4, AF_INET);
}

/* IPv4-mapped destinations pass sendmsg4. */
SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
	return send_to(ctx, FORM6, AF_INET6);
}

/*
 * Is the VIP still the Service's that the flow was made for? If not, a reply keeps its backend's address: better
 * nobody's than the wrong Service's.
 */
static __always_inline bool is_service_still(const struct udp_flow *flow, const int family)
{
	struct request request = {.port = flow->vip_port, .proto = IPPROTO_UDP};
	struct svc_value *svc = NULL;

	load_address(&request.vip, flow->vip);
	return find_frontend(&request, family, &svc) == REASON_TRANSLATED && svc->service_port == flow->service_port;
}

static __always_inline int received(struct bpf_sock_addr *ctx, const enum form form, const int family)
{
	union address from = ctx_address(ctx, form), vip;
	struct udp_flow *flow = flow_of_reply(ctx, &from, ctx->user_port, family);

	if (!flow || !is_service_still(flow, family))
		return NEXT;
	load_address(&vip, flow->vip);
	ctx_set_address(ctx, form, &vip, flow->vip_port);
	return NEXT;
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	return received(ctx, FORM4, AF_INET);
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
	union address from = ctx_address(ctx, FORM6);

	return is_mapped(&from) ? received(ctx, FORM6, AF_INET) : received(ctx, FORM6, AF_INET6);
}

/* The record of another connection than the one that the socket has does not name its peer. */
static __always_inline int name_peer(struct bpf_sock_addr *ctx, const enum form form)
{
	union address peer = ctx_address(ctx, form), vip;
	__be16 port = ctx->user_port;

	if (ctx->protocol == IPPROTO_TCP) {
		struct sk_tcp *record = tcp_record(ctx->sk);

		if (!record || record->backend_port != port || !same_address(&peer, record->backend_addr))
			return NEXT;
		load_address(&vip, record->vip);
		ctx_set_address(ctx, form, &vip, record->vip_port);
	} else if (ctx->protocol == IPPROTO_UDP) {
		struct sk_udp *record = udp_record(ctx->sk);

		if (!record || !flow_has_backend(&record->connected, &peer, port))
			return NEXT;
		load_address(&vip, record->connected.vip);
		ctx_set_address(ctx, form, &vip, record->connected.vip_port);
	}
	return NEXT;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	return name_peer(ctx, FORM4);
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	return name_peer(ctx, FORM6);
}

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *sk)
{
	if (sk->protocol == IPPROTO_TCP)
		tcp_forget(sk);
	else if (sk->protocol == IPPROTO_UDP)
		udp_release(sk);
	return NEXT;
}

/*
 * --protect-node-ports. The kernel has chosen the port already if it was asked to: a NodePort inside of the
 * range of ephemeral ports can fail there too.
 */
static __always_inline int bound(struct bpf_sock *sk, const union address *addr, bool wildcard, const int family)
{
	struct request request = {.vip = *addr, .port = bpf_htons(sk->src_port), .proto = sk->protocol};
	struct outcome outcome = {
		.hook = HOOK_POST_BIND,
		.reason = REASON_PORT_PROTECTED,
		.service_port = NO_SERVICE_PORT,
	};
	struct svc_value *svc;

	if (!is_ours(&request) || (!wildcard && !(address_flags(addr, family) & ADDR_NODE)))
		return NEXT;
	svc = lookup_node_port(request.port, request.proto, family);
	if (!svc)
		return NEXT;
	outcome.service_port = svc->service_port;
	return bind_verdict(sk, &request, &outcome, family);
}

SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *sk)
{
	union address addr = address_from4(sk->src_ip4);

	return bound(sk, &addr, !addr.word[3], AF_INET);
}

/* "::" also takes what comes by IPv4, except on IPV6_V6ONLY sockets, which this hook cannot tell. */
SEC("cgroup/post_bind6")
int post_bind6(struct bpf_sock *sk)
{
	union address addr = {.word = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]}};
	bool wildcard = !addr.half[0] && !addr.half[1];

	if (is_mapped(&addr))
		return bound(sk, &addr, !addr.word[3], AF_INET);
	if (bound(sk, &addr, wildcard, AF_INET6) != NEXT)
		return REJECT;
	return wildcard ? bound(sk, &addr, true, AF_INET) : NEXT;
}
