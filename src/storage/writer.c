/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/writer.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "storage/books.h"
#include "storage/outlet.h"
#include "storage/rotation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Quiet traffic is on disk within a second of its block; this leaves a tenth for the disk. */
static const uint64_t tail_delay_ns = 900 * NSEC_PER_MSEC;

struct writer {
	struct outlet outlet;
	struct losses untold; /* before the block in hand was begun */
	uint64_t oldest_ns;   /* when the oldest byte that no file shows was committed; 0: none */
};

DEFINE_CLEANUP(struct writer *, writer_close)

void writer_finish(struct writer *writer, enum ledger_cause cause)
{
	outlet_finish(&writer->outlet, cause);
	writer->oldest_ns = 0;
}

/* ---- blocks ------------------------------------------------------------------------------ */

static struct rotation_file file_of(const struct writer *writer)
{
	const struct ledger_commit *books = &writer->outlet.books;

	return (struct rotation_file) {
		.bytes = books->filled - books->open.start,
		.packets = books->open.packets,
		.begun_ns = books->open.begun_utc_ns,
	};
}

static const struct rotate_config *rotate_of(const struct writer *writer)
{
	return &writer->outlet.seat.output->rotate;
}

/* What may stand in the file around a block's packets: statistics in front, and those at its end.
 */
static uint64_t around(const struct writer *writer)
{
	return writer_makes_pcapng(writer) ? 2 * (uint64_t)PCAPNG_STATISTICS_MOST : 0;
}

bool writer_wants_exact(const struct writer *writer, uint64_t bytes)
{
	const struct rotation_file file = file_of(writer);

	return writer->outlet.segment && !writer->outlet.encoder &&
	       rotation_is_full(rotate_of(writer), &file, bytes + around(writer), 0);
}

static bool has_room(const struct writer *writer, uint64_t bytes)
{
	const struct ledger_commit *books = &writer->outlet.books;

	return stage_size(writer->outlet.stage) - (books->filled - books->flushed) >= bytes;
}

/* A file that is open, with room for the block in the stage. */
static bool can_store(struct writer *writer, uint64_t bytes, uint64_t first_ns, uint64_t utc_ns)
{
	struct outlet *outlet = &writer->outlet;

	if (!outlet->segment && (!outlet_may_try(outlet, clock_monotonic_ns()) ||
				    outlet_begin(outlet, first_ns, utc_ns) < 0))
		return false;
	return has_room(writer, outlet_bound(outlet, bytes)) || outlet_flush(outlet) == 0;
}

/*
 * Packets of the block follow, so that a file is never of these alone.  In front of packets that
 * are to be compressed there is a margin for them.
 */
static void put_statistics(
    struct writer *writer, struct append *append, uint64_t first_ns, uint64_t utc_ns)
{
	struct outlet *outlet = &writer->outlet;
	const struct losses_place place = {
		.segment = &outlet->books.open,
		.counters = &outlet->books.counters,
		.first_ns = first_ns,
		.resolution = (enum file_resolution)outlet->seat.output->resolution,
	};

	if (!append->is_pcapng || !append->at ||
	    !losses_look(&outlet->losses, place.counters, first_ns, utc_ns))
		return;
	if (outlet->encoder) {
		append->front = losses_put(&outlet->losses, outlet->aside, &place);
		append->at -= append->front;
		memcpy(append->at, outlet->aside, append->front);
	} else {
		append->front = losses_put(&outlet->losses, append->at, &place);
	}
	append->size += append->front;
}

/* Where the packets of the next block are put. */
static uint8_t *place_for_block(const struct outlet *outlet)
{
	return outlet->encoder ? encoder_scratch(outlet->encoder)
			       : stage_at(outlet->stage, outlet->books.filled);
}

/* Of what is compressed it is not known yet whether it would pass the file's size. */
static uint64_t least_size(const struct writer *writer, uint64_t bytes)
{
	return writer->outlet.encoder ? 0 : bytes;
}

