/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/outlet.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "ledger/finished.h"
#include "storage/books.h"
#include "storage/name.h"
#include "storage/pcap.h"
#include "storage/pcapng.h"
#include "storage/terms.h"

#include <errno.h>
#include <string.h>

static const uint64_t retry_delay_ns = NSEC_PER_SEC;
enum { NAME_ATTEMPTS = 10000 };

void outlet_commit(struct outlet *outlet)
{
	ledger_commit_write(outlet->seat.record, &outlet->books);
}

/* The supervisor gives more time while a call is in the storage. */
static void enter_storage(struct outlet *outlet)
{
	atomic_store(&outlet->seat.record->in_storage, 1);
}

static int leave_storage(struct outlet *outlet, int r)
{
	atomic_store(&outlet->seat.record->heartbeat_ns, clock_monotonic_ns());
	atomic_store(&outlet->seat.record->in_storage, 0);
	return r;
}

/* Told, and not yet proved to work again: in the record, for the life that goes on with it. */
static bool is_refused(const struct outlet *outlet)
{
	return atomic_load(&outlet->seat.record->refused) != 0;
}

static void prove(struct outlet *outlet)
{
	if (is_refused(outlet))
		outlet->seat.events.works(outlet->seat.events.user);
	atomic_store(&outlet->seat.record->refused, 0);
}

static void complain(struct outlet *outlet, int error, const char *what)
{
	if (!is_refused(outlet))
		outlet->seat.events.refused(outlet->seat.events.user, error, what);
	atomic_store(&outlet->seat.record->refused, 1);
}

/* ---- compression -------------------------------------------------------------------------- */

/* Where a file is of another, it is finished before the next is begun. */
static int take_encoder(struct outlet *outlet, enum compression compression)
{
	const struct encoder_terms terms = {
		.compression = compression,
		.level = outlet->seat.output->level,
		.capacity = stage_size(outlet->stage),
	};

	if (encoder_is_of(outlet->encoder, &terms))
		return 0;
	encoder_free(TAKE(outlet->encoder));
	return encoder_new(&outlet->encoder, &terms);
}

/* Where bytes are put that come next in the file, and are no block of packets. */
static uint8_t *place_for_few(struct outlet *outlet)
{
	return outlet->encoder ? outlet->aside : stage_at(outlet->stage, outlet->books.filled);
}

uint64_t outlet_bound(const struct outlet *outlet, uint64_t size)
{
	return encoder_bound(outlet->encoder, (size_t)size);
}

uint64_t outlet_encode(struct outlet *outlet, const uint8_t *from, uint64_t size)
{
	if (!outlet->encoder)
		return size;
	size = encoder_put(
	    outlet->encoder, stage_at(outlet->stage, outlet->books.filled), from, (size_t)size);
	if (size == 0)
		complain(outlet, -EBADMSG, "cannot compress");
	return size;
}

/* ---- the end of a file ------------------------------------------------------------------- */

static int final_name(char name[LEDGER_NAME_LENGTH], const struct ledger_segment *segment)
{
	return name_number(
	    name, LEDGER_NAME_LENGTH, segment->name, segment->number, segment->final_number);
}

/* Its own name, or the next that is free where somebody took that meanwhile. */
static int publish(struct outlet *outlet)
{
	const enum sync_policy sync = (enum sync_policy)outlet->seat.output->sync;
	struct ledger_segment *closing = &outlet->books.closing;
	int r = -EEXIST;

	for (unsigned int i = 0; r == -EEXIST && i < NAME_ATTEMPTS; i++) {
		char name[LEDGER_NAME_LENGTH];

		r = final_name(name, closing);
		if (r >= 0)
			r = segment_publish(outlet->segment, name, sync);
		if (r == -EEXIST) {
			closing->final_number++;
			outlet_commit(outlet);
		}
	}
	return r;
}

