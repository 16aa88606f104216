// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * A socket client that tests drive: one command a line on standard input, one line of answer each, "ok ..." or
 * "err ERRNO". client.py speaks the same. Sockets have names; blocking calls time out after two seconds (EAGAIN).
 *
 *   socket NAME inet|inet6 stream|dgram|mptcp [v6only]     bind NAME ADDR PORT   nonblock NAME
 *   connect NAME ADDR PORT      disconnect NAME      getpeername NAME            soerror NAME    close NAME
 *   send NAME WORD              sendto NAME ADDR PORT WORD        sendto-unspec NAME ADDR PORT WORD
 *   sendfrom NAME SOURCE ADDR PORT WORD               (a datagram with a source address of its own, IP_PKTINFO)
 *   recvfrom NAME               (ok ADDR PORT WORDS..., streams: ok WORDS...)           device NAME IFNAME
 *   connects N FAMILY ADDR PORT (N fresh TCP sockets: ok BACKEND=COUNT... ERRNO=COUNT...)
 *   datagrams N FAMILY ADDR PORT (N fresh UDP sockets, the same)
 *   asks N NAME ADDR PORT       (N datagrams and replies on one socket: the same; a wrong source is WRONG)
 *   race N NAME ADDR PORT ADDR PORT (two threads, each with its own destination, on one socket: the same)
 *   hold N FAMILY ADDR PORT     (N TCP sockets that stay open until this process ends)
 *
 * Addresses for sockets of family inet6 may be IPv6 or IPv4-mapped; a plain IPv4 address is given to the kernel as
 * AF_INET, whatever the socket's family.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define MAX_SOCKETS 64
#define MAX_TALLY 256
#define MAX_WORDS 10

union any_addr {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

struct tally {
	char name[80];
	int count;
};

static struct {
	char name[16];
	int fd;
} sockets[MAX_SOCKETS];

static struct tally tallies[MAX_TALLY];
static int tally_count;
static pthread_mutex_t tally_lock = PTHREAD_MUTEX_INITIALIZER;

static void tally(const char *name)
{
	int i;

	pthread_mutex_lock(&tally_lock);
	for (i = 0; i < tally_count; i++)
		if (!strcmp(tallies[i].name, name))
			break;
	if (i == tally_count && tally_count < MAX_TALLY)
		snprintf(tallies[tally_count++].name, sizeof(tallies[0].name), "%s", name);
	if (i < MAX_TALLY)
		tallies[i].count++;
	pthread_mutex_unlock(&tally_lock);
}

static void print_tally(void)
{
	printf("ok");
	for (int i = 0; i < tally_count; i++) {
		printf(" %s=%d", tallies[i].name, tallies[i].count);
		tallies[i].count = 0;
	}
	printf("\n");
	tally_count = 0;
}

static void print_result(int result)
{
	if (result < 0)
		printf("err %s\n", strerrorname_np(errno));
	else
		printf("ok\n");
}

static int parse_address(const char *text, const char *port, union any_addr *to)
{
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &to->in4.sin_addr) == 1) {
		to->in4.sin_family = AF_INET;
		to->in4.sin_port = htons(atoi(port));
		return sizeof(to->in4);
	}
	if (inet_pton(AF_INET6, text, &to->in6.sin6_addr) != 1) {
		fprintf(stderr, "not an address: %s\n", text);
		exit(2);
	}
	to->in6.sin6_family = AF_INET6;
	to->in6.sin6_port = htons(atoi(port));
	return sizeof(to->in6);
}

static void format_address(const union any_addr *from, char *to, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";
	int port = 0;

	if (from->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &from->in4.sin_addr, text, sizeof(text));
		port = ntohs(from->in4.sin_port);
	} else if (from->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &from->in6.sin6_addr, text, sizeof(text));
		port = ntohs(from->in6.sin6_port);
	}
	snprintf(to, size, "%s %d", text, port);
}

static int family_of(const char *word)
{
	return strcmp(word, "inet6") ? AF_INET : AF_INET6;
}

static int new_socket(int family, int type, int protocol)
{
	struct timeval timeout = {.tv_sec = 2};
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return fd;
}

static int find_socket(const char *name)
{
	for (int i = 0; i < MAX_SOCKETS; i++)
		if (!strcmp(sockets[i].name, name))
			return i;
	return -1;
}

static int fd_of(const char *name)
{
	int i = find_socket(name);

	if (i < 0) {
		fprintf(stderr, "no socket %s\n", name);
		exit(2);
	}
	return sockets[i].fd;
}

