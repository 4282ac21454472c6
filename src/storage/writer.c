/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/writer.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "storage/books.h"
#include "storage/name.h"
#include "storage/rotation.h"
#include "storage/segment.h"
#include "storage/stage.h"

#include <errno.h>
#include <string.h>

/* Quiet traffic is on disk within a second of its block; this leaves a tenth for the disk. */
static const uint64_t tail_delay_ns = 900 * NSEC_PER_MSEC;
static const uint64_t retry_delay_ns = NSEC_PER_SEC;
enum { NAME_ATTEMPTS = 10000 };

struct writer {
	struct writer_seat seat;
	struct stage *stage;
	struct segment *segment;     /* the open one, or the closing one */
	struct ledger_commit commit; /* what the ledger will say with the next commit */
	uint64_t tailed;             /* up to here the open file reads well */
	uint64_t oldest_ns;          /* when the oldest byte behind that was committed; 0: none */
	uint64_t rotate_ns;          /* when the file is old, on the monotonic clock */
	uint64_t retry_ns;           /* when refusing: when to try again */
	bool refuses;                /* told, and not yet proved to work again */
};

DEFINE_CLEANUP(struct writer *, writer_close)

static void commit(struct writer *writer)
{
	ledger_commit_write(writer->seat.record, &writer->commit);
}

/* The supervisor gives more time while a call is in the storage. */
static void enter_storage(struct writer *writer)
{
	atomic_store(&writer->seat.record->in_storage, 1);
}

static int leave_storage(struct writer *writer, int r)
{
	atomic_store(&writer->seat.record->heartbeat_ns, clock_monotonic_ns());
	atomic_store(&writer->seat.record->in_storage, 0);
	return r;
}

/* ---- where the storage refuses ----------------------------------------------------------- */

static void tell_finished(
    struct writer *writer, const struct ledger_segment *segment, uint64_t bytes, const char *cause)
{
	const uint64_t *value = writer->commit.counters.value;
	const struct writer_file file = {
		.segment = segment,
		.bytes = bytes,
		.dropped = value[COUNTER_DROPPED] - segment->dropped_before,
		.discarded = value[COUNTER_DISCARDED] - segment->discarded_before,
		.cause = cause,
	};

	writer->commit.counters.value[COUNTER_FILES]++;
	writer->seat.events.finished(writer->seat.events.user, &file);
}

static void forget_segment(struct writer *writer)
{
	segment_close(TAKE(writer->segment));
	writer->commit.open.name[0] = 0;
	writer->commit.closing.name[0] = 0;
	books_begin(&writer->commit, stage_round_up(writer->commit.filled));
	writer->oldest_ns = 0;
	writer->rotate_ns = UINT64_MAX;
	commit(writer);
}

static int publish(struct writer *writer, struct ledger_segment *segment);

/* What is in the file stays, up to the last whole mark; what is staged is discarded. */
static void salvage(struct writer *writer, struct ledger_segment *segment)
{
	uint64_t length = writer->commit.whole - segment->start;

	enter_storage(writer);
	if (segment->packets == 0)
		(void)segment_remove(writer->segment);
	else if (segment_cut(writer->segment, length) == 0 && publish(writer, segment) == 0)
		tell_finished(writer, segment, length, "rotated");
	(void)leave_storage(writer, 0);
}

static void refuse(struct writer *writer, int error, const char *what)
{
	struct ledger_segment *segment =
	    writer->commit.closing.name[0] ? &writer->commit.closing : &writer->commit.open;
	uint64_t lost = books_refuse(&writer->commit);

	segment->packets -= LEAST(lost, segment->packets);
	if (writer->segment)
		salvage(writer, segment);
	forget_segment(writer);
	writer->retry_ns = clock_monotonic_ns() + retry_delay_ns;
	if (!writer->refuses)
		writer->seat.events.refused(writer->seat.events.user, error, what);
	writer->refuses = true;
}

static void prove(struct writer *writer)
{
	if (writer->refuses)
		writer->seat.events.works(writer->seat.events.user);
	writer->refuses = false;
}

/* ---- the open file ----------------------------------------------------------------------- */

static int expand(
    struct writer *writer, char name[LEDGER_NAME_LENGTH], uint64_t time_ns, unsigned int attempt)
{
	const struct name_parts parts = {
		.sensor = writer->seat.sensor,
		.interface = writer->seat.interface,
		.worker = writer->seat.worker,
	};

