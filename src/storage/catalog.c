/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/catalog.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_LENGTH = 8192, TAIL_LENGTH = 256 * 1024, NAME_LENGTH = 64 };
enum { TRIES = 20, TRY_AGAIN_MS = 10 };
static const char catalog_name[] = "catalog.jsonl";

static void put_pair(FILE *line, const char *name, const char *value)
{
	fprintf(line, ",\"%s\":", name);
	json_quote(line, value);
}

static void put_time(FILE *line, const char *name, uint64_t time_ns)
{
	char text[CLOCK_TEXT_LENGTH];

	clock_text(text, time_ns);
	put_pair(line, name, text);
}

/* How a line begins, by which it is found again. */
static void put_key(FILE *line, const char *file, uint64_t inode)
{
	fputs("{\"file\":", line);
	json_quote(line, file);
	fprintf(line, ",\"inode\":%" PRIu64, inode);
}

static void put_entry(FILE *line, const struct catalog_entry *entry)
{
	put_key(line, entry->file, entry->inode);
	put_pair(line, "sensor", entry->sensor);
	put_pair(line, "interface", entry->interface);
	fprintf(line, ",\"worker\":%" PRIu32, entry->worker);
	put_time(line, "first", entry->first_ns);
	put_time(line, "last", entry->last_ns);
	fprintf(line,
	    ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"dropped\":%" PRIu64
	    ",\"discarded\":%" PRIu64,
	    entry->packets, entry->bytes, entry->dropped, entry->discarded);
	put_time(line, "closed", entry->closed_ns);
	put_pair(line, "cause", entry->cause);
	fputs("}\n", line);
}

/* Cut a line off that did not go in whole; what is left of it goes on with the next try. */
static size_t cut_to_whole(int fd, const char *lines, size_t n)
{
	const char *end = memrchr(lines, '\n', n);
	size_t whole = end ? (size_t)(end + 1 - lines) : 0;
	struct stat status;

	if (fstat(fd, &status) < 0 || ftruncate(fd, status.st_size - (off_t)(n - whole)) < 0)
		return n;
	return whole;
}

/*
 * Open it so that nobody compacts it meanwhile, as compaction.h does.  Returns -EAGAIN where
 * somebody does just now.
 */
