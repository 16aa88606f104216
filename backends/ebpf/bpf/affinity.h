/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * ClientIP session affinity. A client keeps its backend while that is in the list in force and no more than the
 * timeout has passed since the client's last new connection.
 */
#pragma once

#include "frontend.h"
#include "list.h"
#include "record_version.h"

enum affinity_kind {
	AFFINITY_NETNS = 0,
	AFFINITY_ADDRESS = 1,
};

static __always_inline void affinity_key_of(const struct request *request, const struct svc_value *svc,
					    const int family, struct affinity_key *key)
{
	*key = (struct affinity_key){
		.service_port = svc->service_port,
		.kind = AFFINITY_NETNS,
		.family = family == AF_INET ? 4 : 6,
	};
	__builtin_memcpy(key->client, &request->client, sizeof(request->client));
}

static __always_inline bool affinity_holds(const struct affinity_value *value, const struct request *request,
					   const struct svc_value *svc, const struct range *range, const int family,
					   struct pick *pick)
{
	/* Another CPU may have refreshed it after our clock was read: then it is young, not old. */
	__s64 age_ns = request->now_ns - value->last_used_ns;

	if (!can_read(value->version) || age_ns > (__s64)(svc->affinity_timeout_s * NS_PER_S))
		return false;
	return find_backend(range, svc->list, value->backend, value->generation, family, pick);
}

/* The client's backend, if it has one that serves. Using it makes it young again. */
static __always_inline bool affinity_get(const struct request *request, const struct svc_value *svc,
					 const struct range *range, const int family, struct pick *pick)
{
	struct affinity_key key;
	struct affinity_value *value;

	affinity_key_of(request, svc, family, &key);
	value = bpf_map_lookup_elem(&affinity, &key);
	if (!value || !affinity_holds(value, request, svc, range, family, pick))
		return false;
	value->last_used_ns = request->now_ns;
	return true;
}

/*
 * Remembers *pick. Of two CPUs that come first at once one wins, and *pick becomes the winner's choice for both.
 * A map that cannot take it costs the affinity, not the connection.
 */
static __always_inline void affinity_put(const struct request *request, const struct svc_value *svc,
					 const struct range *range, const int family, struct pick *pick)
{
	struct pick winner;
	struct affinity_key key;
	struct affinity_value *there, value = {
					      .last_used_ns = request->now_ns,
					      .backend = pick->backend,
					      .generation = pick->generation,
					      .version = RECORD_VERSION,
				      };

	affinity_key_of(request, svc, family, &key);
	if (bpf_map_update_elem(&affinity, &key, &value, BPF_NOEXIST) != -EEXIST)
		return;
	there = bpf_map_lookup_elem(&affinity, &key);
	if (there && affinity_holds(there, request, svc, range, family, &winner)) {
		there->last_used_ns = request->now_ns;
		*pick = winner;
		return;
	}
	/* What is there is void. */
	bpf_map_update_elem(&affinity, &key, &value, BPF_ANY);
}
