/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tool/closings.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "storage/catalog_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t again_first_ns = NSEC_PER_SEC, again_most_ns = 600 * NSEC_PER_SEC;
/* Lines of the record that the catalog has no more, before it is worth to rewrite it. */
enum { TRIM_LEAST = 1000, DOUBLINGS_MOST = 10 };

void closings_begin(struct closings *closings, int directory, const char *sensor)
{
	*closings = (struct closings) { .directory = directory, .sensor = sensor, .pin = -1 };
	close_record_begin(&closings->record, directory, sensor);
	TAILQ_INIT(&closings->fresh);
	TAILQ_INIT(&closings->failed);
	TAILQ_INIT(&closings->done);
}

static void free_closing(void *what)
{
	struct closing *closing = what;

	free(closing->text);
	free(closing);
}

/* ---- following the catalog --------------------------------------------------------------- */

/* With its name behind it. */
static struct closing *new_closing(const struct catalog_line *line)
{
	size_t size = strlen(line->file) + 1;
	struct closing *closing = calloc(1, sizeof(*closing) + size);

	if (!closing)
		return NULL;
	closing->mark.inode = line->inode;
	closing->mark.closed_ns = line->closed_ns;
	closing->mark.file = memcpy(closing + 1, line->file, size);
	closing->text = strndup(line->text, line->length);
	closing->length = line->length;
	if (closing->text)
		return closing;
	free_closing(closing);
	return NULL;
}

static int add(struct closings *closings, const struct catalog_line *line)
{
	const struct close_mark mark = { line->file, line->inode, line->closed_ns };
	struct closing *closing;

	if (tfind(&mark, &closings->known, close_mark_compare))
		return 0;
	closing = new_closing(line);
	if (!closing || !tsearch(closing, &closings->known, close_mark_compare)) {
		if (closing)
			free_closing(closing);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&closings->fresh, closing, link);
	closings->count++;
	return 0;
}

/* Where the catalog is another than it was, or shorter, it is read from its beginning. */
static int open_catalog(struct closings *closings, struct catalog_reader *ret_reader)
{
	int r = catalog_reader_open(ret_reader, closings->directory, closings->place);
	struct stat status;

	if (r < 0)
		return r;
	if (closings->pin >= 0 && ret_reader->inode == closings->inode &&
	    fstat(closings->pin, &status) == 0 && (uint64_t)status.st_size >= closings->place)
		return 0;
	catalog_reader_close(ret_reader);
	close_at(&closings->pin);
	closings->place = 0;
	r = catalog_reader_open(ret_reader, closings->directory, 0);
	if (r < 0)
		return r;
	closings->inode = ret_reader->inode;
	closings->pin = fcntl(fileno(ret_reader->file), F_DUPFD_CLOEXEC, 0);
	return closings->pin < 0 ? -errno : 0;
}

/* Returns how many lines there are of files that are done with, or a negative errno. */
static int64_t read_on(struct closings *closings, struct catalog_reader *reader)
{
	struct catalog_line line;
	int64_t done = 0;
	int r;

	while ((r = catalog_reader_next(reader, &line)) > 0) {
		const struct close_mark mark = { line.file, line.inode, line.closed_ns };

		r = 0;
		if (strcmp(line.sensor, closings->sensor) != 0)
			;
		else if (close_record_has(&closings->record, &mark))
			done++;
		else
			r = add(closings, &line);
		if (r < 0)
			return r;
		closings->place = reader->place;
	}
	return r < 0 ? r : done;
}

int closings_look(struct closings *closings)
{
	struct catalog_reader reader = { 0 };
	struct close_record *record = &closings->record;
	bool is_whole;
	int64_t done;
	int r = open_catalog(closings, &reader);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	is_whole = closings->place == 0;
	done = read_on(closings, &reader);
	catalog_reader_close(&reader);
	if (done < 0)
		return (int)done;
	/* One that cannot be rewritten grows, and is tried again. */
	if (is_whole && record->writing >= 0 && record->lines > 2 * (uint64_t)done + TRIM_LEAST)
		(void)close_record_trim(record);
	return 0;
}

/* ---- one after the other ----------------------------------------------------------------- */

static struct closing *pop(struct closing_list *list)
{
	struct closing *closing = TAILQ_FIRST(list);

	TAILQ_REMOVE(list, closing, link);
	return closing;
}

/* In turns: neither many new ones keep those that failed waiting, nor the other way round. */
struct closing *closings_take(struct closings *closings, uint64_t now_ns)
{
	bool has_fresh = !TAILQ_EMPTY(&closings->fresh);
	bool has_due = !TAILQ_EMPTY(&closings->failed) && closings_due(closings) <= now_ns;

	if (!has_fresh && !has_due)
		return NULL;
	closings->turn = has_due && (!has_fresh || !closings->turn);
	return pop(closings->turn ? &closings->failed : &closings->fresh);
}

uint64_t closings_due(const struct closings *closings)
{
	const struct closing *first = TAILQ_FIRST(&closings->failed);

	return first ? first->due_ns : UINT64_MAX;
}

uint64_t closings_again(struct closings *closings, struct closing *closing, uint64_t now_ns)
{
	unsigned int doublings = LEAST(closing->attempts, (unsigned int)DOUBLINGS_MOST);
	uint64_t delay = LEAST(again_first_ns << doublings, again_most_ns);
	struct closing *before;

	closing->attempts++;
	closing->due_ns = now_ns + delay;
	TAILQ_FOREACH_REVERSE(before, &closings->failed, closing_list, link)
	if (before->due_ns <= closing->due_ns)
		break;
	if (before)
		TAILQ_INSERT_AFTER(&closings->failed, before, closing, link);
	else
		TAILQ_INSERT_HEAD(&closings->failed, closing, link);
	return delay;
}

void closings_finish(struct closings *closings, struct closing *closing)
{
	TAILQ_INSERT_TAIL(&closings->done, closing, link);
}

int closings_record(struct closings *closings)
{
	int r = 0;

	if (TAILQ_EMPTY(&closings->done))
		return 0;
	while (r == 0 && !TAILQ_EMPTY(&closings->done)) {
		struct closing *closing = TAILQ_FIRST(&closings->done);

		r = close_record_add(&closings->record, &closing->mark);
		if (r < 0)
			break;
		TAILQ_REMOVE(&closings->done, closing, link);
		(void)tdelete(closing, &closings->known, close_mark_compare);
		closings->count--;
		free_closing(closing);
	}
	return r < 0 ? r : close_record_sync(&closings->record);
}

void closings_release(struct closings *closings)
{
	tdestroy(closings->known, free_closing);
	close_record_release(&closings->record);
	close_at(&closings->pin);
	closings_begin(closings, closings->directory, closings->sensor);
}