void writer_begin_block(struct writer *writer, struct append *ret_append, uint64_t bytes,
    uint64_t packets, uint64_t first_ns, uint64_t utc_ns)
{
	const struct rotate_config *rotate = rotate_of(writer);
	const struct rotation_file file = file_of(writer);
	const struct outlet *outlet = &writer->outlet;

	bytes += around(writer);
	if (outlet->segment &&
	    (rotation_is_full(rotate, &file, least_size(writer, bytes), packets) ||
		rotation_is_old(rotate, &file, utc_ns)))
		writer_finish(writer, CAUSE_ROTATED);
	*ret_append = (struct append) {
		.at = can_store(writer, bytes, first_ns, utc_ns) ? place_for_block(outlet) : NULL,
		.snaplen = outlet->seat.snaplen,
		.cut_at = outlet->seat.snaplen,
		.longest = outlet->seat.longest,
		.microseconds = outlet->seat.output->resolution == RESOLUTION_US,
		.is_pcapng = writer_makes_pcapng(writer),
		.named_ns = first_ns,
		.begun_utc_ns = utc_ns,
		.first_ns = UINT64_MAX,
	};
	writer->untold = outlet->losses;
	put_statistics(writer, ret_append, first_ns, utc_ns);
}

/* ---- compressed blocks ------------------------------------------------------------------- */

/* With the statistics of its end, which the file has room for too. */
static bool passes_size(const struct writer *writer, uint64_t frame)
{
	const struct rotation_file file = file_of(writer);
	uint64_t end =
	    writer_makes_pcapng(writer) ? outlet_bound(&writer->outlet, PCAPNG_STATISTICS_MOST) : 0;

	return rotation_is_full(rotate_of(writer), &file, frame + end, 0);
}

/*
 * Its packets begin the next file; the statistics in front of them are told at the end of this one.
 */
static void move_to_next_file(struct writer *writer, struct append *append)
{
	struct outlet *outlet = &writer->outlet;

	append->at += append->front;
	append->size -= append->front;
	append->front = 0;
	outlet->losses = writer->untold;
	writer_finish(writer, CAUSE_ROTATED);
	if (!can_store(
		writer, append->size + around(writer), append->named_ns, append->begun_utc_ns))
		append->at = NULL;
	put_statistics(writer, append, append->named_ns, append->begun_utc_ns);
}

void writer_seal_block(struct writer *writer, struct append *append)
{
	struct outlet *outlet = &writer->outlet;
	uint64_t size;

	if (!append->at || !outlet->encoder)
		return;
	size = outlet_encode(outlet, append->at, append->size);
	if (size > 0 && passes_size(writer, size)) {
		move_to_next_file(writer, append);
		size = append->at ? outlet_encode(outlet, append->at, append->size) : 0;
	}
	append->size = size;
	if (size == 0)
		append->at = NULL;
}

/* ---- commits ----------------------------------------------------------------------------- */

struct ledger_statistics *writer_statistics_slot(struct writer *writer)
{
	const struct outlet *outlet = &writer->outlet;

	return &outlet->seat.record->statistics[1 - outlet->books.statistics_slot];
}

void writer_commit_idle(struct writer *writer)
{
	struct outlet *outlet = &writer->outlet;

	ledger_statistics_add(outlet->seat.record, &outlet->books);
	losses_see(&outlet->losses, outlet->books.counters.value[COUNTER_DROPPED], clock_utc_ns());
	outlet_commit(outlet);
	FAULT(COMMITTED);
	ledger_statistics_clear(outlet->seat.record, &outlet->books);
}

static void enter_block(struct writer *writer, const struct append *append)
{
	struct ledger_commit *books = &writer->outlet.books;
	const struct ledger_mark mark = {
		.end = books->filled + append->size,
		.packets = append->packets,
		.bytes = append->bytes,
		.truncated_snaplen = append->truncated_snaplen,
		.truncated_block = append->truncated_block,
	};

	books_stage(books, &mark, stage_size(writer->outlet.stage));
	books->filled = mark.end;
	books->open.packets += append->packets;
	books->open.first_ns = LEAST(books->open.first_ns, append->first_ns);
	books->open.last_ns = MOST(books->open.last_ns, append->last_ns);
}

