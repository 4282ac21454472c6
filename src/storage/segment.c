/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/segment.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* So often a directory that was just made may be removed by others. */
enum { OPEN_TRIES = 3 };

struct segment {
	int fd;
	int directory;
	uint64_t inode;
	bool is_published;
	char path[LEDGER_NAME_LENGTH + 8]; /* as it is called now */
};

DEFINE_CLEANUP(struct segment *, segment_close)

static struct segment *make(int directory, const char *name)
{
	struct segment *segment = calloc(1, sizeof(*segment));

	if (!segment)
		return NULL;
	segment->fd = -1;
	segment->directory = directory;
	snprintf(segment->path, sizeof(segment->path), "%s.part", name);
	return segment;
}

/* Every directory above a name; one that is there is good. */
static int make_directories(int directory, const char *name)
{
	char path[LEDGER_NAME_LENGTH + 8];

	snprintf(path, sizeof(path), "%s", name);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdirat(directory, path, 0750) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* tmpfs and some others know no O_DIRECT: the same path runs without the flag. */
static int open_direct(int directory, const char *name, int flags)
{
	int fd = openat(directory, name, flags | O_DIRECT, 0640);

	if (fd < 0 && errno == EINVAL)
		fd = openat(directory, name, flags & ~O_EXCL, 0640);
	return fd < 0 ? -errno : fd;
}

/* A directory that is empty is removed by retention, and may be just now. */
static int open_new(int directory, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int r = -ENOENT;

	for (int tries = 0; r == -ENOENT && tries < OPEN_TRIES; tries++) {
		r = make_directories(directory, path);
		if (r >= 0)
			r = open_direct(directory, path, flags);
	}
	return r;
}

int segment_create(struct segment **ret_segment, int directory, const char *name)
{
	CLEANUP(segment_close_at) struct segment *segment = make(directory, name);
	struct stat status;
	int r;

	if (!segment)
		return -ENOMEM;
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	r = segment->fd = open_new(directory, segment->path);
	if (r < 0)
		return r;
	FAULT(FILE_OPENED);
	/* Who held it before us, or removed it meanwhile, took it for what an earlier life left. */
	if (flock(segment->fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EEXIST : -errno;
		if (r != -EEXIST)
			(void)segment_remove(segment);
		return r;
	}
	if (fstat(segment->fd, &status) < 0)
		return -errno;
	if (status.st_nlink == 0)
		return -EEXIST;
	segment->inode = status.st_ino;
	*ret_segment = TAKE(segment);
	return 0;
}

void segment_remove_orphan(int directory, const char *name)
{
	CLEANUP(segment_close_at) struct segment *segment = make(directory, name);
	struct stat status;

	if (!segment)
		return;
	segment->fd = openat(directory, segment->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (segment->fd >= 0 && flock(segment->fd, LOCK_EX | LOCK_NB) == 0 &&
	    fstat(segment->fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0)
		(void)segment_remove(segment);
}

static int open_inode(int directory, const char *name, uint64_t inode)
{
	CLEANUP(close_at) int fd = open_direct(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || status.st_ino != inode || !S_ISREG(status.st_mode))
		return -ENOENT;
	/* Nobody holds it for longer than a look, since its worker was reaped. */
	if (flock(fd, LOCK_EX) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static void take_final(struct segment *segment, const char *final)
{
	snprintf(segment->path, sizeof(segment->path), "%s", final);
	segment->is_published = true;
}

int segment_open(struct segment **ret_segment, int directory, const char *name, const char *final,
    uint64_t inode)
{
	CLEANUP(segment_close_at) struct segment *segment = make(directory, name);

	if (!segment)
		return -ENOMEM;
	segment->inode = inode;
	segment->fd = open_inode(directory, segment->path, inode);
	if (segment->fd < 0 && final) {
		segment->fd = open_inode(directory, final, inode);
		take_final(segment, final);
	}
	if (segment->fd < 0)
		return -ENOENT;
	*ret_segment = TAKE(segment);
	return 0;
}

static bool is_same(const struct segment *segment, const char *name)
{
	struct stat status;

	return fstatat(segment->directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       status.st_ino == segment->inode;
}

int segment_adopt(struct segment **ret_segment, int directory, const char *name, int mode)
{
	CLEANUP(segment_close_at) struct segment *segment = make(directory, name);
	struct stat status;

	if (!segment)
		return -ENOMEM;
	segment->fd =
	    openat(directory, segment->path, mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (segment->fd < 0 || fstat(segment->fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EMEDIUMTYPE;
	segment->inode = status.st_ino;
	if (flock(segment->fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* Whoever had it until now may have given it its name. */
	if (!is_same(segment, segment->path))
		return -ENOENT;
	*ret_segment = TAKE(segment);
	return 0;
}

void segment_close(struct segment *segment)
{
	if (!segment)
		return;
	close_at(&segment->fd);
	free(segment);
}

int segment_descriptor(const struct segment *segment)
{
	return segment->fd;
}

uint64_t segment_inode(const struct segment *segment)
{
	return segment->inode;
}

bool segment_is_published(const struct segment *segment)
{
	return segment->is_published;
}

static int forgo_direct(const struct segment *segment)
{
	int flags = fcntl(segment->fd, F_GETFL);

	if (flags < 0 || !(flags & O_DIRECT))
		return -EINVAL;
	return fcntl(segment->fd, F_SETFL, flags & ~O_DIRECT) < 0 ? -errno : 0;
}

int segment_write(struct segment *segment, const void *bytes, size_t length, uint64_t at)
{
	const uint8_t *from = bytes;

	FAULT(WRITING);
	while (length > 0) {
		ssize_t n = pwrite(segment->fd, from, length, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL && forgo_direct(segment) == 0)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		at += (uint64_t)n;
		length -= (size_t)n;
		/* After a short write the rest is aligned for no direct write: a full disk, mostly.
		 */
		if (length > 0 && (size_t)n % 512 != 0)
			(void)forgo_direct(segment);
	}
	return 0;
}

/*
 * Through the page cache: a direct write would be rounded up and cut again, which waits for the
 * disk three times for each packet of a quiet interface.
 */
int segment_write_tail(struct segment *segment, const void *bytes, size_t length, uint64_t at)
{
	int flags = fcntl(segment->fd, F_GETFL);
	int r;

	if (flags < 0 || fcntl(segment->fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return -errno;
	r = segment_write(segment, bytes, length, at);
	if (fcntl(segment->fd, F_SETFL, flags) < 0 && r >= 0)
		r = -errno;
	if (r >= 0 &&
	    sync_file_range(segment->fd, (off_t)at, (off_t)length, SYNC_FILE_RANGE_WRITE) < 0)
		r = errno == ENOSYS || errno == ESPIPE ? 0 : -errno;
	return r;
}

int segment_cut(struct segment *segment, uint64_t length)
{
	return ftruncate(segment->fd, (off_t)length) < 0 ? -errno : 0;
}

int segment_sync(struct segment *segment)
{
	return fdatasync(segment->fd) < 0 ? -errno : 0;
}

static int sync_directory(int directory, const char *path)
{
	CLEANUP(close_at)
	int fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int segment_sync_name(const struct segment *segment)
{
	char path[sizeof(segment->path)];
	char *slash;
	int r = 0;

	snprintf(path, sizeof(path), "%s", segment->path);
	/* From the file up, as fsync(2) of a directory says nothing of where that one is entered.
	 */
	while (r >= 0 && (slash = strrchr(path, '/'))) {
		*slash = 0;
		r = sync_directory(segment->directory, path);
	}
	return r < 0 ? r : sync_directory(segment->directory, ".");
}

/* NFS and others know no rename that overwrites nothing; a link overwrites nothing either. */
static int link_name(const struct segment *segment, const char *final)
{
	int at = segment->directory;

	/* A life that was killed between the two steps has linked it before. */
	if (linkat(at, segment->path, at, final, 0) < 0 &&
	    (errno != EEXIST || !is_same(segment, final)))
		return -errno;
	return unlinkat(at, segment->path, 0) < 0 ? -errno : 0;
}

static int give_name(const struct segment *segment, const char *final)
{
	int at = segment->directory;

	if (renameat2(at, segment->path, at, final, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL ? link_name(segment, final) : -errno;
}

int segment_publish(struct segment *segment, const char *final, enum sync_policy sync)
{
	int r;

	if (sync != SYNC_NONE && fsync(segment->fd) < 0)
		return -errno;
	FAULT(SYNCED);
	if (!segment->is_published) {
		r = give_name(segment, final);
		if (r < 0)
			return r;
		take_final(segment, final);
	}
	FAULT(NAMED);
	return sync == SYNC_NONE ? 0 : segment_sync_name(segment);
}

int segment_remove(struct segment *segment)
{
	return unlinkat(segment->directory, segment->path, 0) < 0 ? -errno : 0;
}
