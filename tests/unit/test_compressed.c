/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files that are compressed: how large they become, what a life of another compression does with
 * them, and what repair makes of one that was cut anywhere.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/encoder.h"
#include "storage/pcap.h"
#include "storage/repair.h"
#include "support/writer_stand.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCKS = 60, BLOCK_PACKETS = 100, STAMP = 1700000000 };

static struct stand stand;

static void store_blocks(uint64_t first, uint64_t count)
{
	struct writer *writer = NULL;

	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	for (uint64_t i = first; i < first + count; i++)
		stand_store(&stand, writer, i, BLOCK_PACKETS);
	writer_close(writer);
}

static void finish(void)
{
	struct writer *writer = NULL;

	assert_int_equal(writer_open(&writer, &stand.seat), 0);
	writer_finish(writer, CAUSE_STOPPED);
	writer_close(writer);
}

static uint64_t counter(enum counter which)
{
	struct ledger_commit commit;

	assert_int_equal(ledger_commit_read(stand.seat.record, &commit), 0);
	return commit.counters.value[which];
}

static uint64_t next_value;

static void take_next(void *user, uint64_t value)
{
	(void)user;
	assert_int_equal(value, stand_value(1 + next_value / BLOCK_PACKETS,
				    (unsigned int)(next_value % BLOCK_PACKETS)));
	next_value++;
}

/* The size of the file is that of its frames: there are more packets in it than as they are. */
static void size_counts_what_is_in_the_file(void **state)
{
	enum { SIZE = 8192, PLAIN = BLOCK_PACKETS * (STAND_PACKET + PCAP_RECORD_SIZE) };
	uint64_t next = 1;

	(void)state;
	next_value = 0;
	stand.output.rotate.size = SIZE;
	store_blocks(next, BLOCKS);
	finish();
	assert_true(stand.shared->finished > 1);
	for (unsigned int i = 0; i < stand.shared->finished; i++) {
		const struct stand_file *file = &stand.shared->files[i];
		struct stat status;

		assert_int_equal(fstatat(stand.seat.directory, file->name, &status, 0), 0);
		assert_int_equal(file->bytes, status.st_size);
		assert_true(file->bytes <= SIZE);
		assert_int_equal(stand_read(&stand, file->name, take_next, NULL), file->packets);
		if (i + 1 == stand.shared->finished)
			continue;
		/* Another block would have had no room, and one plain block is longer than it. */
		assert_true(PLAIN > SIZE && file->packets > BLOCK_PACKETS);
		assert_true(file->bytes > SIZE / 2);
	}
	assert_int_equal(next_value, BLOCKS * BLOCK_PACKETS);
	assert_int_equal(counter(COUNTER_WRITTEN), BLOCKS * BLOCK_PACKETS);
	assert_int_equal(counter(COUNTER_DISCARDED), 0);
}

static void a_life_of_another_compression_finishes_the_file(void **state)
{
	static const struct {
		enum compression compression;
		const char *name;
	} lives[] = {
		{ COMPRESSION_ZSTD, "s-0-2023.pcapng.zst" },
		{ COMPRESSION_NONE, "s-0-2023.pcapng" },
		{ COMPRESSION_LZ4, "s-0-2023.pcapng.lz4" },
	};

	(void)state;
	next_value = 0;
	stand.output.format = FORMAT_PCAPNG;
	for (size_t i = 0; i < COUNT_OF(lives); i++) {
		stand.output.compression = lives[i].compression;
		store_blocks(1 + i * 4, 4);
		assert_int_equal(stand.shared->finished, i);
	}
	finish();
	assert_int_equal(stand.shared->finished, COUNT_OF(lives));
	for (size_t i = 0; i < COUNT_OF(lives); i++) {
		assert_string_equal(stand.shared->files[i].name, lives[i].name);
		assert_int_equal(
		    stand_read(&stand, lives[i].name, take_next, NULL), 4 * BLOCK_PACKETS);
	}
}

/* ---- repair ------------------------------------------------------------------------------ */

static uint8_t made[4 << 20], block[1 << 20];
static size_t made_size;
static size_t frame_ends[8]; /* in the file; of the header, and of each block */
static uint64_t frame_packets[8];

static void put_frame(struct encoder *encoder, size_t size, size_t index)
{
	size_t n = encoder_put(encoder, made + made_size, block, size);

	assert_true(n > 0);
	made_size += n;
	frame_ends[index] = made_size;
}

/* Each packet is of noise, so that a frame is of several of the library's own blocks. */
static size_t make_block(uint64_t packets, uint32_t length)
{
	static uint32_t noise = 1;
	size_t at = 0;

	for (uint64_t i = 0; i < packets; i++) {
		const struct pcap_record record = { STAMP, 1, length, length };

		memcpy(block + at, &record, sizeof(record));
		at += sizeof(record);
		for (uint32_t k = 0; k < length; k++) {
			noise = noise * 1664525U + 1013904223U;
			block[at++] = (uint8_t)(noise >> 24);
		}
	}
	return at;
}

static void make_file(enum compression compression)
{
	const struct encoder_terms terms = { compression, 1, sizeof(block) };
	struct encoder *encoder = NULL;

	assert_int_equal(encoder_new(&encoder, &terms), 0);
	made_size = 0;
	pcap_header(block, 1, SNAPLEN_MOST, RESOLUTION_NS);
	put_frame(encoder, PCAP_HEADER_SIZE, 0);
	frame_packets[0] = 0;
	for (size_t i = 1; i <= 3; i++) {
		frame_packets[i] = frame_packets[i - 1] + 100 * i;
		put_frame(encoder, make_block(100 * i, 1400), i);
	}
	encoder_free(encoder);
}

