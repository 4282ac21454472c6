/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "support/block_builder.h"
#include "worker/carry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whole blocks and damaged ones, carried as a worker does, by a socket that is none. */
enum { STAGE = 64 * 1024, BLOCK = 16 * 1024, FRAMES = 20, FRAME = 100 };

static char directory[128];
static struct output_config output;
static struct ledger_worker *record;
static struct writer *writer;
static int directory_fd, stage;
static _Alignas(8) uint8_t bytes[BLOCK];
static struct tpacket3_hdr *heads[FRAMES];
static uint64_t packets_in_files;

static void on_finished(void *user, const struct finished_file *file)
{
	(void)user;
	packets_in_files += file->segment->packets;
}

static void on_refused(void *user, int error, const char *what)
{
	(void)user;
	(void)error;
	(void)what;
}

static void on_works(void *user)
{
	(void)user;
}

static int set_up(void **state)
{
	char name[] = "%{sensor}";
	struct writer_seat seat = { .output = &output,
		.sensor = "s",
		.interface = "i",
		.link_type = 1,
		.snaplen = SNAPLEN_MOST,
		.events = { .finished = on_finished, .refused = on_refused, .works = on_works } };

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/fancap-carry-XXXXXX");
	record =
	    mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stage = memfd_create("stage", MFD_CLOEXEC);
	if (record == MAP_FAILED || stage < 0 || ftruncate(stage, STAGE) < 0 || !mkdtemp(directory))
		return -1;
	output = (struct output_config) { .stage = STAGE, .name = strdup(name) };
	packets_in_files = 0;
	directory_fd = open(directory, O_DIRECTORY | O_CLOEXEC);
	seat.directory = directory_fd;
	seat.stage = stage;
	seat.record = record;
	return writer_open(&writer, &seat);
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	writer_close(writer);
	close(directory_fd);
	close(stage);
	munmap(record, sizeof(*record));
	free(output.name);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

/* FRAMES frames, whose headers are in heads[]. */
static void build(void)
{
	static const uint8_t payload[FRAME];
	const struct block_frame frame = {
		.bytes = payload, .captured_length = FRAME, .wire_length = FRAME, .seconds = 1
	};
	struct block_builder builder;

	block_builder_begin(&builder, bytes, sizeof(bytes), 1);
	for (size_t i = 0; i < FRAMES; i++) {
		assert_true(block_builder_add(&builder, &frame));
		heads[i] = builder.last;
	}
	(void)block_builder_end(&builder);
}

static uint64_t carry_by(uint64_t (*how)(const struct carry *, const struct carry_block *),
    uint32_t packets, uint32_t drops)
{
	const struct carry carry = { writer, -1, SNAPLEN_MOST, SNAPLEN_MOST, block_walk_next };
	const struct carry_block block = { bytes, sizeof(bytes), 1 };

	*writer_statistics_slot(writer) =
	    (struct ledger_statistics) { .packets = packets, .drops = drops };
	return how(&carry, &block);
}

/* The kernel counted this many, and dropped so many of them. */
static uint64_t carry_it(uint32_t packets, uint32_t drops)
{
	return carry_by(carry_block, packets, drops);
}

static void check_books(uint64_t written, uint64_t discarded)
{
	const uint64_t *value = writer_counters(writer)->value;

	writer_finish(writer, CAUSE_STOPPED);
	assert_int_equal(value[COUNTER_WRITTEN], written);
	assert_int_equal(value[COUNTER_DISCARDED], discarded);
	assert_int_equal(packets_in_files, written);
	assert_true(counters_are_settled(writer_counters(writer)));
}

static void a_whole_block_lacks_nothing(void **state)
{
	(void)state;
	build();
	assert_int_equal(carry_it(FRAMES + 7, 7), 0);
	check_books(FRAMES, 0);
}

static void a_block_that_breaks_off_has_the_rest_discarded(void **state)
{
	(void)state;
	build();
	heads[11]->tp_mac = 1;
	assert_int_equal(carry_it(FRAMES + 7, 7), FRAMES - 11);
	check_books(11, FRAMES - 11);
}

static void a_block_without_a_whole_packet_begins_no_file(void **state)
{
	(void)state;
	build();
	heads[0]->tp_next_offset = BLOCK;
	assert_int_equal(carry_it(FRAMES, 0), FRAMES);
	check_books(0, FRAMES);
}

static void a_wild_count_discards_no_more_than_was_counted(void **state)
{
	(void)state;
	build();
	((struct tpacket_block_desc *)(void *)bytes)->hdr.bh1.num_pkts = UINT32_MAX;
	heads[FRAMES - 1]->tp_mac = 1;
	assert_int_equal(carry_it(FRAMES, 0), 1);
	check_books(FRAMES - 1, 1);
}

static void an_empty_block_is_nothing(void **state)
{
	struct block_builder builder;

	(void)state;
	block_builder_begin(&builder, bytes, sizeof(bytes), 1);
	(void)block_builder_end(&builder);
	assert_int_equal(carry_it(0, 0), 0);
	check_books(0, 0);
}

static void whole_blocks_go_on_behind_a_damaged_one(void **state)
{
	(void)state;
	build();
	heads[5]->tp_snaplen = BLOCK;
	assert_int_equal(carry_it(FRAMES, 0), FRAMES - 5);
	build();
	assert_int_equal(carry_it(FRAMES, 0), 0);
	check_books(FRAMES + 5, FRAMES - 5);
}

static void a_block_that_is_set_aside_is_discarded_unread(void **state)
{
	(void)state;
	build();
	assert_int_equal(carry_it(FRAMES, 0), 0);
	build();
	/* Nobody who follows this comes back. */
	heads[0]->tp_next_offset = UINT32_MAX;
	assert_int_equal(carry_by(carry_nothing, FRAMES + 3, 3), FRAMES);
	/* No more than the kernel has counted. */
	((struct tpacket_block_desc *)(void *)bytes)->hdr.bh1.num_pkts = UINT32_MAX;
	assert_int_equal(carry_by(carry_nothing, 5, 0), 5);
	check_books(FRAMES, FRAMES + 5);
}

#define CARRY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CARRY_TEST(a_whole_block_lacks_nothing),
		CARRY_TEST(a_block_that_breaks_off_has_the_rest_discarded),
		CARRY_TEST(a_block_without_a_whole_packet_begins_no_file),
		CARRY_TEST(a_wild_count_discards_no_more_than_was_counted),
		CARRY_TEST(an_empty_block_is_nothing),
		CARRY_TEST(whole_blocks_go_on_behind_a_damaged_one),
		CARRY_TEST(a_block_that_is_set_aside_is_discarded_unread),
	};

	return RUN_TESTS(tests);
}
