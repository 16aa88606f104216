// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The selection core, within reach of BPF_PROG_TEST_RUN: the packet is the question, and comes back as the answer.
 * Randomness and the clock are the question's, or the kernel's own if it says 0.
 */
#include "consts.h"
#include "maps.h"
#include "select.h"
#include "source.h"
#include "verdict.h"

char _license[] SEC("license") = "Dual BSD/GPL";

static __always_inline enum reason source_reason(const struct select_test *test, const struct svc_value *svc,
						 const int family)
{
	union address source;

	__builtin_memcpy(&source, test->source, sizeof(source));
	if (!(source.half[0] | source.half[1]))
		return REASON_SOURCE_UNKNOWN;
	return in_source_ranges(&source, svc->service_port, family) ? REASON_TRANSLATED : REASON_SOURCE_BLOCKED;
}

static __always_inline void run(struct select_test *test, const int family)
{
	struct request request = {
		.port = test->vip_port,
		.proto = test->proto,
		.random = test->random ?: bpf_get_prandom_u32(),
		.client = test->client,
		.now_ns = test->now_ns ?: bpf_ktime_get_ns(),
	};
	struct svc_value *svc = NULL;
	struct pick pick = {};
	struct outcome outcome = {.hook = HOOK_CONNECT, .service_port = NO_SERVICE_PORT, .pick = &pick};

	__builtin_memcpy(&request.vip, test->vip, sizeof(request.vip));
	outcome.reason = find_frontend(&request, family, &svc);
	if (svc) {
		outcome.service_port = svc->service_port;
		if (svc->flags & SVC_SOURCE_RANGES)
			outcome.reason = source_reason(test, svc, family);
	}
	if (outcome.reason == REASON_TRANSLATED)
		outcome.reason = select_backend(&request, svc, NULL, family, &pick);
	if (test->count && outcome.reason != REASON_NOT_A_SERVICE)
		count_outcome(&outcome);
	test->reason = outcome.reason;
	test->service_port = outcome.service_port;
	test->backend = pick.backend;
	test->generation = pick.generation;
	test->backend_port = pick.port;
	__builtin_memcpy(test->backend_addr, &pick.addr, sizeof(pick.addr));
}

SEC("tc")
int select_test(struct __sk_buff *skb)
{
	struct select_test *test = (void *)(long)skb->data;
	union address vip;

	if ((void *)(test + 1) > (void *)(long)skb->data_end)
		return -1;
	__builtin_memcpy(&vip, test->vip, sizeof(vip));
	if (is_mapped(&vip))
		run(test, AF_INET);
	else
		run(test, AF_INET6);
	return 0;
}
