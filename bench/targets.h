/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured side by side: addresses, each seen from a cgroup and a network namespace. One process moves between
 * them, because a socket belongs to those in which it was made.
 *
 * A target is NAME=CGROUP@ADDR:PORT, NAME=CGROUP,NETNS@ADDR:PORT, and with ADDR+COUNT in place of ADDR it is COUNT
 * IPv4 addresses from that one on, which take turns. CGROUP is a cgroup2 directory, or - to stay; NETNS is a name
 * below /run/netns; an IPv6 address stands in brackets.
 */
#pragma once
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
#include <unistd.h>

enum {
	max_targets = 32,
	stride = 7919 /* a prime: neighbours in memory do not follow each other */
};

struct target {
	char name[64];
	char cgroup[256];
	int netns; /* descriptor, or -1 to stay */
	struct sockaddr_storage address; /* the first */
	socklen_t length;
	uint32_t addresses;
	uint32_t turn;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int parse_address(struct target *target, char *host, unsigned port)
{
	struct sockaddr_in *v4 = (void *)&target->address;
	struct sockaddr_in6 *v6 = (void *)&target->address;
	char *count = strchr(host, '+');

	target->addresses = count ? strtoul(count + 1, NULL, 10) : 1;
	if (count)
		*count = 0;
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		target->length = sizeof(*v6);
		return target->addresses == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	target->length = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 && target->addresses > 0;
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

static void parse_target(struct target *target, const char *text)
{
	char host[64];
	unsigned port;

	if ((sscanf(text, "%63[^=]=%255[^@]@[%63[^]]]:%u", target->name, target->cgroup, host, &port) != 4 &&
	     sscanf(text, "%63[^=]=%255[^@]@%63[^:]:%u", target->name, target->cgroup, host, &port) != 4) ||
	    !parse_address(target, host, port)) {
		fprintf(stderr, "bad target %s\n", text);
		exit(2);
	}
	open_netns(target);
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

/* Of the target's addresses that at an index. */
static struct sockaddr_storage address_at(const struct target *target, uint32_t index)
{
	struct sockaddr_storage address = target->address;
	struct sockaddr_in *v4 = (void *)&address;

	if (target->addresses > 1)
		v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + index);
	return address;
}

/* The index of the address whose turn it is. */
static uint32_t next_index(struct target *target)
{
	return (uint32_t)((uint64_t)target->turn++ * stride % target->addresses);
}