static void tell_finished(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;
	const struct ledger_segment *closing = &books->closing;
	char name[LEDGER_NAME_LENGTH];
	const struct finished_file file = {
		.name = name,
		.segment = closing,
		/* Committed once it is told: a life that tells again says the same. */
		.number = books->counters.value[COUNTER_FILES] + 1,
		.bytes = closing->end - closing->start,
		.dropped = books->counters.value[COUNTER_DROPPED] - closing->dropped_before,
		.discarded = books->counters.value[COUNTER_DISCARDED] - closing->discarded_before,
	};

	if (final_name(name, closing) < 0)
		return;
	books->counters.value[COUNTER_FILES]++;
	outlet->seat.events.finished(outlet->seat.events.user, &file);
}

/* All that the file will hold is in it: give it its name; without a packet it goes instead. */
static int deliver(struct outlet *outlet)
{
	struct ledger_segment *closing = &outlet->books.closing;
	int r = 0;

	enter_storage(outlet);
	if (!segment_is_published(outlet->segment))
		r = segment_cut(outlet->segment, closing->end - closing->start);
	FAULT(CUT);
	if (closing->packets == 0)
		r = segment_remove(outlet->segment);
	else if (r >= 0)
		r = publish(outlet);
	if (leave_storage(outlet, r) >= 0 && closing->packets > 0)
		tell_finished(outlet);
	FAULT(TOLD);
	return r;
}

static void forget(struct outlet *outlet)
{
	segment_close(TAKE(outlet->segment));
	outlet->books.open.name[0] = 0;
	outlet->books.closing.name[0] = 0;
	books_begin(&outlet->books, stage_round_up(outlet->books.filled));
	outlet_commit(outlet);
	FAULT(FORGOTTEN);
}

/* From here on the open file is the closing one, and ends there; a later life goes on with that. */
static void mean_to_close(struct outlet *outlet, uint64_t end, enum ledger_cause cause)
{
	struct ledger_commit *books = &outlet->books;

	if (books->open.name[0]) {
		books->closing = books->open;
		books->closing.cause = cause;
		books->open.name[0] = 0;
	}
	books->closing.end = end;
	outlet_commit(outlet);
	FAULT(CLOSE_MEANT);
}

/*
 * The storage refuses: what is in the file stays, up to the last whole mark; what is staged is
 * discarded.  That is committed before the file is cut.
 */
static void refuse(struct outlet *outlet, int error, const char *what)
{
	struct ledger_commit *books = &outlet->books;
	struct ledger_segment *segment = books->closing.name[0] ? &books->closing : &books->open;
	uint64_t lost = books_refuse(books);

	segment->packets -= LEAST(lost, segment->packets);
	books->filled = books->flushed = books->whole;
	mean_to_close(outlet, books->whole, CAUSE_ROTATED);
	complain(outlet, error, what);
	outlet->retry_ns = clock_monotonic_ns() + retry_delay_ns;
	/* Where this fails too, the file keeps the name of an unfinished one. */
	if (outlet->segment)
		(void)deliver(outlet);
	forget(outlet);
}

/* The last bytes, rounded up: what stands behind them is cut off when it is delivered. */
static int write_rest(struct outlet *outlet)
{
	const struct ledger_segment *closing = &outlet->books.closing;
	uint64_t from = outlet->books.flushed, to = stage_round_up(closing->end);
	int r;

	if (closing->end <= from)
		return 0;
	memset(stage_at(outlet->stage, closing->end), 0, to - closing->end);
	enter_storage(outlet);
	r = segment_write(
	    outlet->segment, stage_at(outlet->stage, from), to - from, from - closing->start);
	return leave_storage(outlet, r);
}

