/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/estate.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "config/config.h"
#include "ledger/finished.h"
#include "ledger/salvage.h"
#include "storage/decoder.h"
#include "storage/name.h"
#include "storage/records.h"
#include "storage/stage.h"
#include "storage/writer.h"
#include "worker/mender.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

DEFINE_CLEANUP(struct stage *, stage_close)
DEFINE_CLEANUP(struct writer *, writer_close)

struct estate {
	const struct estate_heir *heir;
	int place;  /* its directory */
	int output; /* where its files are */
	struct ledger *ledger;
};

/* A worker of the earlier life, and the one file that it had under way. */
struct heirloom {
	const struct estate *estate;
	struct ledger_worker *record;
	struct ledger_commit commit;
	const struct ledger_segment *segment;
	int stage;
	uint64_t staged;  /* packets that are in the stage alone, or perhaps in the file too */
	bool was_refused; /* by the storage */
};

static void leave(const struct estate *estate, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void leave(const struct estate *estate, const char *file, const char *format, ...)
{
	struct message message = { .kind = MESSAGE_LEFT };
	va_list arguments;

	snprintf(message.file.name, sizeof(message.file.name), "%s", file);
	va_start(arguments, format);
	vsnprintf(message.text, sizeof(message.text), format, arguments);
	va_end(arguments);
	mender_say(estate->heir->heritage, &message);
}

/* ---- whether it holds together ----------------------------------------------------------- */

static bool is_sound(const struct heirloom *heirloom)
{
	const struct ledger_commit *commit = &heirloom->commit;
	const struct ledger_segment *segment = heirloom->segment;
	uint64_t size = heirloom->record->stage.size;

	return !name_leaves_directory(segment->name) && segment->start % STAGE_UNIT == 0 &&
	       segment->start <= commit->whole && segment->start <= commit->flushed &&
	       commit->whole <= commit->filled && commit->flushed <= commit->filled &&
	       commit->filled - commit->flushed <= size && size > 0 && size % STAGE_UNIT == 0 &&
	       (segment == &commit->open || segment->end == commit->filled);
}

static int open_stage(struct heirloom *heirloom)
{
	const struct ledger_stage *stage = &heirloom->record->stage;
	CLEANUP(close_at) int fd = -1;
	struct stat status;

	if (!stage->file[0] || strchr(stage->file, '/') || stage->file[0] == '.')
		return -ENOENT;
	fd = openat(
	    heirloom->estate->place, stage->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != stage->size)
		return -EBADMSG;
	/* Its worker dies with its supervisor, but perhaps not at once. */
	if (flock(fd, LOCK_EX) < 0)
		return -errno;
	heirloom->stage = TAKE_FD(fd);
	return 0;
}

/* The file, under the name that it has now: 1, or 0 where it is not there. */
static int find_file(const struct heirloom *heirloom, struct stat *ret_status, bool *ret_is_named)
{
	const struct ledger_segment *segment = heirloom->segment;
	char name[LEDGER_NAME_LENGTH + 8];
	int output = heirloom->estate->output;

	*ret_is_named = false;
	snprintf(name, sizeof(name), "%s.part", segment->name);
	if (fstatat(output, name, ret_status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ret_status->st_ino == segment->inode && S_ISREG(ret_status->st_mode))
		return 1;
	*ret_is_named = true;
	if (segment != &heirloom->commit.closing ||
	    name_number(name, LEDGER_NAME_LENGTH, segment->name, segment->number,
		segment->final_number) < 0)
		return 0;
	return fstatat(output, name, ret_status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ret_status->st_ino == segment->inode && S_ISREG(ret_status->st_mode);
}

/* ---- whether the stage goes on where the file ends --------------------------------------- */

struct seam {
	const struct heirloom *heirloom;
	const struct stage *stage;
	int file;
};

/* Bytes of the stream: what is flushed is in the file, the rest in the stage. */
static int peek(const struct seam *seam, uint64_t at, uint8_t *to, size_t size)
{
	const struct ledger_commit *commit = &seam->heirloom->commit;
	uint64_t start = seam->heirloom->segment->start;
	size_t flushed =
	    at < commit->flushed ? (size_t)LEAST(commit->flushed - at, (uint64_t)size) : 0;

	if (flushed > 0 && pread(seam->file, to, flushed, (off_t)(at - start)) != (ssize_t)flushed)
		return -EBADMSG;
	memcpy(to + flushed, stage_at(seam->stage, at + flushed), size - flushed);
	return 0;
}

/* Take the record at `at`, which must end where the stream does or before. */
static int take_record(
    const struct seam *seam, struct records *records, uint64_t at, struct record *ret_record)
{
	uint64_t left = seam->heirloom->commit.filled - at;
	CLEANUP(free_at) uint8_t *bytes = NULL;
	uint8_t head[RECORDS_HEAD_MOST];

	if (left < records_head(records) || peek(seam, at, head, records_head(records)) < 0 ||
	    !records_look(records, head, ret_record) || ret_record->size > left)
		return -EBADMSG;
	/* A pcap's record has said all. */
	if (records->format == FORMAT_PCAP)
		return 0;
	bytes = malloc((size_t)ret_record->size);
	if (!bytes)
		return -ENOMEM;
	return peek(seam, at, bytes, (size_t)ret_record->size) < 0 ||
		       !records_take(records, bytes, ret_record)
		   ? -EBADMSG
		   : 0;
}

/* From the last mark in the file on, each record ends where the next begins, and the last at the
 * end. */
static int walk(const struct seam *seam, uint64_t *ret_packets)
{
	const struct ledger_commit *commit = &seam->heirloom->commit;
	uint64_t start = seam->heirloom->segment->start, at, packets = 0;
	uint8_t bytes[PCAP_HEADER_SIZE];
	struct records records;
	struct record record;
	int r;

	if (commit->filled - start < sizeof(bytes) || peek(seam, start, bytes, sizeof(bytes)) < 0 ||
	    records_begin(&records, bytes, &at) < 0)
		return -EBADMSG;
	at += start;
	for (;;) {
		/* What describes a pcapng's packets is at its beginning. */
		if (records_are_described(&records))
			at = MOST(at, commit->whole);
		if (at >= commit->filled)
			break;
		r = take_record(seam, &records, at, &record);
		if (r < 0)
			return r;
		at += record.size;
		packets += record.is_packet;
	}
	*ret_packets = packets;
	return 0;
}

/*
 * The same for frames: each is whole, by its own checksum, and the last ends where the stream does.
 * A mark ends with a frame.
 */
static int walk_frames(const struct seam *seam, struct decoder *decoder)
{
	const struct ledger_commit *commit = &seam->heirloom->commit;
	uint64_t at = MOST(commit->whole, seam->heirloom->segment->start);
	uint8_t in[4096], out[16384];
	int r = 1;

	while (r >= 0 && at < commit->filled) {
		size_t taken = (size_t)LEAST(commit->filled - at, (uint64_t)sizeof(in));
		size_t put = sizeof(out);

		r = peek(seam, at, in, taken);
		if (r >= 0)
			r = decoder_step(decoder, in, &taken, out, &put);
		at += taken;
	}
	/* It may have taken all, and not put all yet. */
	while (r == 0) {
		size_t taken = 0, put = sizeof(out);

		r = decoder_step(decoder, in, &taken, out, &put);
		if (r == 0 && put == 0)
			r = -EBADMSG;
	}
	return r < 0 ? -EBADMSG : 0;
}

/* By its name, and so by what it begins with. */
static int walk_compressed(const struct seam *seam, enum compression compression)
{
	struct decoder *decoder;
	int r = decoder_new(&decoder, compression);

	if (r < 0)
		return r;
	r = walk_frames(seam, decoder);
	decoder_free(decoder);
	return r;
}

static int check_seam(struct heirloom *heirloom)
{
	CLEANUP(stage_close_at) struct stage *stage = NULL;
	CLEANUP(close_at) int file = -1;
	struct seam seam;
	struct name_kind kind;
	char name[LEDGER_NAME_LENGTH + 8];
	int r = stage_open(&stage, heirloom->stage, (size_t)heirloom->record->stage.size);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s.part", heirloom->segment->name);
	file =
	    openat(heirloom->estate->output, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file < 0)
		return -errno;
	seam = (struct seam) { heirloom, stage, file };
	if (name_is_capture(heirloom->segment->name, &kind) && kind.compression != COMPRESSION_NONE)
		return walk_compressed(&seam, kind.compression);
	return walk(&seam, &heirloom->staged);
}

/* Why its file cannot be gone on with, or NULL.  *ret_is_there: so that it is read instead. */
static const char *find_fault(struct heirloom *heirloom, bool *ret_is_there)
{
	const struct ledger_segment *segment = heirloom->segment;
	struct stat status;
	bool is_named;

	*ret_is_there = true;
	if (!is_sound(heirloom))
		return "what its ledger says of it does not hold together";
	if (open_stage(heirloom) < 0)
		return "its stage is missing, or of another size";
	if (segment->inode == 0)
		return NULL;
	if (!find_file(heirloom, &status, &is_named)) {
		/* Removed, as it should be. */
		if (segment == &heirloom->commit.closing && segment->packets == 0)
			return NULL;
		*ret_is_there = false;
		return "it is not there any more";
	}
	if (is_named)
		return NULL;
	if ((uint64_t)status.st_size < heirloom->commit.flushed - segment->start)
		return "it is shorter than its ledger says";
	if (check_seam(heirloom) < 0)
		return "its stage does not go on where it ends";
	return NULL;
}

/* ---- finishing --------------------------------------------------------------------------- */

/* The catalog of another directory is not this life's to write. */
static bool is_catalog_ours(const struct estate *estate)
{
	return strcmp(ledger_header(estate->ledger)->output,
		   estate->heir->heritage->config->output.directory) == 0;
}

/* Files that have their names, and that the earlier supervisor had no time to enter. */
static void tell_finished(const struct heirloom *heirloom)
{
	struct ledger_worker *record = heirloom->record;
	struct ledger_finished file;

	while (ledger_finished_next(record, &file) > 0) {
		struct message message = { .kind = MESSAGE_FINISHED,
			.value = record->stage.worker,
			.file = { .inode = is_catalog_ours(heirloom->estate) ? file.inode : 0,
			    .packets = file.packets,
			    .bytes = file.bytes,
			    .first_ns = file.first_ns,
			    .last_ns = file.last_ns,
			    .closed_ns = file.closed_ns,
			    .dropped = file.dropped,
			    .discarded = file.discarded } };

		snprintf(message.file.name, sizeof(message.file.name), "%s", file.name);
		snprintf(message.file.cause, sizeof(message.file.cause), "%s",
		    ledger_cause_name((enum ledger_cause)file.cause));
		snprintf(message.file.interface, sizeof(message.file.interface), "%s",
		    record->stage.interface);
		mender_tell_repaired(heirloom->estate->heir->heritage, &message);
		atomic_store(&record->entered, file.number);
	}
}

static void on_finished(void *user, const struct finished_file *file)
{
	const struct heirloom *heirloom = user;
	const struct ledger_segment *segment = file->segment;
	struct message message = { .kind = MESSAGE_REPAIRED };

	/* Told to the earlier supervisor, and entered by it. */
	if (atomic_load(&heirloom->record->entered) >= file->number)
		return;
	if (!heirloom->was_refused)
		snprintf(message.text, sizeof(message.text),
		    "%" PRIu64 " bytes of its stage written",
		    heirloom->commit.filled - heirloom->commit.flushed);
	else
		snprintf(message.text, sizeof(message.text), "without what its stage held");
	snprintf(message.file.name, sizeof(message.file.name), "%s", file->name);
	snprintf(message.file.interface, sizeof(message.file.interface), "%s",
	    heirloom->record->stage.interface);
	message.value = heirloom->record->stage.worker;
	if (is_catalog_ours(heirloom->estate))
		message.file.inode = segment->inode;
	message.file.packets = segment->packets;
	message.file.bytes = file->bytes;
	message.file.first_ns = segment->first_ns;
	message.file.last_ns = segment->last_ns;
	message.file.closed_ns = clock_utc_ns();
	message.file.dropped = file->dropped;
	message.file.discarded = file->discarded;
	mender_tell_repaired(heirloom->estate->heir->heritage, &message);
}

static void on_refused(void *user, int error, const char *what)
{
	struct heirloom *heirloom = user;

	heirloom->was_refused = true;
	leave(heirloom->estate, heirloom->segment->name, "%s: %s", what, strerror(-error));
}

static void on_works(void *user)
{
	(void)user;
}

static int finish(struct heirloom *heirloom)
{
	CLEANUP(writer_close_at) struct writer *writer = NULL;
	const struct heritage *heritage = heirloom->estate->heir->heritage;
	struct output_config output = heritage->config->output;
	const struct writer_seat seat = {
		.output = &output,
		.sensor = heritage->config->sensor,
		.interface = heirloom->record->stage.interface,
		.worker = heirloom->record->stage.worker,
		.directory = heirloom->estate->output,
		.stage = heirloom->stage,
		.record = heirloom->record,
		.events = { on_finished, on_refused, on_works, heirloom },
	};
	int r;

	output.stage = heirloom->record->stage.size;
	/* Of another layout, whose marks are not known. */
	if (heirloom->commit.mark_count == 1 && heirloom->commit.marks[0].packets == 0) {
		heirloom->commit.marks[0].packets = heirloom->staged;
		heirloom->commit.counters.value[COUNTER_STAGED] = heirloom->staged;
		ledger_commit_write(heirloom->record, &heirloom->commit);
	}
	r = writer_open(&writer, &seat);
	if (r >= 0)
		writer_finish(writer, CAUSE_REPAIRED);
	return r;
}

/* Its worker dies with its supervisor, but perhaps not at once: it holds its file until then. */
static void await_worker(const struct heirloom *heirloom)
{
	const struct ledger_commit *commit = &heirloom->commit;
	char name[LEDGER_NAME_LENGTH + 8];
	CLEANUP(close_at) int fd = -1;

	snprintf(name, sizeof(name), "%s.part",
	    commit->open.name[0] ? commit->open.name : commit->closing.name);
	if (name_leaves_directory(name))
		return;
	fd = openat(heirloom->estate->output, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
}

static int read_record(struct heirloom *heirloom)
{
	int r = ledger_commit_read(heirloom->record, &heirloom->commit);

	if (r < 0)
		return r;
	await_worker(heirloom);
	if (ledger_commit_is_damaged(heirloom->record))
		return -EBADMSG;
	return ledger_commit_read(heirloom->record, &heirloom->commit);
}

static void settle_worker(const struct estate *estate, uint32_t index)
{
	struct heirloom heirloom = {
		.estate = estate,
		.record = ledger_worker(estate->ledger, index),
		.stage = -1,
	};
	const char *fault;
	bool is_there;
	int r = read_record(&heirloom);

	tell_finished(&heirloom);
	if (r == -EBADMSG)
		leave(estate, "ledger",
		    "what it says of worker %u of %s is damaged; its file is repaired by reading",
		    heirloom.record->stage.worker, heirloom.record->stage.interface);
	if (r < 0)
		return;
	heirloom.segment =
	    heirloom.commit.closing.name[0] ? &heirloom.commit.closing : &heirloom.commit.open;
	if (!heirloom.segment->name[0])
		return;
	fault = find_fault(&heirloom, &is_there);
	if (!fault && (r = finish(&heirloom)) < 0)
		fault = strerror(-r);
	if (fault)
		leave(estate, heirloom.segment->name, "%s; %s", fault,
		    is_there ? "what stands in the file is repaired by reading"
			     : "what was staged for it is lost");
	close_at(&heirloom.stage);
}

/* ---- the estate -------------------------------------------------------------------------- */

static void remove_all(const struct estate *estate)
{
	int again = openat(estate->place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			if (unlinkat(estate->place, entry->d_name, 0) < 0)
				(void)unlinkat(estate->place, entry->d_name, AT_REMOVEDIR);
	if (directory)
		closedir(directory);
	(void)unlinkat(estate->heir->parent, estate->heir->name, AT_REMOVEDIR);
}

/* Whether its files may be touched, and are within reach. */
static bool is_ours(struct estate *estate)
{
	const struct ledger_header *header = ledger_header(estate->ledger);
	const struct config *config = estate->heir->heritage->config;

	if (strcmp(header->sensor, config->sensor) != 0) {
		leave(estate, estate->heir->name,
		    "it is of sensor %s, which finishes it when it is started with this runtime "
		    "directory",
		    header->sensor);
		return false;
	}
	estate->output = open(header->output, O_DIRECTORY | O_CLOEXEC);
	if (estate->output >= 0)
		return true;
	leave(estate, estate->heir->name, "cannot open its output directory %s: %s", header->output,
	    strerror(errno));
	return false;
}

static int open_estate(struct estate *estate)
{
	int r = ledger_salvage(&estate->ledger, estate->place);

	if (r == -EPERM)
		leave(estate, estate->heir->name,
		    "its ledger belongs to another user, or others may write to it");
	else if (r == -EBADMSG)
		leave(estate, estate->heir->name,
		    "its ledger is damaged, or of no known version; what its stages held is lost, "
		    "and its files are repaired by reading");
	else if (r < 0 && r != -ENOENT)
		leave(estate, estate->heir->name, "cannot read its ledger: %s", strerror(-r));
	return r;
}

void estate_settle(const struct estate_heir *heir)
{
	struct estate estate = { .heir = heir, .place = -1, .output = -1 };
	int r;

	estate.place =
	    openat(heir->parent, heir->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (estate.place < 0)
		return;
	r = open_estate(&estate);
	if (r >= 0 && is_ours(&estate)) {
		for (uint32_t i = 0; i < ledger_header(estate.ledger)->worker_count; i++)
			settle_worker(&estate, i);
		remove_all(&estate);
	} else if (r == -EBADMSG || r == -ENOENT) {
		remove_all(&estate);
	}
	ledger_close(estate.ledger);
	close_at(&estate.output);
	close_at(&estate.place);
}
