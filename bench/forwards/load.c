/* Copyright (c) the edge.gateway contributors
 * GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Load for one forwarded port, in C so that client and server take as little as possible of the cores they share with the edge.
 *
 *   load serve PORT                                         answers every connection until killed
 *   load rate ADDRESS PORT EXPECTED SOURCES END MS IN_FLIGHT    new connections for so long
 *   load alone ADDRESS PORT EXPECTED SOURCES END COUNT          so many connections, one at a time
 *
 * A connection is: connect, 4 bytes, 4 bytes back, and END: "close" as programs do, or "reset". The 4 bytes back are the address that the server saw: EXPECTED (or "self" for the client's own)
 * proves at every connection which way it came. SOURCES is "first address,how many".
 * Output: one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORD = 4, EVENTS = 256, MOST = 1024, PATIENCE_MS = 10000 };

struct flow {
	int fd;
	uint32_t source;
	double started, connected;
};

static struct sockaddr_in to, from;
static uint32_t expected, source_count, source_next;
static int poller, resetting;
static long done, failed, wrong;
static char first_error[128];

static double clock_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static double now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t address(const char *text)
{
	struct in_addr parsed;
	if (inet_pton(AF_INET, text, &parsed) != 1) {
		errno = EINVAL;
		die(text);
	}
	return parsed.s_addr;
}

static void watch(int fd, uint32_t events, void *data, int how)
{
	struct epoll_event event = {.events = events, .data.ptr = data};
	if (epoll_ctl(poller, how, fd, &event))
		die("epoll_ctl");
}

/* ---- server ---- */

struct guest {
	int fd;
	uint32_t peer;
};

static void welcome(int listener)
{
	struct sockaddr_in peer;
	for (;;) {
		socklen_t size = sizeof peer;
		int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		struct guest *guest = malloc(sizeof *guest);
		if (!guest)
			die("malloc");
		*guest = (struct guest){fd, peer.sin_addr.s_addr};
		watch(fd, EPOLLIN, guest, EPOLL_CTL_ADD);
	}
}

static void answer(struct guest *guest)
{
	char word[WORD];
	ssize_t got = recv(guest->fd, word, WORD, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got == WORD && send(guest->fd, &guest->peer, WORD, MSG_NOSIGNAL) == WORD)
		return;
	close(guest->fd);
	free(guest);
}

static _Noreturn void serve(int port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct epoll_event events[EVENTS];
	int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes))
		die("socket");
	if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096))
		die("listen");
	watch(listener, EPOLLIN, NULL, EPOLL_CTL_ADD);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				answer(events[i].data.ptr);
			else
				welcome(listener);
		}
	}
}

/* ---- client ---- */

static void note(const char *what)
{
	failed++;
	if (!first_error[0])
		snprintf(first_error, sizeof first_error, "%s: %s", what, strerror(errno));
}

static int start(struct flow *flow)
{
	struct linger reset = {1, 0};
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	struct sockaddr_in source = from;
	source.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + source_next++ % source_count);
	if (resetting)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
	if (bind(fd, (struct sockaddr *)&source, sizeof source))
		die("bind");
	*flow = (struct flow){fd, source.sin_addr.s_addr, now_us(), 0};
	if (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
		note("connect");
		close(fd);
		flow->fd = -1;
		return 0;
	}
	watch(fd, EPOLLOUT, flow, EPOLL_CTL_ADD);
	return 1;
}

/* One step of a connection; 1 when it is over. */
static int step(struct flow *flow)
{
	uint32_t seen;
	if (!flow->connected) {
		socklen_t size = sizeof errno;
		int error = 0;
		getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		flow->connected = now_us();
		if (!error && send(flow->fd, "ping", WORD, MSG_NOSIGNAL) == WORD) {
			watch(flow->fd, EPOLLIN, flow, EPOLL_CTL_MOD);
			return 0;
		}
		errno = error ? error : errno;
		note("connect");
	} else {
		ssize_t got = recv(flow->fd, &seen, WORD, 0);
		if (got == WORD)
			done++;
		else
			note("answer");
		if (got == WORD && seen != (expected ? expected : flow->source))
			wrong++;
	}
	close(flow->fd);
	flow->fd = -1;
	return 1;
}

static int rate(int milliseconds, int in_flight)
{
	static struct flow flows[MOST];
	struct epoll_event events[EVENTS];
	double cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID), begin = now_us(), end = begin + milliseconds * 1e3;
	int open = 0;
	for (int i = 0; i < in_flight && i < MOST; i++)
		open += start(&flows[i]);
	while (open && now_us() < end) {
		int count = epoll_wait(poller, events, EVENTS, 100);
		for (int i = 0; i < count; i++)
			if (step(events[i].data.ptr))
				open += start(events[i].data.ptr) - 1;
	}
	double seconds = (now_us() - begin) / 1e6;
	cpu = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e6;
	printf("{\"done\": %ld, \"failed\": %ld, \"wrong\": %ld, \"seconds\": %.6f, \"cpu\": %.6f, \"error\": \"%s\"}\n", done, failed,
	       wrong, seconds, cpu, first_error);
	return 0;
}

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static int alone(int count)
{
	struct flow flow;
	struct epoll_event event;
	double *connects = calloc(count, sizeof *connects), *answers = calloc(count, sizeof *answers);
	if (!connects || !answers || count < 1)
		die("count");
	for (int i = 0; i < count; i++) {
		int over = !start(&flow);
		while (!over) {
			if (epoll_wait(poller, &event, 1, PATIENCE_MS) != 1) {
				errno = ETIMEDOUT;
				die("one connection");
			}
			over = step(&flow);
		}
		answers[i] = now_us() - flow.started;
		connects[i] = flow.connected - flow.started;
	}
	qsort(connects, count, sizeof *connects, ascending);
	qsort(answers, count, sizeof *answers, ascending);
	printf("{\"done\": %ld, \"failed\": %ld, \"wrong\": %ld, \"connect_us\": %.1f, \"answer_us\": %.1f, \"error\": \"%s\"}\n", done,
	       failed, wrong, connects[count / 2], answers[count / 2], first_error);
	return 0;
}

static void aim(char **argument)
{
	char *comma = strchr(argument[3], ',');
	if (!comma) {
		errno = EINVAL;
		die(argument[3]);
	}
	*comma = 0;
	to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argument[1])), .sin_addr.s_addr = address(argument[0])};
	from = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = address(argument[3])};
	expected = strcmp(argument[2], "self") ? address(argument[2]) : 0;
	source_count = atoi(comma + 1) > 0 ? atoi(comma + 1) : 1;
	resetting = !strcmp(argument[4], "reset");
}

int main(int argc, char **argv)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0)
		die("epoll");
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]));
	if (argc == 9 && !strcmp(argv[1], "rate")) {
		aim(argv + 2);
		return rate(atoi(argv[7]), atoi(argv[8]));
	}
	if (argc == 8 && !strcmp(argv[1], "alone")) {
		aim(argv + 2);
		return alone(atoi(argv[7]));
	}
	fputs("load: see the head of load.c\n", stderr);
	return 2;
}