/* What is left of finishing the closing file: the same after a kill as before. */
static void conclude(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;
	int r = 0;

	/* Under its own name it is whole, and perhaps read by others already. */
	if (!segment_is_published(outlet->segment))
		r = write_rest(outlet);
	FAULT(REST_WRITTEN);
	if (r < 0) {
		refuse(outlet, r, "cannot write to the file");
		return;
	}
	books_flush(books, books->closing.end);
	books->filled = books->closing.end;
	r = deliver(outlet);
	forget(outlet);
	/* Its packets are in it, but it keeps the name of an unfinished one. */
	if (r < 0)
		complain(outlet, r, "cannot give a file its name");
	else
		prove(outlet);
}

/* ---- what a file is by ------------------------------------------------------------------- */

static uint32_t open_terms(const struct outlet *outlet)
{
	return atomic_load(&outlet->seat.record->file_terms);
}

/* Its name says how it is compressed. */
static enum compression open_compression(const struct outlet *outlet)
{
	const struct ledger_commit *books = &outlet->books;
	const char *name = books->open.name[0] ? books->open.name : books->closing.name;
	struct name_kind kind;

	return name_is_capture(name, &kind) ? kind.compression
					    : (enum compression)outlet->seat.output->compression;
}

static bool has_other_terms(const struct outlet *outlet)
{
	uint32_t terms = open_terms(outlet);

	return (terms != 0 && terms != terms_of(&outlet->seat)) ||
	       open_compression(outlet) != outlet->seat.output->compression;
}

/*
 * The statistics at the end of a pcapng: staged, and committed with the word that the file ends
 * behind them, so that no other life puts them again.  By the file's own terms, since it may be of
 * another configuration.
 */
static void put_end(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;
	const uint32_t terms = open_terms(outlet);
	const struct losses_place place = {
		.segment = &books->open,
		.counters = &books->counters,
		.first_ns = MOST(clock_utc_ns(), books->open.last_ns),
		.resolution = terms_resolution(terms),
	};
	uint8_t *to;

	if (terms_format(terms) != FORMAT_PCAPNG || books->open.packets == 0)
		return;
	if (stage_size(outlet->stage) - (books->filled - books->flushed) <
		outlet_bound(outlet, PCAPNG_STATISTICS_MOST) &&
	    outlet_flush(outlet) < 0)
		return;
	to = place_for_few(outlet);
	books->filled += outlet_encode(outlet, to, losses_put_all(&outlet->losses, to, &place));
}

void outlet_finish(struct outlet *outlet, enum ledger_cause cause)
{
	if (outlet->segment)
		put_end(outlet);
	/* Where the storage refused just now, there is none any more. */
	if (!outlet->segment)
		return;
	mean_to_close(outlet, outlet->books.filled, cause);
	conclude(outlet);
}

/* ---- the beginning of a file ------------------------------------------------------------- */

/* Mean a name, make the file, say that it is made: for as many names as are taken. */
static int create(struct outlet *outlet, uint64_t first_ns)
{
	const struct writer_seat *seat = &outlet->seat;
	const struct name_parts parts = { seat->sensor, seat->interface, seat->worker,
		seat->output->format, seat->output->compression };
	struct ledger_segment *open = &outlet->books.open;
	char plain[LEDGER_NAME_LENGTH];
	int r = name_expand(plain, sizeof(plain), seat->output->name, &parts, first_ns);

	if (r < 0)
		return r;
	r = -EEXIST;
	for (uint32_t number = 0; r == -EEXIST && number < NAME_ATTEMPTS; number++) {
		r = name_number(open->name, sizeof(open->name), plain, 0, number);
		if (r < 0)
			break;
		open->number = open->final_number = number;
		outlet_commit(outlet);
		FAULT(NAME_MEANT);
		enter_storage(outlet);
		r = segment_create(&outlet->segment, seat->directory, open->name);
		if (r >= 0 && seat->output->sync == SYNC_BLOCK)
			r = segment_sync_name(outlet->segment);
		(void)leave_storage(outlet, r);
	}
	if (r < 0)
		return r;
	FAULT(FILE_MADE);
	open->inode = segment_inode(outlet->segment);
	outlet_commit(outlet);
	FAULT(FILE_BEGUN);
	return 0;
}

