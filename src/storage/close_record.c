/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/close_record.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/when.h"
#include "storage/catalog_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char folder_name[] = "on-close";
enum { LINE_LENGTH = 4096, NAME_LENGTH = 96, RESERVE = 64 * 1024 };

/* ---- marks ------------------------------------------------------------------------------- */

int close_mark_compare(const void *a, const void *b)
{
	const struct close_mark *one = a, *other = b;

	if (one->inode != other->inode)
		return one->inode < other->inode ? -1 : 1;
	if (one->closed_ns != other->closed_ns)
		return one->closed_ns < other->closed_ns ? -1 : 1;
	return strcmp(one->file, other->file);
}

/* With its name behind it, so that one free() does. */
static struct close_mark *copy_mark(const struct close_mark *mark)
{
	size_t length = strlen(mark->file) + 1;
	struct close_mark *copy = malloc(sizeof(*copy) + length);

	if (!copy)
		return NULL;
	*copy = *mark;
	copy->file = memcpy(copy + 1, mark->file, length);
	return copy;
}

static int keep_mark(struct close_record *record, const struct close_mark *mark)
{
	struct close_mark *copy = copy_mark(mark), **place;

	if (!copy)
		return -ENOMEM;
	place = tsearch(copy, &record->marks, close_mark_compare);
	if (!place || *place != copy)
		free(copy);
	return place ? 0 : -ENOMEM;
}

bool close_record_has(const struct close_record *record, const struct close_mark *mark)
{
	return tfind(mark, &record->marks, close_mark_compare);
}

static void put_mark(FILE *line, const struct close_mark *mark)
{
	char closed[CLOCK_TEXT_LENGTH];

	clock_text(closed, mark->closed_ns);
	fputs("{\"file\":", line);
	json_quote(line, mark->file);
	fprintf(line, ",\"inode\":%" PRIu64 ",\"closed\":\"%s\"}\n", mark->inode, closed);
}

/* ---- reading ----------------------------------------------------------------------------- */

void close_record_begin(struct close_record *record, int output, const char *sensor)
{
	*record = (struct close_record) {
		.output = output,
		.sensor = sensor,
		.folder = -1,
		.writing = -1,
		.lock = -1,
	};
}

static void name_it(const struct close_record *record, char name[NAME_LENGTH], const char *end)
{
	snprintf(name, NAME_LENGTH, "%.64s.%s", record->sensor, end);
}

static void forget(struct close_record *record)
{
	if (record->file)
		fclose(record->file);
	record->file = NULL;
	tdestroy(record->marks, free);
	record->marks = NULL;
	record->place = record->lines = 0;
}

