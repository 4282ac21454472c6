/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/catalog_reader.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/when.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int catalog_reader_open(struct catalog_reader *ret_reader, int directory, uint64_t place)
{
	CLEANUP(close_at)
	int fd = openat(directory, "catalog.jsonl", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct catalog_reader reader = { .place = place };
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EMEDIUMTYPE;
	if (lseek(fd, (off_t)place, SEEK_SET) < 0)
		return -errno;
	reader.inode = status.st_ino;
	reader.file = fdopen(fd, "r");
	if (!reader.file)
		return -errno;
	(void)TAKE_FD(fd);
	*ret_reader = reader;
	return 0;
}

static int read_line(struct catalog_line *line)
{
	char first[CLOCK_TEXT_LENGTH], last[CLOCK_TEXT_LENGTH], closed[CLOCK_TEXT_LENGTH];
	const struct json_field fields[] = {
		{ "file", JSON_TEXT, line->file, sizeof(line->file), false },
		{ "inode", JSON_COUNT, &line->inode, 0, false },
		{ "sensor", JSON_TEXT, line->sensor, sizeof(line->sensor), false },
		{ "interface", JSON_TEXT, line->interface, sizeof(line->interface), false },
		{ "worker", JSON_COUNT, &line->worker, 0, false },
		{ "first", JSON_TEXT, first, sizeof(first), false },
		{ "last", JSON_TEXT, last, sizeof(last), false },
		{ "packets", JSON_COUNT, &line->packets, 0, false },
		{ "bytes", JSON_COUNT, &line->bytes, 0, false },
		{ "dropped", JSON_COUNT, &line->dropped, 0, false },
		{ "discarded", JSON_COUNT, &line->discarded, 0, false },
		{ "closed", JSON_TEXT, closed, sizeof(closed), false },
		{ "cause", JSON_TEXT, line->cause, sizeof(line->cause), false },
		{ "sha256", JSON_TEXT, line->sha256, sizeof(line->sha256), true },
	};
	int r = json_read(line->text, line->length, fields, COUNT_OF(fields));

	if (r < 0)
		return r;
	if (when_parse(first, 0, &line->first_ns) < 0 || when_parse(last, 0, &line->last_ns) < 0 ||
	    when_parse(closed, 0, &line->closed_ns) < 0)
		return -EBADMSG;
	return 0;
}

int catalog_line_read(struct catalog_line *ret_line, const char *text, size_t length)
{
	struct catalog_line line = { .text = text, .length = length };
	int r = read_line(&line);

	if (r == 0)
		*ret_line = line;
	return r;
}

int catalog_reader_next(struct catalog_reader *reader, struct catalog_line *ret_line)
{
	ssize_t n;
	int r;

	while ((n = getline(&reader->text, &reader->room, reader->file)) > 0) {
		if (reader->text[n - 1] != '\n')
			return 0;
		reader->place += (uint64_t)n;
		r = catalog_line_read(ret_line, reader->text, (size_t)n);
		if (r == 0)
			return 1;
		if (r != -EBADMSG)
			return r;
		reader->bad++;
	}
	return ferror(reader->file) ? -EIO : 0;
}

void catalog_reader_close(struct catalog_reader *reader)
{
	if (reader->file)
		fclose(reader->file);
	free(reader->text);
	*reader = (struct catalog_reader) { 0 };
}