bool outlet_may_try(const struct outlet *outlet, uint64_t now_ns)
{
	return !is_refused(outlet) || now_ns >= outlet->retry_ns;
}

static size_t put_head(const struct writer_seat *seat, uint8_t *to)
{
	const struct pcapng_head head = {
		.application = seat->application,
		.interface = seat->interface,
		.filter = seat->filter,
		.link_type = seat->link_type,
		.snaplen = seat->snaplen,
		.resolution = (enum file_resolution)seat->output->resolution,
	};

	if (seat->output->format == FORMAT_PCAPNG)
		return pcapng_head(to, &head);
	pcap_header(to, seat->link_type, seat->snaplen, head.resolution);
	return PCAP_HEADER_SIZE;
}

int outlet_begin(struct outlet *outlet, uint64_t first_ns, uint64_t utc_ns)
{
	const struct writer_seat *seat = &outlet->seat;
	struct ledger_commit *books = &outlet->books;
	uint64_t start = stage_round_up(books->filled), head_size;
	uint8_t *head;
	int r = take_encoder(outlet, (enum compression)seat->output->compression);

	if (r < 0) {
		complain(outlet, r, "cannot compress");
		outlet->retry_ns = clock_monotonic_ns() + retry_delay_ns;
		return r;
	}
	books_begin(books, start);
	books->open = (struct ledger_segment) {
		.start = start,
		.first_ns = UINT64_MAX,
		.begun_utc_ns = utc_ns,
		.dropped_before = books->counters.value[COUNTER_DROPPED],
		.discarded_before = books->counters.value[COUNTER_DISCARDED],
	};
	head = place_for_few(outlet);
	head_size = outlet_encode(outlet, head, put_head(seat, head));
	/* No file is open just now: a kill between this and the commit leaves none of other terms.
	 */
	atomic_store(&seat->record->file_terms, terms_of(seat));
	books->filled = books->whole = start + head_size;
	losses_begin(
	    &outlet->losses, books->counters.value[COUNTER_DROPPED], outlet->losses.discarded);
	outlet->tailed = start;
	r = head_size > 0 ? create(outlet, first_ns) : -EBADMSG;
	if (r < 0)
		refuse(outlet, r, "cannot make a file");
	return r;
}

/* ---- the open file ----------------------------------------------------------------------- */

int outlet_flush(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;
	uint64_t from = books->flushed, to = stage_round_down(books->filled);
	int r;

	if (to <= from)
		return 0;
	enter_storage(outlet);
	r = segment_write(
	    outlet->segment, stage_at(outlet->stage, from), to - from, from - books->open.start);
	if (r >= 0 && outlet->seat.output->sync == SYNC_BLOCK)
		r = segment_sync(outlet->segment);
	if (leave_storage(outlet, r) < 0) {
		refuse(outlet, r, "cannot write to the file");
		return r;
	}
	FAULT(WRITTEN);
	books_flush(books, to);
	outlet_commit(outlet);
	FAULT(FLUSHED);
	prove(outlet);
	return 0;
}

int outlet_flush_tail(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;
	int r = outlet_flush(outlet);

	if (r < 0 || books->filled == books->flushed || books->filled == outlet->tailed)
		return r;
	enter_storage(outlet);
	r = segment_write_tail(outlet->segment, stage_at(outlet->stage, books->flushed),
	    books->filled - books->flushed, books->flushed - books->open.start);
	if (r >= 0 && outlet->seat.output->sync == SYNC_BLOCK)
		r = segment_sync(outlet->segment);
	FAULT(TAIL_WRITTEN);
	if (leave_storage(outlet, r) < 0)
		refuse(outlet, r, "cannot write to the file");
	else
		outlet->tailed = books->filled;
	return r;
}

/* ---- going on ---------------------------------------------------------------------------- */