static int open_in_use(int directory, int flags)
{
	CLEANUP(close_at)
	int fd = openat(directory, catalog_name, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct stat status, named;

	if (fd < 0)
		return -errno;
	/* Where a file system knows no locks, nobody else compacts, either. */
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return -EAGAIN;
	/* It was, between the two calls. */
	if (fstat(fd, &status) < 0 ||
	    fstatat(directory, catalog_name, &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    status.st_ino != named.st_ino)
		return -EAGAIN;
	return TAKE_FD(fd);
}

/* The same, where it is worth to wait for somebody a little. */
static int open_in_use_soon(int directory, int flags)
{
	int fd = open_in_use(directory, flags);

	for (int tries = 0; fd == -EAGAIN && tries < TRIES; tries++) {
		(void)poll(NULL, 0, TRY_AGAIN_MS);
		fd = open_in_use(directory, flags);
	}
	return fd;
}

/* ---- what waits ------------------------------------------------------------------------- */

/* In the refuge there may be lines of another directory. */
static int name_kept(const struct catalog *catalog, char name[NAME_LENGTH])
{
	struct stat status;

	if (catalog->refuge <= 0 || fstat(catalog->directory, &status) < 0)
		return -ENOENT;
	snprintf(name, NAME_LENGTH, "catalog.%jx.%jx", (uintmax_t)status.st_dev,
	    (uintmax_t)status.st_ino);
	return 0;
}

static int keep(const struct catalog *catalog, const char *name)
{
	CLEANUP(close_at) int fd = -1;

	(void)unlinkat(catalog->refuge, "catalog.new", 0);
	fd = openat(catalog->refuge, "catalog.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (write(fd, catalog->lines, catalog->length) != (ssize_t)catalog->length)
		return -EIO;
	return renameat(catalog->refuge, "catalog.new", catalog->refuge, name) < 0 ? -errno : 0;
}

/* What waits here waits there, too. */
static void keep_in_step(struct catalog *catalog)
{
	char name[NAME_LENGTH];

	if (!catalog->is_astray || name_kept(catalog, name) < 0)
		return;
	if (catalog->length == 0)
		(void)unlinkat(catalog->refuge, name, 0);
	else if (keep(catalog, name) < 0)
		return;
	catalog->is_astray = false;
}

static int write_lines(struct catalog *catalog)
{
	CLEANUP(close_at)
	int fd = open_in_use(catalog->directory, O_WRONLY | O_CREAT | O_APPEND);
	ssize_t n;
	size_t done;

	if (fd < 0)
		return fd;
	n = write(fd, catalog->lines, catalog->length);
	if (n < 0)
		return -errno;
	done = (size_t)n;
	if (done < catalog->length)
		done = cut_to_whole(fd, catalog->lines, done);
	catalog->length -= done;
	catalog->is_astray |= done > 0;
	memmove(catalog->lines, catalog->lines + done, catalog->length);
	return catalog->length == 0 ? 0 : -ENOSPC;
}

int catalog_catch_up(struct catalog *catalog)
{
	int r = catalog->length > 0 ? write_lines(catalog) : 0;

	keep_in_step(catalog);
	return r;
}

static int add(struct catalog *catalog, const char *line, size_t length)
{
	char *lines = realloc(catalog->lines, catalog->length + length);

	if (!lines)
		return -ENOMEM;
	memcpy(lines + catalog->length, line, length);
	catalog->lines = lines;
	catalog->length += length;
	catalog->is_astray = true;
	return 0;
}

int catalog_append(struct catalog *catalog, const struct catalog_entry *entry)
{
	char text[LINE_LENGTH];
	FILE *line = fmemopen(text, sizeof(text), "w");
	size_t length;
	int r;

	if (!line)
		return -ENOMEM;
	put_entry(line, entry);
	(void)fflush(line);
	length = (size_t)ftell(line);
	fclose(line);
	r = add(catalog, text, length);
	return r < 0 ? r : catalog_catch_up(catalog);
}

void catalog_release(struct catalog *catalog)
{
	free(catalog->lines);
	*catalog = (struct catalog) { .directory = -1 };
}

/* The end of the catalog, NUL-terminated; NULL where there is none. */
static char *read_tail(int directory)
{
	CLEANUP(close_at)
	int fd = openat(directory, catalog_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(free_at) char *tail = malloc(TAIL_LENGTH + 1);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	ssize_t n;

	if (size < 0 || !tail)
		return NULL;
	n = pread(fd, tail, TAIL_LENGTH, size > TAIL_LENGTH ? size - TAIL_LENGTH : 0);
	if (n < 0)
		return NULL;
	tail[n] = 0;
	return TAKE(tail);
}

bool catalog_has(const struct catalog *catalog, const char *file, uint64_t inode)
{
	CLEANUP(free_at) char *tail = read_tail(catalog->directory);
	char key[LINE_LENGTH];
	FILE *line = fmemopen(key, sizeof(key), "w");
	size_t length;

	if (!line)
		return false;
	put_key(line, file, inode);
	fputc(',', line);
	length = (size_t)ftell(line);
	fclose(line);
	return (tail && strstr(tail, key)) ||
	       (catalog->lines && memmem(catalog->lines, catalog->length, key, length));
}

/* ---- what earlier lives left ------------------------------------------------------------- */

/* The last line was on its way when they ended; one of somebody's own may lack its end alone. */
static void mend_end(int directory)
{
	CLEANUP(close_at) int fd = open_in_use_soon(directory, O_RDWR);
	CLEANUP(free_at) char *tail = read_tail(directory);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	size_t length = tail ? strlen(tail) : 0;
	const char *end;

	if (size <= 0 || length == 0 || tail[length - 1] == '\n')
		return;
	end = strrchr(tail, '\n');
	if (tail[length - 1] == '}')
		(void)!pwrite(fd, "\n", 1, size);
	else if (end || (off_t)length == size)
		(void)!ftruncate(fd, size - (off_t)(end ? strlen(end + 1) : length));
}

static char *read_kept(const struct catalog *catalog, const char *name)
{
	CLEANUP(close_at)
	int fd = openat(catalog->refuge, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(free_at) char *lines = NULL;
	struct stat status;
	ssize_t n;

	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return NULL;
	lines = malloc((size_t)status.st_size + 1);
	n = lines ? read(fd, lines, (size_t)status.st_size) : -1;
	if (n < 0)
		return NULL;
	lines[n] = 0;
	return TAKE(lines);
}

/* It is the whole line that counts: name and inode may recur. */
static void wait_again(struct catalog *catalog, const char *kept)
{
	CLEANUP(free_at) char *tail = read_tail(catalog->directory);

	for (const char *end; (end = strchr(kept, '\n')); kept = end + 1) {
		size_t length = (size_t)(end + 1 - kept);

		if (!tail || !memmem(tail, strlen(tail), kept, length))
			(void)add(catalog, kept, length);
	}
}

void catalog_open(struct catalog *catalog, int directory, int refuge)
{
	CLEANUP(free_at) char *kept = NULL;
	char name[NAME_LENGTH];

	*catalog = (struct catalog) { .directory = directory, .refuge = refuge };
	mend_end(directory);
	if (name_kept(catalog, name) < 0)
		return;
	kept = read_kept(catalog, name);
	if (!kept)
		return;
	/* Whatever that was: it is brought into step. */
	catalog->is_astray = true;
	wait_again(catalog, kept);
	(void)catalog_catch_up(catalog);
}
