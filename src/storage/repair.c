/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/repair.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/ledger.h"
#include "storage/decoder.h"
#include "storage/encoder.h"
#include "storage/name.h"
#include "storage/records.h"
#include "storage/segment.h"
#include "storage/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_ATTEMPTS = 10000, WINDOW = 1 << 20, FIRST_FRAME_MOST = 2048 };
/* What stands behind a damaged place was captured at about the time of what stands before it. */
static const uint64_t day_ns = 86400 * NSEC_PER_SEC;

DEFINE_CLEANUP(struct segment *, segment_close)
DEFINE_CLEANUP(struct encoder *, encoder_free)

/* ---- the packets that are there ---------------------------------------------------------- */

/* Take one record: 1, or 0 with the fault. */
static int take_record(struct source *source, struct records *records, struct repair_report *report)
{
	static const uint8_t zeroes[RECORDS_HEAD_MOST];
	const size_t head = records_head(records);
	struct record record;
	int r = source_need(source, head);

	if (r <= 0) {
		report->fault = source_left(source) > 0 ? "ends within a packet's header" : "";
		return r;
	}
	if (!records_look(records, source_at(source), &record)) {
		report->fault = memcmp(source_at(source), zeroes, head) == 0
				    ? "zeroes where a packet should be"
				    : "bytes that are no packet";
		return 0;
	}
	r = source_need(source, (size_t)record.size);
	if (r <= 0) {
		report->fault = "ends within a packet";
		return r;
	}
	if (!records_take(records, source_at(source), &record)) {
		report->fault = "bytes that are no packet";
		return 0;
	}
	source_take(source, (size_t)record.size);
	if (!record.is_packet)
		return 1;
	report->packets++;
	report->first_ns = LEAST(report->first_ns, record.time_ns);
	report->last_ns = MOST(report->last_ns, record.time_ns);
	return 1;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* 1 where it begins as ours do; else it is foreign, unless it holds nothing at all. */
static int take_header(struct source *source, struct records *records, struct repair_report *report)
{
	int r = source_need(source, PCAP_HEADER_SIZE);
	uint64_t first;
	size_t step;

	if (r < 0)
		return r;
	if (r > 0 && records_begin(records, source_at(source), &first) == 0) {
		source_take(source, (size_t)first);
		return 1;
	}
	report->fault = report->size == 0 ? "is empty" : "does not begin as a capture file does";
	report->verdict = REPAIR_NO_PACKET;
	if (source->frames) {
		/* The frame of a header is short: behind it there may be more. */
		if (report->size > FIRST_FRAME_MOST || source_left(source) > 0)
			report->verdict = REPAIR_FOREIGN;
		return 0;
	}
	while ((step = source_left(source)) > 0 && report->size >= PCAP_HEADER_SIZE) {
		if (!is_zero(source_at(source), step))
			report->verdict = REPAIR_FOREIGN;
		source_take(source, step);
		r = report->verdict == REPAIR_FOREIGN ? 0 : source_need(source, 1);
		if (r <= 0)
			return r;
	}
	return 0;
}

/* ---- packets behind a damaged place ------------------------------------------------------ */

struct search {
	int fd;
	const struct records *records;
	const struct repair_report *report;
	uint8_t window[WINDOW + RECORDS_HEAD_MOST];
	uint8_t record[RECORD_MOST];
};

static bool is_of_that_time(const struct repair_report *report, uint64_t time_ns)
{
	return report->packets == 0 ||
	       (time_ns + day_ns >= report->first_ns && time_ns <= report->last_ns + day_ns);
}

/* A whole one that holds together, as far as its format lets that be seen. */
static bool is_whole(struct search *search, const uint8_t *bytes, uint64_t at, uint64_t *ret_end)
{
	struct records records = *search->records;
	struct record record;

	if (!records_look(&records, bytes, &record) || !record.is_packet ||
	    record.size > search->report->size - at)
		return false;
	*ret_end = at + record.size;
	if (records.format == FORMAT_PCAPNG &&
	    (pread(search->fd, search->record, (size_t)record.size, (off_t)at) !=
		    (ssize_t)record.size ||
		!records_take(&records, search->record, &record)))
		return false;
	return is_of_that_time(search->report, record.time_ns);
}

/* A whole one, and in front of another or of the end: bytes look like one at times, not like two.
 */
static bool is_packet(struct search *search, const uint8_t *bytes, uint64_t at)
{
	const size_t head = records_head(search->records);
	uint8_t next[RECORDS_HEAD_MOST];
	struct record record;
	uint64_t end;

	if (!is_whole(search, bytes, at, &end))
		return false;
	if (search->report->size - end < head)
		return true;
	return pread(search->fd, next, head, (off_t)end) == (ssize_t)head &&
	       records_look(search->records, next, &record) &&
	       (search->records->format == FORMAT_PCAPNG ||
		   is_of_that_time(search->report, record.time_ns));
}

/* Returns 0 with *ret_at 0 where there is none. */
static int find_packet(struct search *search, uint64_t from, uint64_t *ret_at)
{
	ssize_t n;

	*ret_at = 0;
	for (uint64_t at = from; at < search->report->size; at += WINDOW) {
		n = pread(search->fd, search->window, sizeof(search->window), (off_t)at);
		if (n < 0)
			return -errno;
		if (is_zero(search->window, (size_t)n))
			continue;
		for (size_t i = 0; i + records_head(search->records) <= (size_t)n && i < WINDOW;
		     i++) {
			if (!is_packet(search, search->window + i, at + i))
				continue;
			*ret_at = at + i;
			return 0;
		}
	}
	return 0;
}

/*
 * Whether the file ends within the record behind the last whole one.  Where there is no whole one
 * it says nothing that the rest goes by a single length.
 */
static bool ends_within(const struct records *records, const struct repair_report *report,
    const uint8_t *bytes, size_t size)
{
	struct record record;

	return report->packets > 0 && records_look_cut(records, bytes, size) &&
	       records_look(records, bytes, &record) && record.size > report->size - report->whole;
}

/* Nothing is searched where a packet lacks its end: what it says may hold what looks like others.
 */
static int look_behind(int fd, const struct records *records, struct repair_report *report)
{
	CLEANUP(free_at) struct search *search = NULL;
	uint8_t bytes[RECORDS_PACKET_HEAD_MOST];
	ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t)report->whole);

	if (n < 0)
		return -errno;
	if ((size_t)n < records_head(records) || ends_within(records, report, bytes, (size_t)n))
		return 0;
	search = malloc(sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->fd = fd;
	search->records = records;
	search->report = report;
	return find_packet(search, report->whole + 1, &report->next);
}

