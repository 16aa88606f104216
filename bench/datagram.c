// SPDX-License-Identifier: Apache-2.0
/*
 * Measures UDP, side by side as connect.c does. The servers are sockets of this very process, so that no other has to
 * wake up: what is left is the kernel's work, and a proxy's part of it at its largest.
 *
 * usage: datagram MODE ROUNDS BURST SERVERS TARGET...
 *   send          send() on a connected socket
 *   sendto        sendto() on an unconnected socket that has sent to all the target's addresses before
 *   echo          sendto(), the server's recvfrom() and sendto(), and recvfrom() on such a socket
 *   connected     the same on a connected socket
 *   query         socket(), connect(), send(), the server's answer, recv() and close(): what resolvers do
 * SERVERS is ADDR+COUNT:PORT, or ADDR:PORT: what the addresses of each target lead to, in this order. Targets as in
 * targets.h. Prints one JSON object: name -> {"n":…,"p50_ns":…,"p99_ns":…,"min_ns":…}.
 */
#include "targets.h"
#include "series.h"

enum {
	max_servers = 64
};

struct mode {
	const char *name;
	int connected; /* else each datagram has an address */
	int answered;
	int fresh; /* a socket of its own for each time */
};

static const struct mode modes[] = {
	{.name = "send", .connected = 1},
	{.name = "sendto"},
	{.name = "echo", .answered = 1},
	{.name = "connected", .connected = 1, .answered = 1},
	{.name = "query", .connected = 1, .answered = 1, .fresh = 1},
};

struct measured {
	struct target target;
	struct series series;
};

static int servers[max_servers];
static const struct mode *mode;

/* A datagram that is lost is an error, not a wait for ever. */
static int udp_socket(int family)
{
	const struct timeval second = {.tv_sec = 1};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)))
		fail("socket");
	return fd;
}

static void serve(const struct target *where)
{
	if (where->addresses > max_servers) {
		fprintf(stderr, "at most %d servers\n", max_servers);
		exit(2);
	}
	for (uint32_t i = 0; i < where->addresses; i++) {
		struct sockaddr_storage address = address_at(where, i);

		servers[i] = udp_socket(address.ss_family);
		if (bind(servers[i], (struct sockaddr *)&address, where->length))
			fail("bind");
	}
}

/* The server takes the datagram and, if asked to, sends it back. */
static void serve_one(int server, int answer)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char data[64];
	ssize_t size = recvfrom(server, data, sizeof(data), 0, (struct sockaddr *)&from, &length);

	if (size < 0)
		fail("the server's recvfrom");
	if (answer && sendto(server, data, size, 0, (struct sockaddr *)&from, length) != size)
		fail("the server's sendto");
}

/* The answer must come from where the datagram was sent to. */
static void take_answer(int fd, const struct sockaddr_storage *expected, socklen_t expected_length)
{
	struct sockaddr_storage from = {0};
	socklen_t length = sizeof(from);
	char data[64];

	if (recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &length) < 0)
		fail("recvfrom");
	if (length != expected_length || memcmp(&from, expected, length)) {
		fprintf(stderr, "the answer came from another address\n");
		exit(1);
	}
}

static int open_client(const struct target *target)
{
	struct sockaddr_storage address = address_at(target, 0);
	int fd = udp_socket(address.ss_family);

	if (mode->connected && connect(fd, (struct sockaddr *)&address, target->length))
		fail(target->name);
	return fd;
}

/* One datagram there, and back if `answer`. Gives how long it took, without the server's part if there is no answer. */
static uint64_t exchange(int fd, const struct target *target, uint32_t index, int answer)
{
	static const char data[32] = "what is it like?";
	struct sockaddr_storage address = address_at(target, index);
	uint64_t start = now_ns(), time;
	ssize_t sent;

	if (mode->connected)
		sent = send(fd, data, sizeof(data), 0);
	else
		sent = sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&address, target->length);
	time = now_ns() - start;
	if (sent != sizeof(data))
		fail(target->name);
	serve_one(servers[index], answer);
	if (!answer)
		return time;
	take_answer(fd, &address, target->length);
	return now_ns() - start;
}

static uint64_t query(const struct target *target)
{
	uint64_t start = now_ns();
	int fd = socket(target->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&target->address, target->length))
		fail(target->name);
	exchange(fd, target, 0, 1);
	close(fd);
	return now_ns() - start;
}

static void burst(struct measured *measured, size_t datagrams)
{
	struct target *target = &measured->target;
	int fd;

	enter(target);
	if (mode->fresh) {
		for (size_t i = 0; i < datagrams; i++)
			measured->series.ns[measured->series.count++] = query(target);
		return;
	}
	fd = open_client(target);
	/* With answers, so that all that is remembered of a flow is. */
	for (uint32_t index = 0; index < target->addresses; index++)
		exchange(fd, target, index, 1);
	for (size_t i = 0; i < datagrams; i++)
		measured->series.ns[measured->series.count++] =
			exchange(fd, target, next_index(target), mode->answered);
	close(fd);
}

static void usage(void)
{
	fprintf(stderr, "usage: datagram send|sendto|echo|connected|query ROUNDS BURST SERVERS TARGET...\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static struct measured measured[max_targets];
	struct target where = {0};
	int count = argc - 5;
	size_t rounds, datagrams;
	char text[128];

	if (count < 1 || count > max_targets)
		usage();
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (!strcmp(modes[i].name, argv[1]))
			mode = &modes[i];
	if (!mode)
		usage();
	rounds = strtoul(argv[2], NULL, 10);
	datagrams = strtoul(argv[3], NULL, 10);
	snprintf(text, sizeof(text), "servers=-@%s", argv[4]);
	parse_target(&where, text);
	serve(&where);
	for (int t = 0; t < count; t++) {
		parse_target(&measured[t].target, argv[t + 5]);
		if (measured[t].target.addresses > (mode->connected ? 1 : where.addresses))
			usage();
		measured[t].series = series_of((rounds + 1) * datagrams);
		burst(&measured[t], datagrams); /* warm up */
		measured[t].series.count = 0;
	}
	/* Every other round goes backwards, so that no target always follows the same one. */
	for (size_t round = 0; round < rounds; round++)
		for (int t = 0; t < count; t++)
			burst(&measured[round % 2 ? count - 1 - t : t], datagrams);

	for (int t = 0; t < count; t++) {
		printf(t ? "," : "{");
		print_series(measured[t].target.name, &measured[t].series);
	}
	printf("}\n");
	return 0;
}
