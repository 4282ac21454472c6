/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger/salvage.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Version 1 kept nothing at fixed places, and was never released. */
enum { FIRST_VERSION = 2, WORKERS_MOST = 128 * 768, INTERFACES_MOST = 128 };
static const uint64_t size_most = UINT64_C(1) << 30;
static const size_t fixed_header = offsetof(struct ledger_header, pid);
static const size_t fixed_commit = offsetof(struct ledger_commit, ring_cookie);

/* A ledger of another version, as bytes that nobody changes. */
struct foreign {
	uint8_t *bytes;
	size_t size;
	struct ledger_header header; /* of which the fixed part is filled */
};

static int read_all(struct foreign *foreign, int directory)
{
	CLEANUP(close_at)
	int fd = openat(directory, "ledger", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)fixed_header ||
	    (uint64_t)status.st_size > size_most)
		return -EBADMSG;
	foreign->size = (size_t)status.st_size;
	foreign->bytes = malloc(foreign->size);
	if (!foreign->bytes)
		return -ENOMEM;
	if (pread(fd, foreign->bytes, foreign->size, 0) != (ssize_t)foreign->size)
		return -EBADMSG;
	memcpy(&foreign->header, foreign->bytes, fixed_header);
	return 0;
}

static bool holds_together(const struct foreign *foreign)
{
	const struct ledger_header *header = &foreign->header;
	uint64_t copies = header->copies_at + 2 * (uint64_t)header->copy_size;

	return strcmp(header->magic, "fancapL") == 0 && header->version >= FIRST_VERSION &&
	       header->size == foreign->size && header->worker_count > 0 &&
	       header->worker_count <= WORKERS_MOST &&
	       header->copies_at >= sizeof(struct ledger_stage) && header->copies_at % 8 == 0 &&
	       header->copy_size >= offsetof(struct ledger_copy, commit) + fixed_commit &&
	       header->copy_size % 8 == 0 && copies <= header->worker_size &&
	       header->workers_at <= foreign->size &&
	       header->worker_count * (uint64_t)header->worker_size <=
		   foreign->size - header->workers_at &&
	       memchr(header->sensor, 0, sizeof(header->sensor)) &&
	       memchr(header->output, 0, sizeof(header->output));
}

static const uint8_t *worker_at(const struct foreign *foreign, size_t index)
{
	return foreign->bytes + foreign->header.workers_at +
	       index * (uint64_t)foreign->header.worker_size;
}

static bool read_stage(const struct foreign *foreign, size_t index, struct ledger_stage *ret_stage)
{
	memcpy(ret_stage, worker_at(foreign, index), sizeof(*ret_stage));
	return memchr(ret_stage->file, 0, sizeof(ret_stage->file)) &&
	       memchr(ret_stage->interface, 0, sizeof(ret_stage->interface));
}

/* ---- the commit -------------------------------------------------------------------------- */

/* The number of a copy, with its commit where it is whole; -EBADMSG where it should be, and is not.
 */
static int read_copy(const struct foreign *foreign, const uint8_t *at, uint64_t *ret_number,
    struct ledger_commit *ret_commit)
{
	const size_t before = offsetof(struct ledger_copy, commit);
	struct {
		uint64_t number, length, sum;
	} head;

	memcpy(&head, at, sizeof(head));
	*ret_number = head.number;
	if (head.number == 0)
		return 0;
	if (head.length < fixed_commit || head.length > foreign->header.copy_size - before ||
	    ledger_commit_sum(head.number, at + before, head.length) != head.sum)
		return -EBADMSG;
	memset(ret_commit, 0, sizeof(*ret_commit));
	memcpy(ret_commit, at + before, fixed_commit);
	return 0;
}

