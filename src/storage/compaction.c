/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/compaction.h"

#include "base/cleanup.h"
#include "storage/catalog_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TRIES = 200, LOCK_PAUSE_NS = 1000000 };

static const char name[] = "catalog.jsonl", half[] = "catalog.jsonl.new";

struct compaction {
	int directory;
	FILE *from, *to;
	uint64_t inode; /* of what is read */
};

static void release(struct compaction *compaction)
{
	if (compaction->from)
		fclose(compaction->from);
	if (compaction->to)
		fclose(compaction->to);
}

/* Of a file that is somewhere else, or that cannot be looked at, nothing is known: its line stays.
 */
static bool is_of_no_more(const struct compaction *compaction, const char *text, size_t length)
{
	struct catalog_line line;
	struct stat status;

	return catalog_line_read(&line, text, length) == 0 &&
	       fstatat(compaction->directory, line.file, &status, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT;
}

/* All whole lines from here on; a half one is left. */
static int copy(struct compaction *compaction)
{
	CLEANUP(free_at) char *text = NULL;
	size_t room = 0;
	ssize_t n;

	clearerr(compaction->from);
	while ((n = getline(&text, &room, compaction->from)) > 0) {
		if (text[n - 1] != '\n') {
			(void)fseeko(compaction->from, -(off_t)n, SEEK_CUR);
			break;
		}
		if (!is_of_no_more(compaction, text, (size_t)n))
			(void)fwrite(text, 1, (size_t)n, compaction->to);
	}
	/* One that failed in between is not told by the last: what it had to write is gone. */
	if (ferror(compaction->from) || fflush(compaction->to) != 0 || ferror(compaction->to))
		return -EIO;
	return fsync(fileno(compaction->to)) < 0 ? -errno : 0;
}

static int open_from(struct compaction *compaction)
{
	CLEANUP(close_at)
	int fd =
	    openat(compaction->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EMEDIUMTYPE;
	compaction->inode = status.st_ino;
	compaction->from = fdopen(fd, "r");
	if (!compaction->from)
		return -errno;
	(void)TAKE_FD(fd);
	return 0;
}

/*
 * Whoever has it locked compacts: two sensors may have one directory.  One that was killed left it,
 * for the next to begin anew.
 */
static int open_to(struct compaction *compaction)
{
	CLEANUP(close_at)
	int fd =
	    openat(compaction->directory, half, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct stat status, named;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -EAGAIN;
	/* Another may have renamed it, or given it up, before the lock was ours. */
	if (fstat(fd, &status) < 0 ||
	    fstatat(compaction->directory, half, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    status.st_ino != named.st_ino || !S_ISREG(status.st_mode))
		return -EAGAIN;
	if (ftruncate(fd, 0) < 0)
		return -errno;
	compaction->to = fdopen(fd, "w");
	if (!compaction->to)
		return -errno;
	(void)TAKE_FD(fd);
	return 0;
}

/*
 * Workers hold it for the time of a line, and more than one may: it is seldom free where files are
 * finished often, and the moments between are waited for.
 */
static int lock_alone(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

/* With nobody appending: what they appended since, and then the name. */
static int swap(struct compaction *compaction)
{
	struct stat status;
	int r = lock_alone(fileno(compaction->from));

	if (r < 0)
		return r;
	if (fstatat(compaction->directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    status.st_ino != compaction->inode)
		return -EAGAIN;
	r = copy(compaction);
	if (r == 0 && renameat(compaction->directory, half, compaction->directory, name) < 0)
		r = -errno;
	return r;
}

int compaction_run(int directory)
{
	CLEANUP(release) struct compaction compaction = { .directory = directory };
	int r = open_from(&compaction);

	if (r == 0)
		r = open_to(&compaction);
	if (r == 0)
		r = copy(&compaction);
	if (r == 0)
		r = swap(&compaction);
	if (r < 0 && compaction.to)
		(void)unlinkat(directory, half, 0);
	return r;
}
