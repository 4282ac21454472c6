/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/stock.h"

#include "base/array.h"
#include "storage/catalog_reader.h"
#include "storage/removal.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Traffic of a day ago says little of the next file. */
enum { ROOM_FIRST = 256, RECENT = 256, CHECK_AT_ONCE = 256 };

void stock_begin(struct stock *stock, int directory, const char *sensor)
{
	*stock = (struct stock) { .directory = directory, .sensor = sensor };
}

static int by_name(const void *a, const void *b)
{
	const struct stock_file *left = a, *right = b;

	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return strcmp(left->file, right->file);
}

/* The tree holds none of its own. */
static void keep_node(void *node)
{
	(void)node;
}

static void empty(struct stock *stock)
{
	tdestroy(stock->names, keep_node);
	for (size_t i = 0; i < stock->count; i++) {
		free(stock->files[i]->file);
		free(stock->files[i]);
	}
	free(stock->files);
	*stock = (struct stock) {
		.directory = stock->directory,
		.sensor = stock->sensor,
		.only_done = stock->only_done,
	};
}

void stock_release(struct stock *stock)
{
	empty(stock);
}

static int make_room(struct stock *stock)
{
	size_t room = stock->room ? 2 * stock->room : ROOM_FIRST;
	struct stock_file **files;

	if (stock->count < stock->room)
		return 0;
	files = reallocarray(stock->files, room, sizeof(*files));
	if (!files)
		return -ENOMEM;
	stock->files = files;
	stock->room = room;
	return 0;
}

/* What cannot be looked at is not known to be gone. */
static bool is_there(const struct stock *stock, uint64_t inode, const char *name)
{
	int r = removal_check(stock->directory, name, inode);

	return r != -ENOENT && r != -ESTALE;
}

static struct stock_file *make(const struct catalog_line *line)
{
	struct stock_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	*file = (struct stock_file) {
		.file = strdup(line->file),
		.inode = line->inode,
		.bytes = line->bytes,
		.first_ns = line->first_ns,
		.last_ns = line->last_ns,
		.closed_ns = line->closed_ns,
	};
	if (!file->file) {
		free(file);
		return NULL;
	}
	return file;
}

/* Lines come about in order: the place of one is near the end. */
static void put(struct stock *stock, struct stock_file *file)
{
	size_t at = stock->count;

	while (at > stock->first && stock->files[at - 1]->last_ns > file->last_ns)
		at--;
	memmove(
	    &stock->files[at + 1], &stock->files[at], (stock->count - at) * sizeof(*stock->files));
	stock->files[at] = file;
	stock->count++;
	stock->there++;
	stock->bytes += file->bytes;
}

static int add(struct stock *stock, const struct catalog_line *line)
{
	struct stock_file *file, **named;
	int r = make_room(stock);

	if (r < 0)
		return r;
	/* Removed since, by whoever. */
	if (!is_there(stock, line->inode, line->file))
		return 0;
	file = make(line);
	if (!file)
		return -ENOMEM;
	named = tsearch(file, &stock->names, by_name);
	put(stock, file);
	/* An earlier file had both: what is there is this one. */
	if (named && *named != file) {
		stock_forget(stock, *named);
		*named = file;
	}
	return 0;
}

int stock_follow(struct stock *stock)
{
	struct catalog_reader reader = { 0 };
	struct catalog_line line;
	int r = catalog_reader_open(&reader, stock->directory, stock->place);

	if (r == -ENOENT) {
		empty(stock);
		return 0;
	}
	if (r < 0)
		return r;
	if (reader.inode != stock->inode && stock->place > 0) {
		catalog_reader_close(&reader);
		empty(stock);
		r = catalog_reader_open(&reader, stock->directory, 0);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
	}
	stock->inode = reader.inode;
	while ((r = catalog_reader_next(&reader, &line)) > 0) {
		if (strcmp(line.sensor, stock->sensor) == 0) {
			r = add(stock, &line);
			if (r < 0)
				break;
			stock->lines++;
		}
		stock->place = reader.place;
	}
	/* Behind what is none of ours at the end, too. */
	if (r == 0)
		stock->place = reader.place;
	catalog_reader_close(&reader);
	return r;
}

static bool waits(const struct stock *stock, const struct stock_file *file)
{
	return stock->only_done && !file->is_done && !file->is_gone;
}

void stock_mark_done(struct stock *stock, const struct close_record *record)
{
	for (size_t i = stock->first; i < stock->count; i++) {
		struct stock_file *file = stock->files[i];
		const struct close_mark mark = { file->file, file->inode, file->closed_ns };

		if (!file->is_done && !file->is_gone)
			file->is_done = close_record_has(record, &mark);
	}
}

uint64_t stock_waiting(const struct stock *stock)
{
	uint64_t count = 0;

	for (size_t i = stock->first; i < stock->count; i++)
		count += waits(stock, stock->files[i]);
	return count;
}

void stock_check(struct stock *stock)
{
	for (int i = 0; i < CHECK_AT_ONCE && stock->first < stock->count; i++) {
		struct stock_file *file;

		if (stock->checked < stock->first || stock->checked >= stock->count)
			stock->checked = stock->first;
		file = stock->files[stock->checked++];
		file->is_stuck = false;
		if (!file->is_gone && !is_there(stock, file->inode, file->file))
			stock_forget(stock, file);
	}
}

static bool may_go(
    const struct stock *stock, const struct stock_file *file, const struct holds *holds)
{
	return !file->is_gone && !file->is_stuck && !waits(stock, file) &&
	       !holds_cover(holds, file->first_ns, file->last_ns);
}

struct stock_file *stock_oldest(struct stock *stock, const struct holds *holds)
{
	while (stock->first < stock->count && stock->files[stock->first]->is_gone)
		stock->first++;
	for (size_t i = stock->first; i < stock->count; i++)
		if (may_go(stock, stock->files[i], holds))
			return stock->files[i];
	return NULL;
}

struct stock_file *stock_freeing(struct stock *stock, const struct holds *holds)
{
	for (size_t i = stock->first; i < stock->count; i++) {
		struct stock_file *file = stock->files[i];

		if (!may_go(stock, file, holds))
			continue;
		file->is_linked = removal_check(stock->directory, file->file, file->inode) > 0;
		if (!file->is_linked)
			return file;
	}
	return NULL;
}

uint64_t stock_free_bytes(const struct stock *stock, const struct holds *holds)
{
	uint64_t bytes = 0;

	for (size_t i = stock->first; i < stock->count; i++)
		if (may_go(stock, stock->files[i], holds) && !stock->files[i]->is_linked)
			bytes += stock->files[i]->bytes;
	return bytes;
}

uint64_t stock_largest(const struct stock *stock)
{
	uint64_t largest = 0;

	for (size_t i = stock->count; i > stock->first && stock->count - i < RECENT; i--)
		largest = MOST(largest, stock->files[i - 1]->bytes);
	return largest;
}

void stock_forget(struct stock *stock, struct stock_file *file)
{
	if (file->is_gone)
		return;
	file->is_gone = true;
	stock->there--;
	stock->bytes -= file->bytes;
}
