// SPDX-License-Identifier: Apache-2.0
/* Accepts TCP connections on ADDR:PORT… of this network namespace and closes them: what bench/connect connects to. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;

	for (int i = 1; i + 1 < argc; i += 2) {
		int v4 = !!inet_pton(AF_INET, argv[i], &(struct in_addr){0});
		struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(argv[i + 1]))};
		struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[i + 1]))};
		int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

		inet_pton(AF_INET, argv[i], &address4.sin_addr);
		inet_pton(AF_INET6, argv[i], &address6.sin6_addr);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, v4 ? (void *)&address4 : (void *)&address6, v4 ? sizeof(address4) : sizeof(address6)) ||
		    listen(fd, 4096) || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
			perror(argv[i]);
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[64];
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++)
			for (int fd; (fd = accept4(events[i].data.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
				close(fd);
	}
}