/* ---- compressed files -------------------------------------------------------------------- */

/* Whether all that was taken lies in whole frames; these end at *ret_end. */
static bool is_at_frame_end(const struct source *source, uint64_t *ret_end)
{
	struct source_frame frame;

	if (!source_frame_end(source, &frame) || source_left(source) > 0 ||
	    frame.offset != source->offset)
		return false;
	*ret_end = frame.end;
	return true;
}

/* Whether a whole frame begins there, with packets in it. */
static int try_frame(int fd, const struct records *records, uint64_t at)
{
	struct source source = { .fd = fd };
	struct repair_report found = { .first_ns = UINT64_MAX };
	struct records own = *records;
	uint64_t ignored;
	int r;

	if (lseek(fd, (off_t)at, SEEK_SET) < 0)
		return -errno;
	r = source_begin(&source);
	if (r >= 0)
		r = 1;
	while (r > 0 && !(found.packets > 0 && is_at_frame_end(&source, &ignored)))
		r = take_record(&source, &own, &found);
	source_release(&source);
	return r;
}

/* Returns 0 with *ret_at 0 where there is none. */
static int find_frame(struct search *search, const uint8_t *magic, uint64_t from, uint64_t *ret_at)
{
	int r = 0;

	*ret_at = 0;
	for (uint64_t at = from; r == 0 && at < search->report->size; at += WINDOW) {
		const uint8_t *found = search->window, *end;
		ssize_t n = pread(search->fd, search->window, sizeof(search->window), (off_t)at);

		if (n < 0)
			return -errno;
		end = search->window + n;
		while (r == 0 &&
		       (found = memmem(found, (size_t)(end - found), magic, DECODER_MAGIC_SIZE))) {
			*ret_at = at + (uint64_t)(found++ - search->window);
			r = try_frame(search->fd, search->records, *ret_at);
		}
	}
	if (r <= 0)
		*ret_at = 0;
	return r < 0 ? r : 0;
}

