// SPDX-License-Identifier: Apache-2.0
/*
 * Measures connect(2), side by side: each round makes a burst of connections to each target in turn, so that all
 * targets see the same noise. A target is NAME=CGROUP@ADDR:PORT or NAME=CGROUP,NETNS@ADDR:PORT; before its burst the
 * process moves to CGROUP (a cgroup2 directory, or - to stay) and to the network namespace NETNS (a name below
 * /run/netns), because a socket belongs to those in which it was made.
 *
 * usage: connect ROUNDS BURST TARGET...      prints one JSON object: name -> {"n":…,"p50_ns":…,"p99_ns":…,"min_ns":…}
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	max_targets = 16
};

struct target {
	char name[64];
	char cgroup[256];
	int netns; /* descriptor, or -1 to stay */
	struct sockaddr_storage address;
	socklen_t length;
	uint32_t *ns;
	size_t count;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void parse_target(struct target *target, const char *text)
{
	char host[64];
	unsigned port;
	struct sockaddr_in *v4 = (void *)&target->address;
	struct sockaddr_in6 *v6 = (void *)&target->address;

	if (sscanf(text, "%63[^=]=%255[^@]@[%63[^]]]:%u", target->name, target->cgroup, host, &port) == 4) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		target->length = sizeof(*v6);
		if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
			return;
	} else if (sscanf(text, "%63[^=]=%255[^@]@%63[^:]:%u", target->name, target->cgroup, host, &port) == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		target->length = sizeof(*v4);
		if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
			return;
	}
	fprintf(stderr, "bad target %s\n", text);
	exit(2);
}

/* What stands behind a comma in the name of the cgroup. */
static void open_netns(struct target *target)
{
	char *name = strchr(target->cgroup, ',');
	char path[300];

	target->netns = -1;
	if (!name)
		return;
	*name++ = 0;
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	target->netns = open(path, O_RDONLY | O_CLOEXEC);
	if (target->netns < 0)
		fail(path);
}

static void enter(const struct target *target)
{
	char path[300];
	int fd;

	if (target->netns >= 0 && setns(target->netns, CLONE_NEWNET))
		fail("setns");
	if (!strcmp(target->cgroup, "-"))
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", target->cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		fail(path);
	close(fd);
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void burst(struct target *target, size_t connections)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	enter(target);
	for (size_t i = 0; i < connections; i++) {
		int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		uint64_t start;

		if (fd < 0)
			fail("socket");
		start = now_ns();
		if (connect(fd, (struct sockaddr *)&target->address, target->length))
			fail(target->name);
		target->ns[target->count++] = now_ns() - start;
		/* No TIME_WAIT: ports never run out. */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct target targets[max_targets];
	int count = argc - 3;
	size_t rounds, connections;

	if (count < 1 || count > max_targets) {
		fprintf(stderr, "usage: connect ROUNDS BURST NAME=CGROUP@ADDR:PORT...\n");
		return 2;
	}
	rounds = strtoul(argv[1], NULL, 10);
	connections = strtoul(argv[2], NULL, 10);
	for (int t = 0; t < count; t++) {
		parse_target(&targets[t], argv[t + 3]);
		open_netns(&targets[t]);
		targets[t].ns = calloc(rounds * connections + connections, sizeof(uint32_t));
		if (!targets[t].ns)
			fail("calloc");
		burst(&targets[t], connections); /* warm up */
		targets[t].count = 0;
	}
	/* Every other round goes backwards, so that no target always follows the same one. */
	for (size_t round = 0; round < rounds; round++)
		for (int t = 0; t < count; t++)
			burst(&targets[round % 2 ? count - 1 - t : t], connections);

	printf("{");
	for (int t = 0; t < count; t++) {
		struct target *target = &targets[t];

		qsort(target->ns, target->count, sizeof(uint32_t), compare);
		printf("%s\"%s\":{\"n\":%zu,\"p50_ns\":%u,\"p99_ns\":%u,\"min_ns\":%u}", t ? "," : "", target->name,
		       target->count, target->ns[target->count / 2], target->ns[target->count * 99 / 100],
		       target->ns[0]);
	}
	printf("}\n");
	return 0;
}
