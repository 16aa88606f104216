// SPDX-License-Identifier: Apache-2.0
/*
 * Opens COUNT sockets, connect()s each to the target, says "ready", and holds them until its standard input ends.
 * TCP connections may be refused: the socket stays, and with it what was remembered of it.
 *
 * usage: hold-sockets tcp|udp COUNT TARGET      the target as in targets.h
 */
#include "targets.h"
#include <sys/resource.h>
#include <sys/wait.h>

/* As many as a process may have open, and some for itself. */
static size_t most_sockets(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		fail("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		fail("setrlimit");
	return (limit.rlim_cur < 65536 ? limit.rlim_cur : 65536) - 64;
}

static void open_sockets(struct target *target, int type, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sockaddr_storage address = address_at(target, next_index(target));
		int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);

		if (fd < 0)
			fail("socket");
		if (connect(fd, (struct sockaddr *)&address, target->length) && errno != ECONNREFUSED)
			fail(target->name);
	}
}

static void await_end(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	static struct target target;
	int type, ready[2];
	size_t count, most = most_sockets(), children = 0;
	char byte = 0;

	if (argc != 4 || pipe(ready)) {
		fprintf(stderr, "usage: hold-sockets tcp|udp COUNT TARGET\n");
		return 2;
	}
	type = strcmp(argv[1], "udp") ? SOCK_STREAM : SOCK_DGRAM;
	parse_target(&target, argv[3]);
	enter(&target);
	for (count = strtoul(argv[2], NULL, 10); count; children++) {
		size_t part = count < most ? count : most;

		count -= part;
		if (fork())
			continue;
		close(ready[0]);
		open_sockets(&target, type, part);
		if (write(ready[1], &byte, 1) != 1)
			fail("write");
		await_end();
		return 0;
	}
	close(ready[1]);
	/* Who fails closes its end of the pipe; the others end with the standard input. */
	for (size_t i = 0; i < children; i++)
		if (read(ready[0], &byte, 1) != 1)
			return 1;
	puts("ready");
	fflush(stdout);
	while (wait(NULL) > 0)
		;
	return 0;
}
