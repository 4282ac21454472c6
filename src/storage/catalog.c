/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/catalog.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_LENGTH = 8192, TAIL_LENGTH = 256 * 1024 };

static void put_pair(FILE *line, const char *name, const char *value)
{
	fprintf(line, ",\"%s\":", name);
	json_string(line, value);
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
	json_string(line, file);
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

int catalog_catch_up(struct catalog *catalog)
{
	CLEANUP(close_at) int fd = -1;
	ssize_t n;
	size_t done;

	if (catalog->length == 0)
		return 0;
	fd = openat(catalog->directory, "catalog.jsonl",
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	n = write(fd, catalog->lines, catalog->length);
	if (n < 0)
		return -errno;
	done = (size_t)n;
	if (done < catalog->length)
		done = cut_to_whole(fd, catalog->lines, done);
	catalog->length -= done;
	memmove(catalog->lines, catalog->lines + done, catalog->length);
	return catalog->length == 0 ? 0 : -ENOSPC;
}

int catalog_append(struct catalog *catalog, const struct catalog_entry *entry)
{
	char text[LINE_LENGTH];
	FILE *line = fmemopen(text, sizeof(text), "w");
	size_t length;
	char *lines;

	if (!line)
		return -ENOMEM;
	put_entry(line, entry);
	(void)fflush(line);
	length = (size_t)ftell(line);
	fclose(line);
	lines = realloc(catalog->lines, catalog->length + length);
	if (!lines)
		return -ENOMEM;
	memcpy(lines + catalog->length, text, length);
	catalog->lines = lines;
	catalog->length += length;
	return catalog_catch_up(catalog);
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
	int fd = openat(directory, "catalog.jsonl", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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
