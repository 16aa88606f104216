// SPDX-License-Identifier: Apache-2.0
/*
 * Connects to each target in turn, RATE times a second altogether, until its standard input ends. What a stall of the
 * machine takes is made up for afterwards, so that the mean is kept. Each connection is a new blocking socket and
 * counts when it is established.
 *
 * usage: connects RATE ADDR PORT...     prints "ready" after the first connection, at the end one JSON object:
 *        {"ok": [n per target], "failed": {"ECONNREFUSED": n}, "seconds": s, "slowest_ms": ms}
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	max_targets = 256,
	max_errno = 256,
	attempts_between_looks = 64
};

struct target {
	struct sockaddr_storage address;
	socklen_t length;
	uint64_t ok;
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void parse(struct target *target, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (void *)&target->address;
	struct sockaddr_in6 *v6 = (void *)&target->address;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		target->length = sizeof(*v4);
	} else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		target->length = sizeof(*v6);
	} else {
		fprintf(stderr, "bad address %s\n", address);
		exit(2);
	}
}

/* 0 or the error. */
static int attempt(const struct target *target)
{
	/* No TIME_WAIT: ports never run out. */
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	const struct timeval limit = {.tv_sec = 5};
	int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (const void *)&target->address, target->length))
		error = errno;
	close(fd);
	return error;
}

static int told_to_end(void)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};

	return poll(&input, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	static struct target targets[max_targets];
	static uint64_t failed[max_errno];
	int count = (argc - 2) / 2;
	uint64_t started, rate, slowest = 0, attempts = 0;
	const char *comma = "";

	if (count < 1 || count > max_targets || argc % 2 || !(rate = strtoul(argv[1], NULL, 10))) {
		fprintf(stderr, "usage: connects RATE ADDR PORT...\n");
		return 2;
	}
	for (int t = 0; t < count; t++)
		parse(&targets[t], argv[2 + 2 * t], argv[3 + 2 * t]);
	started = now_ns();
	for (;; attempts++) {
		struct target *target = &targets[attempts % count];
		uint64_t due = started + attempts * 1000000000ull / rate;
		uint64_t before = now_ns();
		int error;

		if (before < due) {
			const struct timespec wait = {.tv_nsec = (due - before) % 1000000000ull};

			nanosleep(&wait, NULL);
			before = now_ns();
		}
		error = attempt(target);
		if (error)
			failed[error < max_errno ? error : 0]++;
		else
			target->ok++;
		if (now_ns() - before > slowest)
			slowest = now_ns() - before;
		if (attempts == 0) {
			puts("ready");
			fflush(stdout);
		}
		if (attempts % attempts_between_looks == 0 && told_to_end())
			break;
	}

	printf("{\"ok\":[");
	for (int t = 0; t < count; t++)
		printf("%s%llu", t ? "," : "", (unsigned long long)targets[t].ok);
	printf("],\"failed\":{");
	for (int error = 0; error < max_errno; error++) {
		const char *name = strerrorname_np(error);

		if (!failed[error])
			continue;
		printf("%s\"%s\":%llu", comma, name ? name : "?", (unsigned long long)failed[error]);
		comma = ",";
	}
	printf("},\"seconds\":%.3f,\"slowest_ms\":%.1f}\n", (now_ns() - started) / 1e9, slowest / 1e6);
	return 0;
}