/* What the earlier life had read of the kernel's statistics, and not had time to commit. */
static void absorb_statistics(struct outlet *outlet)
{
	ledger_statistics_clear(outlet->seat.record, &outlet->books);
	ledger_statistics_add(outlet->seat.record, &outlet->books);
	outlet_commit(outlet);
	FAULT(ABSORBED);
	ledger_statistics_clear(outlet->seat.record, &outlet->books);
}

/* The closing file was finished and told of; only the commit that says so is missing. */
static bool was_told(const struct outlet *outlet)
{
	return ledger_finished_last(outlet->seat.record) ==
	       outlet->books.counters.value[COUNTER_FILES] + 1;
}

/* It had its name, and was removed since: by retention, or by people. */
static void take_as_finished(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;

	books_flush(books, books->closing.end);
	books->filled = books->closing.end;
	books->counters.value[COUNTER_FILES]++;
	forget(outlet);
}

static void resume(struct outlet *outlet)
{
	struct ledger_commit *books = &outlet->books;
	bool was_closing = books->closing.name[0] != 0;
	struct ledger_segment *segment = was_closing ? &books->closing : &books->open;
	char final[LEDGER_NAME_LENGTH];
	int r;

	if (!segment->name[0] || segment->inode == 0) {
		/* At most a header is staged: no packet is committed before its file is. */
		enter_storage(outlet);
		if (segment->name[0])
			segment_remove_orphan(outlet->seat.directory, segment->name);
		(void)leave_storage(outlet, 0);
		forget(outlet);
		return;
	}
	r = final_name(final, segment);
	enter_storage(outlet);
	if (r >= 0)
		r = segment_open(&outlet->segment, outlet->seat.directory, segment->name,
		    was_closing ? final : NULL, segment->inode);
	(void)leave_storage(outlet, r);
	if (r == -ENOENT && was_closing && segment->packets == 0) {
		forget(outlet); /* it was removed as it should be */
		return;
	}
	if (r == -ENOENT && was_closing && was_told(outlet)) {
		take_as_finished(outlet);
		return;
	}
	if (r < 0) {
		refuse(outlet, r, "the file of the worker's earlier life is not there");
		/* Which says nothing about new ones. */
		outlet->retry_ns = 0;
		return;
	}
	outlet->tailed = books->flushed;
	if (was_closing)
		conclude(outlet);
	else if (segment->packets == 0 || has_other_terms(outlet))
		/* Named after a packet that comes again, if its ring was not lost. */
		outlet_finish(outlet, CAUSE_ROTATED);
}

int outlet_open(struct outlet *outlet, const struct writer_seat *seat)
{
	const enum compression compression = (enum compression)seat->output->compression;
	int r;

	*outlet = (struct outlet) { .seat = *seat };
	r = stage_open(&outlet->stage, seat->stage, (size_t)seat->output->stage);
	if (r < 0)
		return r;
	r = ledger_commit_read(seat->record, &outlet->books);
	if (r == -ENODATA) {
		/* Where a record was damaged: the catalog's numbers go on. */
		outlet->books.counters.value[COUNTER_FILES] = ledger_finished_last(seat->record);
		return take_encoder(outlet, compression);
	}
	if (r >= 0)
		r = take_encoder(outlet, open_compression(outlet));
	if (r < 0)
		return r;
	absorb_statistics(outlet);
	losses_begin(&outlet->losses, outlet->books.counters.value[COUNTER_DROPPED],
	    outlet->books.open.name[0] ? outlet->books.open.discarded_before
				       : outlet->books.counters.value[COUNTER_DISCARDED]);
	resume(outlet);
	FAULT(RESUMED);
	return outlet->segment ? 0 : take_encoder(outlet, compression);
}

void outlet_close(struct outlet *outlet)
{
	segment_close(TAKE(outlet->segment));
	encoder_free(TAKE(outlet->encoder));
	stage_close(TAKE(outlet->stage));
}