static int make_socket(char **word, int words)
{
	int i = find_socket("");
	int on = 1;
	int fd = new_socket(family_of(word[2]), strcmp(word[3], "dgram") ? SOCK_STREAM : SOCK_DGRAM,
			    strcmp(word[3], "mptcp") ? 0 : IPPROTO_MPTCP);

	if (fd < 0 || i < 0)
		return -1;
	if (words > 4)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	snprintf(sockets[i].name, sizeof(sockets[i].name), "%s", word[1]);
	sockets[i].fd = fd;
	return 0;
}

/* Servers answer with one line: who they are, and for datagrams, what they were sent. */
static void ask_stream(int fd, const union any_addr *to, int size)
{
	char line[80] = "";
	ssize_t n;

	if (connect(fd, &to->any, size) < 0) {
		tally(strerrorname_np(errno));
		return;
	}
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n <= 0) {
		tally(n ? strerrorname_np(errno) : "EOF");
		return;
	}
	line[strcspn(line, " \n")] = 0;
	tally(line);
}

/* A datagram that carries its destination, and its reply, which must come from there. */
static void ask_datagram(int fd, const union any_addr *to, int size)
{
	char sent[80], line[200], source[80], backend[80] = "", *echo;
	union any_addr from;
	socklen_t from_size = sizeof(from);
	ssize_t n;

	format_address(to, sent, sizeof(sent));
	*strchr(sent, ' ') = '#';
	if (sendto(fd, sent, strlen(sent), 0, &to->any, size) < 0) {
		tally(strerrorname_np(errno));
		return;
	}
	n = recvfrom(fd, line, sizeof(line) - 1, 0, &from.any, &from_size);
	if (n <= 0) {
		tally(strerrorname_np(errno));
		return;
	}
	line[n] = 0;
	echo = strchr(line, ' ');
	if (!echo) {
		tally("GARBLED");
		return;
	}
	*echo++ = 0;
	format_address(&from, source, sizeof(source));
	*strchr(source, ' ') = '#';
	/* A mapped socket sees mapped sources, also of what it sent to an AF_INET address. */
	if (strcmp(source, echo) && !(!strncmp(source, "::ffff:", 7) && !strcmp(source + 7, echo)))
		tally("WRONG");
	snprintf(backend, sizeof(backend), "%.70s", line);
	tally(backend);
}

static void fresh(char **word, int type)
{
	union any_addr to;
	int size = parse_address(word[3], word[4], &to);

	for (int i = atoi(word[1]); i > 0; i--) {
		int fd = new_socket(family_of(word[2]), type, 0);

		if (type == SOCK_STREAM)
			ask_stream(fd, &to, size);
		else
			ask_datagram(fd, &to, size);
		close(fd);
	}
	print_tally();
}

struct sender {
	int fd, n, size;
	union any_addr to;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;

	for (int i = 0; i < sender->n; i++)
		ask_datagram(sender->fd, &sender->to, sender->size);
	return NULL;
}

static void race(char **word)
{
	struct sender sender[2];
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		sender[i].fd = fd_of(word[2]);
		sender[i].n = atoi(word[1]);
		sender[i].size = parse_address(word[3 + 2 * i], word[4 + 2 * i], &sender[i].to);
		pthread_create(&thread[i], NULL, send_all, &sender[i]);
	}
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	print_tally();
}

static void hold(char **word)
{
	union any_addr to;
	int size = parse_address(word[3], word[4], &to);

	for (int i = atoi(word[1]); i > 0; i--)
		ask_stream(new_socket(family_of(word[2]), SOCK_STREAM, 0), &to, size);
	print_tally();
}

static void receive(int fd)
{
	char line[200], source[80];
	union any_addr from = {};
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, line, sizeof(line) - 1, 0, &from.any, &size);

	if (n < 0) {
		print_result(-1);
		return;
	}
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	if (!size) { /* a stream */
		printf("ok %s\n", line);
		return;
	}
	format_address(&from, source, sizeof(source));
	printf("ok %s %s\n", source, line);
}

static void name_peer(int fd)
{
	char peer[80];
	union any_addr to;
	socklen_t size = sizeof(to);

	if (getpeername(fd, &to.any, &size) < 0) {
		print_result(-1);
		return;
	}
	format_address(&to, peer, sizeof(peer));
	printf("ok %s\n", peer);
}

static void pending_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	printf("ok %s\n", error ? strerrorname_np(error) : "0");
}

