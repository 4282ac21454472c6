/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send_all_to PID NUMBER: has the fanout group of a worker's socket send everything to one of its
 * members, by the number that the kernel has it as.
 */
#include "base/cleanup.h"
#include "capture/program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_packet_socket(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_PACKET;
}

/* A duplicate of the only one that the process has; -1: none. */
static int take_socket(pid_t pid)
{
	CLEANUP(close_at) int process = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[64];
	DIR *directory;
	const struct dirent *entry;
	int found = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	while (directory && found < 0 && (entry = readdir(directory))) {
		found = (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
		if (found >= 0 && !is_packet_socket(found))
			close_at(&found);
	}
	if (directory)
		closedir(directory);
	return found;
}

int main(int argc, char **argv)
{
	CLEANUP(close_at) int fd = -1;
	struct program program;
	int r;

	if (argc != 3)
		return 64;
	fd = take_socket((pid_t)atoi(argv[1]));
	if (fd < 0) {
		fprintf(stderr, "send_all_to: process %s has no packet socket\n", argv[1]);
		return 66;
	}
	if (program_constant(&program, (uint32_t)strtoul(argv[2], NULL, 10)) < 0)
		return 71;
	r = program_attach(fd, &program);
	program_release(&program);
	if (r < 0)
		fprintf(stderr, "send_all_to: %s\n", strerror(-r));
	return r < 0 ? 71 : 0;
}