	return name_expand(
	    name, LEDGER_NAME_LENGTH, writer->seat.output->name, &parts, time_ns, attempt);
}

/* Mean a name, make the file, say that it is made: for as many names as are taken. */
static int create(struct writer *writer, uint64_t first_ns)
{
	struct ledger_segment *open = &writer->commit.open;
	int r = -EEXIST;

	for (unsigned int attempt = 0; r == -EEXIST && attempt < NAME_ATTEMPTS; attempt++) {
		r = expand(writer, open->name, first_ns, attempt);
		if (r < 0)
			break;
		commit(writer);
		enter_storage(writer);
		r = leave_storage(
		    writer, segment_create(&writer->segment, writer->seat.directory, open->name));
	}
	if (r < 0)
		return r;
	open->inode = segment_inode(writer->segment);
	commit(writer);
	return 0;
}

static int begin_segment(struct writer *writer, uint64_t first_ns, uint64_t utc_ns)
{
	struct ledger_commit *books = &writer->commit;
	uint64_t start = stage_round_up(books->filled);
	uint64_t deadline = rotation_deadline(&writer->seat.output->rotate, utc_ns);
	int r;

	books_begin(books, start);
	books->open = (struct ledger_segment) {
		.start = start,
		.first_ns = UINT64_MAX,
		.begun_utc_ns = utc_ns,
		.dropped_before = books->counters.value[COUNTER_DROPPED],
		.discarded_before = books->counters.value[COUNTER_DISCARDED],
	};
	pcap_header(stage_at(writer->stage, start), writer->seat.link_type, writer->seat.snaplen,
	    (enum file_resolution)writer->seat.output->resolution);
	books->filled = books->whole = start + PCAP_HEADER_SIZE;
	r = create(writer, first_ns);
	if (r < 0) {
		refuse(writer, r, "cannot make a file");
		return r;
	}
	writer->tailed = start;
	writer->rotate_ns =
	    deadline == UINT64_MAX ? UINT64_MAX : clock_monotonic_ns() + (deadline - utc_ns);
	return 0;
}

/* Write what is whole in units of the disk; its bytes never change again. */
static int flush(struct writer *writer)
{
	struct ledger_commit *books = &writer->commit;
	uint64_t from = books->flushed, to = stage_round_down(books->filled);
	int r;

	if (to <= from)
		return 0;
	enter_storage(writer);
	r = segment_write(
	    writer->segment, stage_at(writer->stage, from), to - from, from - books->open.start);
	if (r >= 0 && writer->seat.output->sync == SYNC_BLOCK)
		r = segment_sync(writer->segment);
	if (leave_storage(writer, r) < 0) {
		refuse(writer, r, "cannot write to the file");
		return r;
	}
	books_flush(books, to);
	commit(writer);
	prove(writer);
	if (to >= books->filled)
		writer->oldest_ns = 0;
	return 0;
}

/* The last bytes, rounded up: what stands behind them is cut off at once. */
static int write_tail(struct writer *writer, const struct ledger_segment *segment, uint64_t end)
{
	uint64_t from = writer->commit.flushed, to = stage_round_up(end);
	int r = 0;

	memset(stage_at(writer->stage, end), 0, to - end);
	enter_storage(writer);
	if (to > from)
		r = segment_write(writer->segment, stage_at(writer->stage, from), to - from,
		    from - segment->start);
	if (r >= 0)
		r = segment_cut(writer->segment, end - segment->start);
	return leave_storage(writer, r);
}

/* ---- finishing a file -------------------------------------------------------------------- */

/* Its own name, or the next that is free where somebody took that meanwhile. */
static int publish(struct writer *writer, struct ledger_segment *segment)
{
	const enum sync_policy sync = (enum sync_policy)writer->seat.output->sync;
	int r = segment_publish(writer->segment, sync);

	for (unsigned int attempt = 1; r == -EEXIST && attempt < NAME_ATTEMPTS; attempt++) {
		char name[LEDGER_NAME_LENGTH];

		r = expand(writer, name, segment->first_ns, attempt);
		if (r < 0)
			return r;
		(void)segment_rename(writer->segment, name);
		r = segment_publish(writer->segment, sync);
		if (r >= 0)
			memcpy(segment->name, name, sizeof(name));
	}
	return r;
}

