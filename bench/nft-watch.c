// SPDX-License-Identifier: Apache-2.0
/*
 * Tells when nftables of this network namespace leads to an endpoint: reads `ADDRESS PORT` on standard input, one a line,
 * answers "armed", and when a change is committed in which something is translated to that address and port, prints the
 * time (CLOCK_MONOTONIC, ns). The kernel tells of each change after its commit; nothing is polled.
 *
 * usage: nft-watch
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* As data of `dnat to ADDRESS . PORT` in an element of a map: each part fills whole words. */
struct endpoint {
	struct in_addr address;
	uint16_t port;
	uint16_t padding;
};

static char buffer[1 << 20];

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

int main(void)
{
	struct endpoint endpoint = {};
	int armed = 0;
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1 << (NFNLGRP_NFTABLES - 1)};
	int size = 256 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct pollfd ends[] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("nft-watch");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		if (poll(ends, 2, -1) < 0)
			return 1;
		if (ends[0].revents) {
			char line[64], address_text[16];

			if (!fgets(line, sizeof(line), stdin))
				return 0;
			if (sscanf(line, "%15s %hu", address_text, &endpoint.port) != 2 ||
			    inet_pton(AF_INET, address_text, &endpoint.address) != 1) {
				fprintf(stderr, "bad endpoint %s", line);
				return 2;
			}
			endpoint.port = htons(endpoint.port);
			armed = 1;
			puts("armed");
			continue;
		}
		if (ends[1].revents) {
			ssize_t length = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
			uint64_t time = now_ns();

			/* Less than nothing: some were lost, others follow. */
			if (length > 0 && armed && memmem(buffer, length, &endpoint, sizeof(endpoint))) {
				printf("%llu\n", (unsigned long long)time);
				armed = 0;
			}
		}
	}
}
