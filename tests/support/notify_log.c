/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify_log SOCKET: stands in for the service manager.  Binds the socket, and writes each line
 * that sd_notify(3) sends to stdout, after the milliseconds of the monotonic clock.
 * notify_log --now: these alone.
 */
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A barrier waits until what came with the message is closed. */
static void close_received(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head)) {
		size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
			close(fd);
		}
	}
}

static int log_one(int fd)
{
	static char text[65536];
	char control[1024];
	struct iovec part = { text, sizeof(text) - 1 };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	uint64_t now = clock_monotonic_ns() / 1000000;

	if (length < 0)
		return -1;
	close_received(&message);
	text[length] = '\0';
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		printf("%" PRIu64 " %s\n", now, line);
	fflush(stdout);

	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc == 2 && strcmp(argv[1], "--now") == 0) {
		printf("%" PRIu64 "\n", clock_monotonic_ns() / 1000000);
		return 0;
	}
	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 64;
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("notify_log: cannot bind");
		return 71;
	}
	while (log_one(fd) == 0)
		;

	return 0;
}
