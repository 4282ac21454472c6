/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/cull.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "storage/removal.h"

#include <errno.h>
#include <sys/statvfs.h>

void cull_begin(struct cull *cull, int directory, const char *sensor)
{
	*cull = (struct cull) { .directory = directory };
	stock_begin(&cull->stock, directory, sensor);
	close_record_begin(&cull->record, directory, sensor);
}

void cull_end(struct cull *cull)
{
	stock_release(&cull->stock);
	close_record_release(&cull->record);
}

/* One that cannot be read says of nothing that it is done. */
static int look_what_is_done(struct cull *cull)
{
	int r;

	if (!cull->retain.after_close)
		return 0;
	r = close_record_follow(&cull->record);
	stock_mark_done(&cull->stock, &cull->record);
	return r;
}

int cull_look(struct cull *cull)
{
	struct statvfs disk;
	int r;

	if (fstatvfs(cull->directory, &disk) < 0)
		return -errno;
	cull->facts.disk_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
	cull->facts.disk_free = (uint64_t)disk.f_bavail * disk.f_frsize;
	cull->removed = 0;
	stock_check(&cull->stock);
	r = stock_follow(&cull->stock);
	return r == 0 ? look_what_is_done(cull) : r;
}

/*
 * What a file may come to: twice what they came to of late, since traffic grows, but no more than
 * the configuration lets them.
 */
static uint64_t open_bytes(const struct cull *cull)
{
	uint64_t guess = 2 * stock_largest(&cull->stock);

	return cull->rotate_size > 0 ? LEAST(guess, cull->rotate_size) : guess;
}

/*
 * What was removed since the disk was looked at counts as free: a file system may take its time,
 * and more than is needed must not go.
 */
static struct retention_facts facts_of(
    const struct cull *cull, const struct holds *holds, const struct stock_file *oldest)
{
	struct retention_facts facts = cull->facts;

	facts.files = cull->stock.there;
	facts.bytes = cull->stock.bytes;
	facts.open_bytes = open_bytes(cull);
	/* Stamps may be of a clock that counts from its own beginning. */
	facts.oldest_ns = oldest ? MOST(oldest->last_ns, oldest->closed_ns) : UINT64_MAX;
	facts.now_ns = clock_utc_ns();
	facts.disk_free += cull->removed;
	if (cull->retain.free > 0)
		facts.ours = stock_free_bytes(&cull->stock, holds);
	return facts;
}

/*
 * Such as chattr(1) has made immutable, or lies on a damaged place of the disk: the others go on.
 * The rest is the whole file system's, or this process's.
 */
static bool is_of_one_file(int error)
{
	static const int others[] = { ENOENT, ESTALE, EROFS, ENOMEM, EMFILE, ENFILE, ENODEV };

	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (error == -others[i])
			return false;
	return true;
}

static int step(struct cull *cull, const struct holds *holds, struct cull_outcome *outcome)
{
	struct stock_file *file;
	struct retention_facts facts;
	int r;

	/* The configuration may have changed since the last step. */
	cull->stock.only_done = cull->retain.after_close;
	file = stock_oldest(&cull->stock, holds);
	facts = facts_of(cull, holds, file);
	outcome->is_out_of_reach = retention_is_out_of_reach(&cull->retain, &facts);
	outcome->bound = retention_broken(&cull->retain, &facts);
	outcome->is_held = holds->count > 0;
	outcome->is_unsure = holds->is_unsure;
	if (outcome->bound == RETENTION_FREE)
		file = stock_freeing(&cull->stock, holds);
	outcome->waiting = file ? 0 : stock_waiting(&cull->stock);
	if (outcome->bound == RETENTION_KEPT || !file)
		return 0;
	r = removal_run(cull->directory, file->file, file->inode);
	outcome->file = file;
	if (r < 0 && is_of_one_file(r)) {
		outcome->error = file->is_told ? 0 : r;
		file->is_stuck = file->is_told = true;
		return 1;
	}
	if (r < 0 && r != -ENOENT && r != -ESTALE)
		return r;
	outcome->was_removed = r == 0;
	if (outcome->was_removed)
		cull->removed += file->bytes;
	stock_forget(&cull->stock, file);
	return 1;
}

int cull_step(struct cull *cull, struct cull_outcome *ret_outcome)
{
	/* For one file, and no longer: a hold that is made meanwhile waits for it. */
	CLEANUP(close_at) int lock = holds_lock(cull->directory, HOLDS_SHARED);
	struct cull_outcome outcome = { .error = 0 };
	struct holds holds = { 0 };
	int r = lock < 0 ? lock : holds_read(&holds, cull->directory);

	if (r == 0)
		r = step(cull, &holds, &outcome);
	holds_release(&holds);
	if (r >= 0)
		*ret_outcome = outcome;
	return r;
}