/* Returns 1 with the newest commit, 0 where there is none, or -EBADMSG. */
static int read_commit(
    const struct foreign *foreign, size_t index, struct ledger_commit *ret_commit)
{
	const uint8_t *at = worker_at(foreign, index) + foreign->header.copies_at;
	struct ledger_commit commits[2];
	uint64_t numbers[2];

	for (int i = 0; i < 2; i++) {
		int r = read_copy(
		    foreign, at + (size_t)i * foreign->header.copy_size, &numbers[i], &commits[i]);

		if (r < 0)
			return r;
	}
	if (numbers[0] == 0 && numbers[1] == 0)
		return 0;
	*ret_commit = commits[numbers[0] >= numbers[1] ? 0 : 1];
	if (ret_commit->filled > ret_commit->whole) {
		ret_commit->mark_count = 1;
		ret_commit->marks[0].end = ret_commit->filled;
	}
	return 1;
}

/* ---- the same in the present layout ------------------------------------------------------ */

/* Workers of one interface stand beside one another, in order. */
static int plan(const struct foreign *foreign, struct ledger_shape *shape,
    struct ledger_shape_interface *interfaces, struct ledger_stage *stages)
{
	for (size_t i = 0; i < foreign->header.worker_count; i++) {
		struct ledger_shape_interface *last = NULL;

		if (!read_stage(foreign, i, &stages[i]))
			return -EBADMSG;
		if (shape->interface_count > 0)
			last = &interfaces[shape->interface_count - 1];
		if (!last || strcmp(last->name, stages[i].interface) != 0) {
			if (shape->interface_count == INTERFACES_MOST)
				return -EBADMSG;
			last = &interfaces[shape->interface_count++];
			*last = (struct ledger_shape_interface) { stages[i].interface, 0 };
		}
		last->workers++;
	}
	return 0;
}

static void write_commits(
    struct ledger *ledger, const struct foreign *foreign, const struct ledger_stage *stages)
{
	struct ledger_commit commit;

	for (size_t i = 0; i < foreign->header.worker_count; i++) {
		struct ledger_worker *worker = ledger_worker(ledger, i);

		worker->stage = stages[i];
		if (read_commit(foreign, i, &commit) > 0)
			ledger_commit_write(worker, &commit);
	}
}

/* Made in a directory of its own, so that a kill leaves the old one or the whole new one. */
static int replace(struct ledger **ret_ledger, int directory, const struct ledger_shape *shape,
    const struct foreign *foreign, const struct ledger_stage *stages)
{
	CLEANUP(close_at) int beside = -1;
	int r;

	if (mkdirat(directory, "salvage", 0700) < 0 && errno != EEXIST)
		return -errno;
	beside = openat(directory, "salvage", O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (beside < 0)
		return -errno;
	r = ledger_create(ret_ledger, beside, shape);
	if (r < 0)
		return r;
	write_commits(*ret_ledger, foreign, stages);
	if (renameat(beside, "ledger", directory, "ledger") < 0) {
		r = -errno;
		ledger_close(TAKE(*ret_ledger));
	}
	(void)unlinkat(directory, "salvage", AT_REMOVEDIR);
	return r;
}

static int rewrite(struct ledger **ret_ledger, int directory, const struct foreign *foreign)
{
	CLEANUP(free_at)
	struct ledger_stage *stages = calloc(foreign->header.worker_count, sizeof(*stages));
	struct ledger_shape_interface interfaces[INTERFACES_MOST];
	struct ledger_shape shape = {
		.sensor = foreign->header.sensor,
		.interfaces = interfaces,
		.output = foreign->header.output,
	};
	struct ledger_commit commit;
	int r = stages ? plan(foreign, &shape, interfaces, stages) : -ENOMEM;

	/* All of it is read before the old one is replaced. */
	for (size_t i = 0; r >= 0 && i < foreign->header.worker_count; i++)
		r = read_commit(foreign, i, &commit);
	return r < 0 ? r : replace(ret_ledger, directory, &shape, foreign, stages);
}

int ledger_salvage(struct ledger **ret_ledger, int directory)
{
	struct foreign foreign = { 0 };
	int r = ledger_take(ret_ledger, directory);

	if (r != -EBADMSG)
		return r;
	r = read_all(&foreign, directory);
	/* A link, a directory: no ledger either. */
	if (r < 0 && r != -ENOMEM)
		r = -EBADMSG;
	if (r >= 0)
		r = holds_together(&foreign) ? rewrite(ret_ledger, directory, &foreign) : -EBADMSG;
	free(foreign.bytes);
	return r;
}