static int look_behind_frames(int fd, const struct records *records, struct repair_report *report)
{
	CLEANUP(free_at) struct search *search = malloc(sizeof(*search));
	uint8_t magic[DECODER_MAGIC_SIZE];

	if (!search)
		return -ENOMEM;
	if (pread(fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic))
		return -EIO;
	search->fd = fd;
	search->records = records;
	search->report = report;
	return find_frame(search, magic, report->whole + 1, &report->next);
}

/* Without a packet: whether that is because there is nothing. */
static bool has_nothing(int fd, const struct repair_report *report)
{
	uint8_t bytes[4096];
	ssize_t n = 0;

	for (uint64_t at = report->whole; at < report->size; at += (uint64_t)n) {
		n = pread(fd, bytes, sizeof(bytes), (off_t)at);
		if (n <= 0 || !is_zero(bytes, (size_t)n))
			return false;
	}
	return true;
}

/* The first `size` bytes that a frame holds, as a frame of its own. */
static int make_frame(int fd, struct repair_report *report, size_t size, uint8_t **ret_frame)
{
	CLEANUP(encoder_free_at) struct encoder *encoder = NULL;
	CLEANUP(free_at) uint8_t *frame = NULL;
	CLEANUP(source_release) struct source source = { .fd = fd };
	uint8_t magic[DECODER_MAGIC_SIZE];
	struct encoder_terms terms = { .capacity = size };
	int r;

	if (pread(fd, magic, sizeof(magic), (off_t)report->whole) != (ssize_t)sizeof(magic) ||
	    lseek(fd, (off_t)report->whole, SEEK_SET) < 0)
		return -EIO;
	terms.compression = decoder_compression(magic);
	r = source_begin(&source);
	if (r >= 0)
		r = source_need(&source, size);
	if (r <= 0)
		return r < 0 ? r : -EIO;
	r = encoder_new(&encoder, &terms);
	if (r < 0)
		return r;
	frame = malloc(encoder_bound(encoder, size));
	if (!frame)
		return -ENOMEM;
	report->added = encoder_put(encoder, frame, source_at(&source), size);
	*ret_frame = TAKE(frame);
	return report->added > 0 ? 0 : -EIO;
}

/*
 * In place of the frame that is not whole.  It begins with the same packets: who is killed over it
 * leaves a frame of which as many can be read as there were written.
 */
static int put_frame(
    struct segment *segment, const struct repair_report *report, const uint8_t *from)
{
	uint64_t left = report->added, at = report->whole;

	while (left > 0) {
		ssize_t n = pwrite(segment_descriptor(segment), from, left, (off_t)at);

		if (n <= 0 && errno != EINTR)
			return n < 0 ? -errno : -EIO;
		if (n < 0)
			continue;
		from += n;
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return 0;
}

/* ---- one file ---------------------------------------------------------------------------- */

/* Of a compressed file: what is known at the end of its last whole frame. */
struct sure {
	struct repair_report report;
	uint64_t offset; /* in what the file holds */
};

static void make_sure(
    struct sure *sure, const struct source *source, const struct repair_report *report)
{
	uint64_t end;

	if (!is_at_frame_end(source, &end))
		return;
	sure->report = *report;
	sure->report.whole = end;
	sure->offset = source->offset;
}

/* Every record there is; *ret_size: bytes of those behind the last whole frame. */
static int take_records(struct source *source, struct records *records,
    struct repair_report *report, uint64_t *ret_size)
{
	struct sure sure = { .report = *report };
	int r;