/* What is left of finishing the closing segment: the same after a kill as before. */
static void finish_closing(struct writer *writer, const char *cause)
{
	struct ledger_commit *books = &writer->commit;
	struct ledger_segment *closing = &books->closing;
	int r = write_tail(writer, closing, closing->end);

	if (r < 0) {
		refuse(writer, r, "cannot write to the file");
		return;
	}
	books_flush(books, closing->end);
	enter_storage(writer);
	r = leave_storage(writer, publish(writer, closing));
	if (r >= 0)
		tell_finished(writer, closing, closing->end - closing->start, cause);
	books->filled = closing->end;
	forget_segment(writer);
	/* Its packets are in it, but it keeps the name of an unfinished one. */
	if (r < 0 && !writer->refuses) {
		writer->refuses = true;
		writer->seat.events.refused(
		    writer->seat.events.user, r, "cannot give a file its name");
	} else if (r >= 0) {
		prove(writer);
	}
}

static void close_segment(struct writer *writer, const char *cause)
{
	struct ledger_commit *books = &writer->commit;

	if (!writer->segment)
		return;
	books->closing = books->open;
	books->closing.end = books->filled;
	books->open.name[0] = 0;
	commit(writer);
	finish_closing(writer, cause);
}

void writer_rotate(struct writer *writer)
{
	close_segment(writer, "rotated");
}

void writer_finish(struct writer *writer, const char *cause)
{
	close_segment(writer, cause);
}

/* ---- blocks ------------------------------------------------------------------------------ */

static struct rotation_file file_of(const struct writer *writer)
{
	return (struct rotation_file) {
		.bytes = writer->commit.filled - writer->commit.open.start,
		.packets = writer->commit.open.packets,
		.begun_ns = writer->commit.open.begun_utc_ns,
	};
}

bool writer_wants_exact(const struct writer *writer, uint64_t bytes)
{
	const struct rotation_file file = file_of(writer);

	return writer->segment && rotation_is_full(&writer->seat.output->rotate, &file, bytes, 0);
}

static int make_room(struct writer *writer, uint64_t bytes)
{
	uint64_t used = writer->commit.filled - writer->commit.flushed;

	return stage_size(writer->stage) - used < bytes ? flush(writer) : 0;
}

void writer_begin_block(struct writer *writer, struct append *ret_append, uint64_t bytes,
    uint64_t packets, uint64_t first_ns, uint64_t utc_ns)
{
	const struct rotate_config *rotate = &writer->seat.output->rotate;
	const struct rotation_file file = file_of(writer);
	bool can_store = true;

	if (writer->segment && (rotation_is_full(rotate, &file, bytes, packets) ||
				   rotation_is_old(rotate, &file, utc_ns)))
		close_segment(writer, "rotated");
	if (!writer->segment)
		can_store = (!writer->refuses || clock_monotonic_ns() >= writer->retry_ns) &&
			    begin_segment(writer, first_ns, utc_ns) == 0;
	if (can_store)
		can_store = make_room(writer, bytes) == 0;
	*ret_append = (struct append) {
		.at = can_store ? stage_at(writer->stage, writer->commit.filled) : NULL,
		.snaplen = writer->seat.snaplen,
		.microseconds = writer->seat.output->resolution == RESOLUTION_US,
		.first_ns = UINT64_MAX,
	};
}

struct ledger_statistics *writer_statistics_slot(struct writer *writer)
{
	return &writer->seat.record->statistics[1 - writer->commit.statistics_slot];
}

void writer_commit_idle(struct writer *writer)
{
	ledger_statistics_add(writer->seat.record, &writer->commit);
	commit(writer);
	ledger_statistics_clear(writer->seat.record, &writer->commit);
}

static void enter_block(struct writer *writer, const struct append *append)
{
	struct ledger_commit *books = &writer->commit;
	const struct ledger_mark mark = {
		.end = books->filled + append->size,
		.packets = append->packets,
		.bytes = append->bytes,
		.truncated_snaplen = append->truncated_snaplen,
		.truncated_block = append->truncated_block,
	};

	books_stage(books, &mark, stage_size(writer->stage));
	books->filled = mark.end;
	books->open.packets += append->packets;
	books->open.first_ns = LEAST(books->open.first_ns, append->first_ns);
	books->open.last_ns = MOST(books->open.last_ns, append->last_ns);
}