/* Whether the name still is that of the file that was read, and that has not shrunk. */
static bool is_current(const struct close_record *record, const char *name)
{
	struct stat read, named;

	return record->file && fstat(fileno(record->file), &read) == 0 &&
	       fstatat(record->folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       read.st_ino == named.st_ino && read.st_dev == named.st_dev &&
	       (uint64_t)read.st_size >= record->place;
}

static int open_reading(struct close_record *record, const char *name)
{
	CLEANUP(close_at)
	int fd = openat(record->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EMEDIUMTYPE;
	record->file = fdopen(fd, "r");
	if (!record->file)
		return -ENOMEM;
	(void)TAKE_FD(fd);
	return 0;
}

/* What is none of ours is passed over: it marks nothing. */
static int take_line(struct close_record *record, const char *text, size_t length)
{
	char file[CATALOG_FILE_LENGTH], closed[CLOCK_TEXT_LENGTH];
	struct close_mark mark = { .file = file };
	const struct json_field fields[] = {
		{ "file", JSON_TEXT, file, sizeof(file), false },
		{ "inode", JSON_COUNT, &mark.inode, 0, false },
		{ "closed", JSON_TEXT, closed, sizeof(closed), false },
	};
	int r = json_read(text, length, fields, COUNT_OF(fields));

	if (r == 0)
		r = when_parse(closed, 0, &mark.closed_ns);
	if (r == 0)
		r = keep_mark(record, &mark);
	return r == -ENOMEM ? r : 0;
}

static int read_lines(struct close_record *record)
{
	char text[LINE_LENGTH];
	int r = 0;

	if (fseeko(record->file, (off_t)record->place, SEEK_SET) < 0)
		return -errno;
	while (r == 0 && fgets(text, sizeof(text), record->file)) {
		size_t length = strlen(text);

		/* One that is longer than any of ours comes in pieces, none of which is read. */
		if (length < sizeof(text) - 1 && (length == 0 || text[length - 1] != '\n'))
			break;
		r = take_line(record, text, length);
		record->place = (uint64_t)ftello(record->file);
		record->lines++;
	}
	return r < 0 ? r : ferror(record->file) ? -EIO : 0;
}

static int open_folder(struct close_record *record)
{
	if (record->folder < 0)
		record->folder = openat(
		    record->output, folder_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return record->folder < 0 ? -errno : 0;
}

int close_record_follow(struct close_record *record)
{
	char name[NAME_LENGTH];
	int r;

	/* Somebody may have removed it and made another; who writes it holds on to what is locked.
	 */
	if (record->lock < 0)
		close_at(&record->folder);
	r = open_folder(record);
	name_it(record, name, "jsonl");
	if (r < 0 || !is_current(record, name))
		forget(record);
	if (r == 0 && !record->file)
		r = open_reading(record, name);
	if (r == -ENOENT)
		return 0;
	return r == 0 ? read_lines(record) : r;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* What root makes belongs to who is to go on with it. */
static int own_like(int fd, int model)
{
	struct stat owner;

	if (geteuid() != 0)
		return 0;
	return fstat(model, &owner) < 0 || fchown(fd, owner.st_uid, owner.st_gid) < 0 ? -errno : 0;
}

static int make_folder(struct close_record *record)
{
	bool is_new = mkdirat(record->output, folder_name, 0750) == 0;
	int r;

	if (!is_new && errno != EEXIST)
		return -errno;
	r = open_folder(record);
	return r == 0 && is_new ? own_like(record->folder, record->output) : r;
}

static int make_file(const struct close_record *record, const char *end, int flags)
{
	CLEANUP(close_at) int fd = -1;
	char name[NAME_LENGTH];
	int r;

	name_it(record, name, end);
	fd = openat(record->folder, name,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
	if (fd < 0)
		return -errno;
	r = own_like(fd, record->folder);
	return r < 0 ? r : TAKE_FD(fd);
}

/* A lock of the process: a child that was forked and is to run something else has it not. */
static int lock_it(struct close_record *record)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = make_file(record, "lock", 0);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETLK, &whole) < 0) {
		int r = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;

		close(fd);
		return r;
	}
	record->lock = fd;
	return 0;
}

/* Where a file system cannot, the disk had better not be full. */
static void reserve(int fd)
{
	struct stat status;

	if (fstat(fd, &status) == 0)
		(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, RESERVE);
}

int close_record_open(struct close_record *record)
{
	int r = make_folder(record);

	if (r == 0)
		r = lock_it(record);
	if (r < 0)
		return r;
	record->writing = make_file(record, "jsonl", 0);
	if (record->writing < 0)
		return record->writing;
	r = close_record_follow(record);
	/* A line over which its writer ended. */
	if (r == 0 && ftruncate(record->writing, (off_t)record->place) < 0)
		r = -errno;
	reserve(record->writing);
	return r;
}

/* All of it or nothing. */
static int append(int fd, const char *text, size_t length)
{
	ssize_t n = write(fd, text, length);
	struct stat status;
	int r = n < 0 ? -errno : -ENOSPC;

	if (n == (ssize_t)length)
		return 0;
	if (n > 0 && fstat(fd, &status) == 0)
		(void)!ftruncate(fd, status.st_size - n);
	return r;
}

int close_record_add(struct close_record *record, const struct close_mark *mark)
{
	char text[LINE_LENGTH];
	FILE *line = fmemopen(text, sizeof(text), "w");
	size_t length;
	int r;

	if (!line)
		return -ENOMEM;
	put_mark(line, mark);
	(void)fflush(line);
	length = (size_t)ftell(line);
	fclose(line);
	r = append(record->writing, text, length);
	if (r == 0)
		r = keep_mark(record, mark);
	return r;
}

int close_record_sync(struct close_record *record)
{
	reserve(record->writing);
	return fdatasync(record->writing) < 0 ? -errno : 0;
}

/* ---- keeping it short -------------------------------------------------------------------- */

static int copy_marks(const struct close_record *record, FILE *to)
{
	struct catalog_reader reader = { 0 };
	struct catalog_line line;
	int r = catalog_reader_open(&reader, record->output, 0);

	while (r >= 0 && (r = catalog_reader_next(&reader, &line)) > 0) {
		const struct close_mark mark = { line.file, line.inode, line.closed_ns };

		if (strcmp(line.sensor, record->sensor) == 0 && close_record_has(record, &mark))
			put_mark(to, &mark);
	}
	catalog_reader_close(&reader);
	if (r == 0 && fflush(to) != 0)
		r = -errno;
	return r == 0 && fsync(fileno(to)) < 0 ? -errno : r;
}

static int rewrite(struct close_record *record, const char *half, const char *name)
{
	CLEANUP(close_at) int fd = make_file(record, "jsonl.new", O_TRUNC);
	FILE *to = fd < 0 ? NULL : fdopen(dup(fd), "a");
	int r;

	if (!to)
		return fd < 0 ? fd : -ENOMEM;
	r = copy_marks(record, to);
	fclose(to);
	if (r == 0 && renameat(record->folder, half, record->folder, name) < 0)
		r = -errno;
	if (r < 0)
		return r;
	(void)fsync(record->folder);
	close_at(&record->writing);
	record->writing = TAKE_FD(fd);
	reserve(record->writing);
	return 0;
}

int close_record_trim(struct close_record *record)
{
	char half[NAME_LENGTH], name[NAME_LENGTH];
	int r;

	name_it(record, half, "jsonl.new");
	name_it(record, name, "jsonl");
	r = rewrite(record, half, name);
	if (r < 0)
		(void)unlinkat(record->folder, half, 0);
	return r == 0 ? close_record_follow(record) : r;
}

void close_record_release(struct close_record *record)
{
	forget(record);
	close_at(&record->folder);
	close_at(&record->writing);
	close_at(&record->lock);
	close_record_begin(record, record->output, record->sensor);
}