	make_sure(&sure, source, report);
	while ((r = take_record(source, records, report)) > 0)
		make_sure(&sure, source, report);
	report->whole = source->offset;
	*ret_size = 0;
	if (r < 0 || !source->frames)
		return r;
	*ret_size = source->offset - sure.offset;
	report->whole = sure.report.whole;
	report->moved = report->packets - sure.report.packets;
	if (source_fault(source))
		report->fault = source_fault(source);
	return r;
}

static int look_through(
    int fd, struct source *source, struct repair_report *report, uint8_t **ret_frame)
{
	struct records records;
	bool has_frames;
	uint64_t size;
	int r = source_begin(source);

	if (r >= 0)
		r = take_header(source, &records, report);
	if (r <= 0)
		return r;
	has_frames = source->frames != NULL;
	r = take_records(source, &records, report, &size);
	records_assume(&records);
	if (r == 0 && report->whole < report->size)
		r = has_frames ? look_behind_frames(fd, &records, report)
			       : look_behind(fd, &records, report);
	if (r < 0)
		return r;
	report->verdict = report->next > 0      ? REPAIR_DAMAGED
			  : report->packets > 0 ? REPAIR_DONE
						: REPAIR_NO_PACKET;
	/* What cannot be decoded may be of use to somebody, but for a first block that is cut. */
	if (has_frames && report->verdict == REPAIR_NO_PACKET && !source_is_cut(source) &&
	    !has_nothing(fd, report))
		report->verdict = REPAIR_FOREIGN;
	return report->verdict == REPAIR_DONE && report->moved > 0
		   ? make_frame(fd, report, (size_t)size, ret_frame)
		   : 0;
}

static int look(int fd, struct repair_report *report, uint8_t **ret_frame)
{
	CLEANUP(source_release) struct source source = { .fd = fd };
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	report->size = (uint64_t)status.st_size;
	report->first_ns = UINT64_MAX;
	return look_through(fd, &source, report, ret_frame);
}

/* Where nothing is to be done, only see whether the name is free. */
static int look_for_name(int directory, const char *name)
{
	struct stat status;

	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? -EEXIST : 0;
}

static int give_name(
    int directory, const char *name, struct segment *segment, bool dry_run, uint32_t *ret_number)
{
	int r = -EEXIST;

	for (uint32_t number = 0; r == -EEXIST && number < NAME_ATTEMPTS; number++) {
		char final[LEDGER_NAME_LENGTH];

		r = name_number(final, sizeof(final), name, 0, number);
		if (r >= 0)
			r = dry_run ? look_for_name(directory, final)
				    : segment_publish(segment, final, SYNC_CLOSE);
		if (r >= 0)
			*ret_number = number;
	}
	return r;
}

int repair_file(int directory, const char *name, const struct repair_wish *wish,
    struct repair_report *ret_report)
{
	CLEANUP(segment_close_at) struct segment *segment = NULL;
	CLEANUP(free_at) uint8_t *frame = NULL;
	struct repair_report report = { .fault = "" };
	char plain[LEDGER_NAME_LENGTH];
	int r = name_number(plain, sizeof(plain), name, 0, 0);

	if (r < 0)
		return -EINVAL;
	r = segment_adopt(&segment, directory, name, wish->dry_run ? O_RDONLY : O_RDWR);
	if (r < 0 && r != -EBUSY)
		return r;
	if (r == -EBUSY ||
	    (wish->is_claimed && wish->is_claimed(wish->user, segment_inode(segment)))) {
		report.verdict = REPAIR_HELD;
		*ret_report = report;
		return 0;
	}
	report.inode = segment_inode(segment);
	r = look(segment_descriptor(segment), &report, &frame);
	if (r >= 0 && report.verdict == REPAIR_DONE) {
		if (frame && !wish->dry_run)
			r = put_frame(segment, &report, frame);
		if (r >= 0 && report.whole < report.size && !wish->dry_run)
			r = segment_cut(segment, report.whole + report.added);
		if (r >= 0)
			r = give_name(directory, name, segment, wish->dry_run, &report.number);
	}
	if (r >= 0 && report.verdict == REPAIR_NO_PACKET && wish->removes_empty && !wish->dry_run)
		r = segment_remove(segment);
	if (r < 0)
		return r;
	*ret_report = report;
	return 0;
}

const char *repair_verdict_name(enum repair_verdict verdict)
{
	static const char *const names[REPAIR_VERDICT_COUNT_] = {
		[REPAIR_DONE] = "repaired",
		[REPAIR_NO_PACKET] = "no_packet",
		[REPAIR_DAMAGED] = "damaged",
		[REPAIR_FOREIGN] = "foreign",
		[REPAIR_HELD] = "held",
	};

	return names[verdict];
}