void writer_commit_block(
    struct writer *writer, const struct append *append, uint64_t number, uint64_t now_ns)
{
	struct ledger_commit *books = &writer->commit;

	if (append)
		books->counters.value[COUNTER_DISCARDED] += append->missing;
	if (append && append->at) {
		enter_block(writer, append);
		if (writer->oldest_ns == 0)
			writer->oldest_ns = now_ns;
	} else if (append) {
		books->counters.value[COUNTER_DISCARDED] += append->packets;
		books->counters.value[COUNTER_DISCARDED_BYTES] += append->bytes;
	}
	books->block_number = number;
	writer_commit_idle(writer);
	if (writer->segment && books->filled - books->flushed >= stage_size(writer->stage) / 2)
		(void)flush(writer);
}

/* ---- the clock --------------------------------------------------------------------------- */

static void write_quiet_tail(struct writer *writer)
{
	struct ledger_commit *books = &writer->commit;
	int r = flush(writer);

	if (r < 0 || !writer->segment)
		return;
	writer->oldest_ns = 0;
	if (books->filled == books->flushed || books->filled == writer->tailed)
		return;
	enter_storage(writer);
	r = segment_write_tail(writer->segment, stage_at(writer->stage, books->flushed),
	    books->filled - books->flushed, books->flushed - books->open.start);
	r = leave_storage(writer, r);
	if (r < 0)
		refuse(writer, r, "cannot write to the file");
	else
		writer->tailed = books->filled;
}

void writer_tick(struct writer *writer, uint64_t now_ns, uint64_t utc_ns)
{
	const struct rotation_file file = file_of(writer);

	if (!writer->segment)
		return;
	if (rotation_is_old(&writer->seat.output->rotate, &file, utc_ns))
		close_segment(writer, "rotated");
	else if (writer->oldest_ns > 0 && now_ns >= writer->oldest_ns + tail_delay_ns)
		write_quiet_tail(writer);
}

uint64_t writer_deadline(const struct writer *writer)
{
	uint64_t tail = writer->oldest_ns > 0 ? writer->oldest_ns + tail_delay_ns : UINT64_MAX;

	return writer->segment ? LEAST(tail, writer->rotate_ns) : UINT64_MAX;
}

const struct counters *writer_counters(const struct writer *writer)
{
	return &writer->commit.counters;
}

void writer_ring(struct writer *writer, uint64_t cookie)
{
	writer->commit.ring_cookie = cookie;
	writer->commit.block_number = 0;
	commit(writer);
}

/* ---- opening ----------------------------------------------------------------------------- */

/* Take the file of an earlier life up again, or finish what it had begun to close. */
static void resume(struct writer *writer)
{
	struct ledger_commit *books = &writer->commit;
	bool was_closing = books->closing.name[0] != 0;
	struct ledger_segment *segment = was_closing ? &books->closing : &books->open;
	int r;

	if (!segment->name[0] || segment->inode == 0) {
		/* At most a header is staged: no packet is committed before its file is. */
		if (segment->name[0])
			segment_remove_orphan(writer->seat.directory, segment->name);
		forget_segment(writer);
		return;
	}
	r = segment_open(&writer->segment, writer->seat.directory, segment->name, segment->inode);
	if (r < 0) {
		refuse(writer, r, "the file of the worker's earlier life is not there");
		return;
	}
	writer->tailed = books->flushed;
	writer->oldest_ns = clock_monotonic_ns();
	if (was_closing)
		finish_closing(writer, "rotated");
}

int writer_open(struct writer **ret_writer, const struct writer_seat *seat)
{
	CLEANUP(writer_close_at) struct writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return -ENOMEM;
	writer->seat = *seat;
	writer->rotate_ns = UINT64_MAX;
	r = stage_open(&writer->stage, seat->stage, (size_t)seat->output->stage);
	if (r < 0)
		return r;
	r = ledger_commit_read(seat->record, &writer->commit);
	if (r == 0)
		resume(writer);
	else if (r != -ENODATA)
		return r;
	*ret_writer = TAKE(writer);
	return 0;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	segment_close(writer->segment);
	stage_close(writer->stage);
	free(writer);
}