void writer_commit_block(
    struct writer *writer, const struct append *append, uint64_t number, uint64_t now_ns)
{
	struct outlet *outlet = &writer->outlet;
	struct ledger_commit *books = &outlet->books;

	if (append) {
		books->counters.value[COUNTER_DISCARDED] += append->missing;
		for (int i = 0; i < COUNTER_SAID_COUNT; i++)
			books->counters.value[COUNTER_SAID + i] += append->said[i];
	}
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
	if (outlet->segment && books->filled - books->flushed >= stage_size(outlet->stage) / 2)
		(void)outlet_flush(outlet);
	if (books->filled == books->flushed)
		writer->oldest_ns = 0;
}

/* ---- the clock --------------------------------------------------------------------------- */

void writer_tick(struct writer *writer, uint64_t now_ns, uint64_t utc_ns)
{
	const struct rotation_file file = file_of(writer);

	if (!writer->outlet.segment)
		return;
	if (rotation_is_old(rotate_of(writer), &file, utc_ns)) {
		writer_finish(writer, CAUSE_ROTATED);
	} else if (writer->oldest_ns > 0 && now_ns >= writer->oldest_ns + tail_delay_ns) {
		(void)outlet_flush_tail(&writer->outlet);
		writer->oldest_ns = 0;
	}
}

uint64_t writer_deadline(const struct writer *writer, uint64_t now_ns, uint64_t utc_ns)
{
	uint64_t tail = writer->oldest_ns > 0 ? writer->oldest_ns + tail_delay_ns : UINT64_MAX;
	uint64_t due = rotation_deadline(rotate_of(writer), writer->outlet.books.open.begun_utc_ns);

	if (!writer->outlet.segment)
		return UINT64_MAX;
	if (due == UINT64_MAX || writer->outlet.books.open.packets == 0)
		return tail;
	return LEAST(tail, now_ns + (due > utc_ns ? due - utc_ns : 0));
}

const void *writer_stage(const struct writer *writer, size_t *ret_size)
{
	const struct stage *stage = writer->outlet.stage;

	/* It is mapped twice, back to back. */
	*ret_size = 2 * stage_size(stage);
	return stage_at(stage, 0);
}

const struct counters *writer_counters(const struct writer *writer)
{
	return &writer->outlet.books.counters;
}

void writer_ring(struct writer *writer, uint64_t cookie, uint64_t done)
{
	writer->outlet.books.ring_cookie = cookie;
	writer->outlet.books.block_number = done;
	outlet_commit(&writer->outlet);
}

uint64_t writer_last_block(const struct writer *writer, uint64_t *ret_cookie)
{
	*ret_cookie = writer->outlet.books.ring_cookie;
	return writer->outlet.books.block_number;
}

void writer_set_longest(struct writer *writer, uint32_t longest)
{
	writer->outlet.seat.longest = longest;
}

void writer_set_snaplen(struct writer *writer, uint32_t snaplen)
{
	writer->outlet.seat.snaplen = snaplen;
}

void writer_set_filter(struct writer *writer, const char *filter)
{
	writer->outlet.seat.filter = filter;
}

bool writer_makes_pcapng(const struct writer *writer)
{
	return writer->outlet.seat.output->format == FORMAT_PCAPNG;
}

void writer_note(struct writer *writer, enum losses_event event)
{
	writer->outlet.losses.events |= event;
}

/* ---- life -------------------------------------------------------------------------------- */

int writer_open(struct writer **ret_writer, const struct writer_seat *seat)
{
	CLEANUP(writer_close_at) struct writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return -ENOMEM;
	r = outlet_open(&writer->outlet, seat);
	if (r < 0)
		return r;
	/* What an earlier life staged may be on no disk yet. */
	if (writer->outlet.segment)
		writer->oldest_ns = clock_monotonic_ns();
	*ret_writer = TAKE(writer);
	return 0;
}

void writer_close(struct writer *writer)
{
	if (!writer)
		return;
	outlet_close(&writer->outlet);
	free(writer);
}