static void send_to(char **word, bool unspec)
{
	union any_addr to;
	int size = parse_address(word[2], word[3], &to);

	if (unspec)
		to.any.sa_family = AF_UNSPEC;
	print_result(sendto(fd_of(word[1]), word[4], strlen(word[4]), MSG_NOSIGNAL, &to.any, size));
}

/* The source is bound to this datagram only, as DNS servers do with many addresses. */
static void send_from(char **word)
{
	union any_addr to, source;
	int size = parse_address(word[3], word[4], &to);
	struct iovec data = {.iov_base = word[5], .iov_len = strlen(word[5])};
	union {
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = {};
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = size,
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
	};
	struct cmsghdr *header;

	parse_address(word[2], "0", &source);
	message.msg_controllen = sizeof(control);
	header = CMSG_FIRSTHDR(&message);
	if (source.any.sa_family == AF_INET) {
		struct in_pktinfo info = {.ipi_spec_dst = source.in4.sin_addr};

		header->cmsg_level = IPPROTO_IP;
		header->cmsg_type = IP_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_addr = source.in6.sin6_addr};

		header->cmsg_level = IPPROTO_IPV6;
		header->cmsg_type = IPV6_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(header), &info, sizeof(info));
	}
	print_result(sendmsg(fd_of(word[1]), &message, MSG_NOSIGNAL));
}

static void disconnect(int fd)
{
	struct sockaddr to = {.sa_family = AF_UNSPEC};

	print_result(connect(fd, &to, sizeof(to)));
}

static void close_socket(const char *name)
{
	int i = find_socket(name);

	close(fd_of(name));
	sockets[i].name[0] = 0;
	print_result(0);
}

static void connect_or_bind(char **word, int (*call)(int, const struct sockaddr *, socklen_t))
{
	union any_addr to;
	int size = parse_address(word[2], word[3], &to);

	print_result(call(fd_of(word[1]), &to.any, size));
}

static bool run(char **word, int words)
{
	const char *command = word[0];

	if (!strcmp(command, "socket"))
		print_result(make_socket(word, words));
	else if (!strcmp(command, "bind"))
		connect_or_bind(word, bind);
	else if (!strcmp(command, "connect"))
		connect_or_bind(word, connect);
	else if (!strcmp(command, "disconnect"))
		disconnect(fd_of(word[1]));
	else if (!strcmp(command, "nonblock"))
		print_result(fcntl(fd_of(word[1]), F_SETFL, O_NONBLOCK));
	else if (!strcmp(command, "device"))
		print_result(setsockopt(fd_of(word[1]), SOL_SOCKET, SO_BINDTODEVICE, word[2], strlen(word[2])));
	else if (!strcmp(command, "getpeername"))
		name_peer(fd_of(word[1]));
	else if (!strcmp(command, "soerror"))
		pending_error(fd_of(word[1]));
	else if (!strcmp(command, "close"))
		close_socket(word[1]);
	else if (!strcmp(command, "send"))
		print_result(send(fd_of(word[1]), word[2], strlen(word[2]), MSG_NOSIGNAL));
	else if (!strcmp(command, "sendto"))
		send_to(word, false);
	else if (!strcmp(command, "sendto-unspec"))
		send_to(word, true);
	else if (!strcmp(command, "sendfrom"))
		send_from(word);
	else if (!strcmp(command, "recvfrom"))
		receive(fd_of(word[1]));
	else if (!strcmp(command, "connects"))
		fresh(word, SOCK_STREAM);
	else if (!strcmp(command, "datagrams"))
		fresh(word, SOCK_DGRAM);
	else if (!strcmp(command, "hold"))
		hold(word);
	else if (!strcmp(command, "race"))
		race(word);
	else if (!strcmp(command, "asks")) {
		struct sender sender = {.fd = fd_of(word[2]), .n = atoi(word[1])};

		sender.size = parse_address(word[3], word[4], &sender.to);
		send_all(&sender);
		print_tally();
	} else {
		return false;
	}
	return true;
}

int main(void)
{
	char line[400], *word[MAX_WORDS], *next;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		int words = 0;

		for (next = strtok(line, " \n"); next && words < MAX_WORDS - 1; next = strtok(NULL, " \n"))
			word[words++] = next;
		for (int i = words; i < MAX_WORDS; i++)
			word[i] = "";
		if (!words || !run(word, words)) {
			fprintf(stderr, "unknown command: %s\n", words ? word[0] : "");
			return 2;
		}
	}
	return 0;
}
