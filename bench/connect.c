// SPDX-License-Identifier: Apache-2.0
/*
 * Measures connect(2) and close(2) of TCP, side by side: each round makes a burst of connections to each target in
 * turn, so that all targets see the same noise.
 *
 * usage: connect ROUNDS BURST TARGET...      targets as in targets.h
 * Prints one JSON object: name -> {"n":…,"p50_ns":…,"p99_ns":…,"min_ns":…}, and name_close -> the same of close().
 */
#include "targets.h"
#include "series.h"

struct measured {
	struct target target;
	struct series connects, closes;
};

static uint64_t connect_one(struct target *target, int *fd)
{
	struct sockaddr_storage address = address_at(target, next_index(target));
	uint64_t start;

	*fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		fail("socket");
	start = now_ns();
	if (connect(*fd, (struct sockaddr *)&address, target->length))
		fail(target->name);
	return now_ns() - start;
}

static void burst(struct measured *measured, size_t connections)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	enter(&measured->target);
	for (size_t i = 0; i < connections; i++) {
		uint64_t start;
		int fd;

		measured->connects.ns[measured->connects.count++] = connect_one(&measured->target, &fd);
		/* No TIME_WAIT: ports never run out. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		start = now_ns();
		close(fd);
		measured->closes.ns[measured->closes.count++] = now_ns() - start;
	}
}

int main(int argc, char **argv)
{
	static struct measured measured[max_targets];
	int count = argc - 3;
	size_t rounds, connections;

	if (count < 1 || count > max_targets) {
		fprintf(stderr, "usage: connect ROUNDS BURST NAME=CGROUP@ADDR:PORT...\n");
		return 2;
	}
	rounds = strtoul(argv[1], NULL, 10);
	connections = strtoul(argv[2], NULL, 10);
	for (int t = 0; t < count; t++) {
		parse_target(&measured[t].target, argv[t + 3]);
		measured[t].connects = series_of((rounds + 1) * connections);
		measured[t].closes = series_of((rounds + 1) * connections);
		burst(&measured[t], connections); /* warm up */
		measured[t].connects.count = measured[t].closes.count = 0;
	}
	/* Every other round goes backwards, so that no target always follows the same one. */
	for (size_t round = 0; round < rounds; round++)
		for (int t = 0; t < count; t++)
			burst(&measured[round % 2 ? count - 1 - t : t], connections);

	for (int t = 0; t < count; t++) {
		char name[sizeof(measured[t].target.name) + 8];

		printf(t ? "," : "{");
		print_series(measured[t].target.name, &measured[t].connects);
		printf(",");
		strcpy(name, measured[t].target.name);
		strcat(name, "_close");
		print_series(name, &measured[t].closes);
	}
	printf("}\n");
	return 0;
}
