// SPDX-License-Identifier: Apache-2.0
/*
 * Accepts TCP connections on each ADDR PORT, closes them and counts, until its standard input ends. Prints "ready" when
 * all listen and at the end the counts, once nothing waits in any queue, as a JSON list in the order of the arguments.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	max_listeners = 1024,
	batch = 64
};

static int listener(const char *address, const char *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(port))};
	int is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1, one = 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)) || listen(fd, 4096))
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	static uint64_t accepted[max_listeners];
	static int fds[max_listeners];
	int count = (argc - 1) / 2, epoll = epoll_create1(EPOLL_CLOEXEC), ending = 0;
	struct epoll_event input = {.events = EPOLLIN, .data.u32 = max_listeners};

	if (count < 1 || count > max_listeners || argc % 2 == 0) {
		fprintf(stderr, "usage: accepts ADDR PORT...\n");
		return 2;
	}
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		fds[i] = listener(argv[1 + 2 * i], argv[2 + 2 * i]);
		if (fds[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event)) {
			perror(argv[1 + 2 * i]);
			return 1;
		}
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[batch];
		int ready = epoll_wait(epoll, events, batch, ending ? 0 : -1);

		if (ending && ready == 0)
			break;
		for (int i = 0; i < ready; i++) {
			uint32_t index = events[i].data.u32;

			if (index == max_listeners) {
				ending = 1;
				epoll_ctl(epoll, EPOLL_CTL_DEL, 0, NULL);
				continue;
			}
			for (int fd; (fd = accept4(fds[index], NULL, NULL, SOCK_CLOEXEC)) >= 0; accepted[index]++)
				close(fd);
		}
	}
	for (int i = 0; i < count; i++)
		printf("%s%llu", i ? "," : "[", (unsigned long long)accepted[i]);
	puts("]");
	return 0;
}