static const char *file_name;

static void put_file(size_t size)
{
	char part[64];
	int fd;

	snprintf(part, sizeof(part), "%s.part", file_name);
	(void)unlinkat(stand.seat.directory, file_name, 0);
	fd = openat(stand.seat.directory, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, made, size), size);
	close(fd);
}

static struct repair_report repair(void)
{
	const struct repair_wish wish = { .removes_empty = true };
	struct repair_report report;

	assert_int_equal(repair_file(stand.seat.directory, file_name, &wish, &report), 0);
	return report;
}

static uint64_t size_of_file(const char *name)
{
	struct stat status;

	return fstatat(stand.seat.directory, name, &status, 0) < 0 ? UINT64_MAX
								   : (uint64_t)status.st_size;
}

/* What it holds: whole records alone. */
static uint64_t count_packets(void)
{
	int fd = stand_open_file(&stand, file_name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct pcap_record record;
	uint64_t packets = 0;

	assert_non_null(file);
	assert_int_equal(fread(block, PCAP_HEADER_SIZE, 1, file), 1);
	while (fread(&record, sizeof(record), 1, file) == 1) {
		assert_int_equal(record.captured_length, 1400);
		assert_int_equal(fread(block, record.captured_length, 1, file), 1);
		packets++;
	}
	assert_true(feof(file));
	fclose(file);
	return packets;
}

/* How many packets are in whole frames of so many bytes. */
static uint64_t packets_in(size_t size)
{
	uint64_t packets = 0;

	for (size_t i = 0; i <= 3; i++)
		if (frame_ends[i] <= size)
			packets = frame_packets[i];
	return packets;
}

static void cut_at(size_t size, uint64_t *moved)
{
	struct repair_report report;

	put_file(size);
	report = repair();
	if (report.packets == 0) {
		assert_int_equal(report.verdict, REPAIR_NO_PACKET);
		return;
	}
	assert_int_equal(report.verdict, REPAIR_DONE);
	assert_true(report.packets >= packets_in(size));
	assert_int_equal(report.packets - report.moved, packets_in(size));
	assert_int_equal(count_packets(), report.packets);
	assert_int_equal(size_of_file(file_name), report.whole + report.added);
	*moved += report.moved;
}

static void a_cut_file_keeps_every_whole_packet(void **state)
{
	uint64_t moved = 0;

	(void)state;
	for (size_t size = 1; size <= made_size; size += 4099)
		cut_at(size, &moved);
	for (size_t i = 0; i <= 3; i++)
		for (size_t size = frame_ends[i] - 1;
		     size <= frame_ends[i] + 5 && size <= made_size; size++)
			cut_at(size, &moved);
	/* Of a frame that is cut in its midst, what can be read is kept. */
	assert_true(moved > 1000);
}

static void zeroes_behind_the_last_frame_are_cut(void **state)
{
	struct repair_report report;

	(void)state;
	memset(made + made_size, 0, 8192);
	put_file(made_size + 8192);
	report = repair();
	assert_int_equal(report.verdict, REPAIR_DONE);
	assert_int_equal(report.whole, made_size);
	assert_int_equal(report.added, 0);
	assert_int_equal(count_packets(), 600);
}

/* A frame that cannot be read, and another behind it. */
static void packets_behind_a_damaged_frame_are_not_cut(void **state)
{
	struct repair_report report;
	char part[64];

	(void)state;
	memset(made + frame_ends[1] + 20, 0, 4096);
	put_file(made_size);
	report = repair();
	assert_int_equal(report.verdict, REPAIR_DAMAGED);
	assert_int_equal(report.whole, frame_ends[1]);
	assert_int_equal(report.next, frame_ends[2]);
	snprintf(part, sizeof(part), "%s.part", file_name);
	assert_int_equal(size_of_file(part), made_size);
}

/* Nothing can be read of it: that is no reason to remove it. */
static void a_file_that_cannot_be_read_is_left(void **state)
{
	(void)state;
	memset(made + 8, 0xff, frame_ends[1] + 4096);
	put_file(frame_ends[2]);
	assert_int_not_equal(repair().verdict, REPAIR_NO_PACKET);
}

static int set_up(void **state)
{
	const char *above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)state;
	if (stand_open(&stand, above) < 0)
		return -1;
	stand.seat.output = &stand.output;
	stand.output.compression = COMPRESSION_ZSTD;
	return 0;
}

static int set_up_lz4(void **state)
{
	file_name = "s.pcap.lz4";
	make_file(COMPRESSION_LZ4);
	return set_up(state);
}

static int set_up_zstd(void **state)
{
	file_name = "s.pcap.zst";
	make_file(COMPRESSION_ZSTD);
	return set_up(state);
}

static int tear_down(void **state)
{
	(void)state;
	stand_close(&stand);
	return 0;
}

#define WRITER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define REPAIR_TESTS(function)                                                                     \
	cmocka_unit_test_setup_teardown(function, set_up_lz4, tear_down),                          \
	    cmocka_unit_test_setup_teardown(function, set_up_zstd, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITER_TEST(size_counts_what_is_in_the_file),
		WRITER_TEST(a_life_of_another_compression_finishes_the_file),
		REPAIR_TESTS(a_cut_file_keeps_every_whole_packet),
		REPAIR_TESTS(zeroes_behind_the_last_frame_are_cut),
		REPAIR_TESTS(packets_behind_a_damaged_frame_are_not_cut),
		REPAIR_TESTS(a_file_that_cannot_be_read_is_left),
	};

	return RUN_TESTS(tests);
}
