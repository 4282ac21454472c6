/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/removal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MOST = 32, NAME_LENGTH = 512 };
static const char part[] = ".part";

/* The directories on the way to a file, each opened below the one before. */
struct way {
	char text[NAME_LENGTH];        /* the file's name, cut at each slash */
	const char *names[DEPTH_MOST]; /* of its parts; the last is the file's own */
	int fds[DEPTH_MOST];           /* in which each of them is; the first is the caller's */
	int depth;
};

static void way_leave(struct way *way)
{
	for (int i = 1; i < way->depth; i++)
		close_at(&way->fds[i]);
}

static bool is_plain(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool ends_in_part(const char *name)
{
	size_t length = strlen(name);

	return length >= strlen(part) && strcmp(name + length - strlen(part), part) == 0;
}

/* One directory further down: a real one, and no mount point. */
static int descend(struct way *way, dev_t device)
{
	const char *name = way->names[way->depth - 1];
	struct stat status;
	int fd;

	fd = openat(way->fds[way->depth - 1], name,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -ESTALE : -errno;
	if (fstat(fd, &status) < 0 || status.st_dev != device) {
		close(fd);
		return -ESTALE;
	}
	way->fds[way->depth] = fd;
	return 0;
}

static int go(struct way *way, const char *file, dev_t device)
{
	char *at = way->text, *slash;
	int r;

	if (snprintf(way->text, sizeof(way->text), "%s", file) >= (int)sizeof(way->text))
		return -ENAMETOOLONG;
	for (;;) {
		slash = strchr(at, '/');
		if (slash)
			*slash = 0;
		if (!is_plain(at))
			return -ESTALE;
		way->names[way->depth++] = at;
		if (!slash)
			return 0;
		if (way->depth == DEPTH_MOST)
			return -ENAMETOOLONG;
		r = descend(way, device);
		if (r < 0)
			return r;
		at = slash + 1;
	}
}

/* From the bottom up, until one is not empty. */
static void remove_empty(const struct way *way)
{
	for (int i = way->depth - 2; i >= 0; i--)
		if (unlinkat(way->fds[i], way->names[i], AT_REMOVEDIR) < 0)
			return;
}

/* 1: it has another name, too. */
static int check_at(const struct way *way, uint64_t inode)
{
	int directory = way->fds[way->depth - 1];
	const char *name = way->names[way->depth - 1];
	struct stat status;

	if (ends_in_part(name))
		return -ESTALE;
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* Not by its device: an overlay shows a file with that of the layer it is in. */
	if (!S_ISREG(status.st_mode) || status.st_ino != inode)
		return -ESTALE;
	return status.st_nlink > 1;
}

static int find(struct way *way, const char *file, uint64_t inode)
{
	struct stat status;
	int r;

	if (fstat(way->fds[0], &status) < 0)
		return -errno;
	r = go(way, file, status.st_dev);
	return r < 0 ? r : check_at(way, inode);
}

int removal_check(int directory, const char *file, uint64_t inode)
{
	struct way way = { .fds = { directory } };
	int r = find(&way, file, inode);

	way_leave(&way);
	return r;
}

int removal_run(int directory, const char *file, uint64_t inode)
{
	struct way way = { .fds = { directory } };
	int r = find(&way, file, inode);

	if (r > 0)
		r = 0;
	if (r == 0 && unlinkat(way.fds[way.depth - 1], way.names[way.depth - 1], 0) < 0)
		r = -errno;
	if (r == 0)
		remove_empty(&way);
	way_leave(&way);
	return r;
}
