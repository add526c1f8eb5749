/* Copyright (c) the edge.gateway contributors
 * GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The target of all routes, in C so that it takes little of the core that it shares with the client: target PORT
 *
 * Each request (no body is understood) is answered 200 with the same six characters, and the connection is kept.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, PIECE = 16384, END = 4 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\ntarget";
static const char HEAD_END[END + 1] = "\r\n\r\n";

/* A connection, and how much of the end of a request's head has been seen. */
struct guest {
	int fd;
	int seen;
};

static int poller;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int fd, struct guest *guest)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = guest};
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
}

static void welcome(int listener)
{
	int fd, yes = 1;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct guest *guest = calloc(1, sizeof *guest);
		if (!guest)
			die("calloc");
		guest->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
		watch(fd, guest);
	}
}

/* Whether the connection goes on. */
static int answer(struct guest *guest)
{
	char piece[PIECE];
	ssize_t got = recv(guest->fd, piece, sizeof piece, 0);
	for (ssize_t i = 0; i < got; i++) {
		if (piece[i] == HEAD_END[guest->seen])
			guest->seen++;
		else
			guest->seen = piece[i] == '\r';
		if (guest->seen < END)
			continue;
		guest->seen = 0;
		if (send(guest->fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != sizeof ANSWER - 1)
			return 0;
	}
	return got > 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
	struct epoll_event events[EVENTS];
	int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0 || listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes))
		die("socket");
	if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096))
		die("listen");
	watch(listener, NULL);
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			struct guest *guest = events[i].data.ptr;
			if (!guest) {
				welcome(listener);
			} else if (!answer(guest)) {
				close(guest->fd);
				free(guest);
			}
		}
	}
}
