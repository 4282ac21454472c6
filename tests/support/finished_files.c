/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"
#include "support/finished_files.h"

#include "storage/catalog.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char outside_path[64];
int outside = -1, directory = -1;

static int remove_entry(const char *name, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(name);
}

/* A directory of others', with the output directory in it. */
int make_directory(void **state)
{
	(void)state;
	strcpy(outside_path, "/tmp/fancap-cull-XXXXXX");
	if (!mkdtemp(outside_path))
		return -1;
	outside = open(outside_path, O_DIRECTORY | O_CLOEXEC);
	if (outside < 0 || mkdirat(outside, "output", 0750) < 0)
		return -1;
	directory = openat(outside, "output", O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

int remove_directory(void **state)
{
	(void)state;
	close(directory);
	close(outside);
	return nftw(outside_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

uint64_t make_file(int at, const char *name)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789", 10), 10);
	assert_int_equal(fstat(fd, &status), 0);
	close(fd);
	return status.st_ino;
}

uint64_t inode_of(int at, const char *name)
{
	struct stat status;

	return fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
}

void enter(const char *file, uint64_t inode, const char *sensor, uint64_t time_ns)
{
	struct catalog catalog = { .directory = directory };
	const struct catalog_entry entry = {
		.file = file,
		.inode = inode,
		.sensor = sensor,
		.interface = "eth0",
		.first_ns = time_ns,
		.last_ns = time_ns + 5,
		.packets = 1,
		.bytes = 10,
		.closed_ns = time_ns + 6,
		.cause = "rotated",
	};

	assert_int_equal(catalog_append(&catalog, &entry), 0);
	catalog_release(&catalog);
}

void make_numbered(int from, int to)
{
	for (int i = from; i < to; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%d.pcap", i);
		enter(name, make_file(directory, name), "mine", (uint64_t)(i + 1) * 100);
	}
}
