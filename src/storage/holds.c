/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/holds.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/when.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static const char folder[] = "holds", extension[] = ".json";
enum { TEXT_LENGTH = 512, PATH_LENGTH = 96 };

int holds_lock(int directory, enum holds_lock lock)
{
	/* Of its own: a duplicate would share the lock with whoever else has it. */
	CLEANUP(close_at) int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, lock == HOLDS_ALONE ? LOCK_EX : LOCK_SH) < 0)
		return -errno;
	return TAKE_FD(fd);
}

bool holds_is_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= HOLD_NAME_LENGTH || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* "NAME.json" is one; what is on its way to be one begins with a dot. */
static bool take_name(char name[HOLD_NAME_LENGTH], const char *entry)
{
	size_t length = strlen(entry), end = strlen(extension);

	if (length <= end || length - end >= HOLD_NAME_LENGTH ||
	    strcmp(entry + length - end, extension) != 0)
		return false;
	snprintf(name, HOLD_NAME_LENGTH, "%.*s", (int)(length - end), entry);
	return holds_is_name(name);
}

static int read_one(struct hold *hold, int directory, const char *entry)
{
	CLEANUP(close_at)
	int fd = openat(directory, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[TEXT_LENGTH], since[CLOCK_TEXT_LENGTH], until[CLOCK_TEXT_LENGTH],
	    made[CLOCK_TEXT_LENGTH];
	const struct json_field fields[] = {
		{ "since", JSON_TEXT, since, sizeof(since), false },
		{ "until", JSON_TEXT, until, sizeof(until), false },
		{ "made", JSON_TEXT, made, sizeof(made), false },
	};
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	int r;

	if (n < 0)
		return -errno;
	r = json_read(text, (size_t)n, fields, COUNT_OF(fields));
	if (r == 0)
		r = when_parse(since, 0, &hold->since_ns);
	if (r == 0)
		r = when_parse(until, 0, &hold->until_ns);
	return r == 0 ? when_parse(made, 0, &hold->made_ns) : r;
}

static int add(struct holds *holds, int directory, const char *entry)
{
	struct hold hold = { 0 }, *list;
	int r;

	if (!take_name(hold.name, entry))
		return 0;
	r = read_one(&hold, directory, entry);
	/* Released since it was seen. */
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		holds->is_unsure = true;
		return 0;
	}
	list = reallocarray(holds->list, holds->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	holds->list = list;
	holds->list[holds->count++] = hold;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct hold *)a)->name, ((const struct hold *)b)->name);
}

int holds_read(struct holds *ret_holds, int directory)
{
	int fd = openat(directory, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct holds holds = { 0 };
	const struct dirent *entry;
	DIR *stream;
	int r = 0;

	*ret_holds = holds;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	stream = fdopendir(fd);
	if (!stream) {
		r = -errno;
		close(fd);
		return r;
	}
	for (;;) {
		errno = 0;
		entry = readdir(stream);
		if (!entry)
			r = -errno;
		if (!entry || (r = add(&holds, fd, entry->d_name)) < 0)
			break;
	}
	closedir(stream);
	if (r < 0) {
		holds_release(&holds);
		return r;
	}
	if (holds.count > 0)
		qsort(holds.list, holds.count, sizeof(*holds.list), by_name);
	*ret_holds = holds;
	return 0;
}

bool holds_cover(const struct holds *holds, uint64_t first_ns, uint64_t last_ns)
{
	for (size_t i = 0; i < holds->count; i++)
		if (holds->list[i].since_ns <= last_ns && holds->list[i].until_ns >= first_ns)
			return true;
	return holds->is_unsure;
}

/* ---- making and releasing ---------------------------------------------------------------- */

/* Who removes files is the daemon's user, and must read what an administrator made. */
static int own_like(int fd, const struct stat *owner)
{
	return geteuid() == owner->st_uid || fchown(fd, owner->st_uid, owner->st_gid) == 0 ? 0
											   : -errno;
}

static int open_folder(int directory, struct stat *ret_owner)
{
	int fd;

	if (fstat(directory, ret_owner) < 0)
		return -errno;
	if (mkdirat(directory, folder, 0750) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(directory, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && own_like(fd, ret_owner) < 0)
		close_at(&fd);
	return fd < 0 ? -errno : fd;
}

static int write_one(int fd, const struct hold *hold)
{
	char text[TEXT_LENGTH], since[CLOCK_TEXT_LENGTH], until[CLOCK_TEXT_LENGTH],
	    made[CLOCK_TEXT_LENGTH];
	int n;

	clock_text(since, hold->since_ns);
	clock_text(until, hold->until_ns);
	clock_text(made, hold->made_ns);
	n = snprintf(text, sizeof(text),
	    "{\"name\":\"%s\",\"since\":\"%s\",\"until\":\"%s\",\"made\":\"%s\"}\n", hold->name,
	    since, until, made);
	if (write(fd, text, (size_t)n) != n)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

int holds_add(int directory, const struct hold *hold)
{
	char path[PATH_LENGTH], half[PATH_LENGTH];
	struct stat owner;
	CLEANUP(close_at) int holder = open_folder(directory, &owner);
	CLEANUP(close_at) int fd = -1;
	int r;

	if (holder < 0)
		return holder;
	snprintf(path, sizeof(path), "%s%s", hold->name, extension);
	snprintf(half, sizeof(half), ".%s%s", hold->name, extension);
	(void)unlinkat(holder, half, 0);
	fd = openat(holder, half, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	r = own_like(fd, &owner);
	if (r == 0)
		r = write_one(fd, hold);
	if (r == 0 && renameat2(holder, half, holder, path, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == 0)
		return fsync(holder) < 0 ? -errno : 0;
	(void)unlinkat(holder, half, 0);
	return r;
}

int holds_remove(int directory, const char *name)
{
	char path[PATH_LENGTH + sizeof(folder)];

	if (!holds_is_name(name))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s%s", folder, name, extension);
	return unlinkat(directory, path, 0) < 0 ? -errno : 0;
}

void holds_release(struct holds *holds)
{
	free(holds->list);
	*holds = (struct holds) { 0 };
}
