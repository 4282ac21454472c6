/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "storage/reader.h"
#include "support/capture_builder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PCAP_US = 0, PCAP_NS, LINK_ETHERNET = 1, LINK_RAW = 101, HEADER = 24, RECORD = 16 };

static const uint32_t magics[] = { 0xa1b2c3d4, 0xa1b23c4d };

static struct capture_builder capture;

/* What a file came to. */
struct outcome {
	int result;
	size_t count;
	char fault[96];
	uint64_t offset;
	struct reader_record records[8]; /* their bytes are gone, but for the first byte of each */
	uint8_t firsts[8];
};

static void read_all(int fd, struct outcome *outcome)
{
	struct reader_record record;
	struct reader *reader;
	int r;

	memset(outcome, 0, sizeof(*outcome));
	assert_int_equal(reader_open(&reader, fd), 0);
	while ((r = reader_next(reader, &record)) > 0) {
		uint8_t first = record.packet.captured_length ? record.packet.bytes[0] : 0;

		for (uint32_t i = 0; i < record.packet.captured_length; i++)
			assert_int_equal(record.packet.bytes[i], first);
		if (outcome->count < COUNT_OF(outcome->records)) {
			outcome->records[outcome->count] = record;
			outcome->firsts[outcome->count] = first;
		}
		outcome->count++;
	}
	/* What has ended stays so. */
	assert_int_equal(reader_next(reader, &record), r);
	outcome->result = r;
	outcome->offset = reader_offset(reader);
	snprintf(outcome->fault, sizeof(outcome->fault), "%s", reader_fault(reader));
	reader_close(reader);
}

/* The first `size` bytes of the capture, as a file. */
static void read_file(size_t size, struct outcome *outcome)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, capture.bytes, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	read_all(fd, outcome);
	close(fd);
}

static void expect_fault(const char *text, size_t count)
{
	struct outcome outcome;

	read_file(capture.size, &outcome);
	assert_int_equal(outcome.result, -EBADMSG);
	assert_string_equal(outcome.fault, text);
	assert_int_equal(outcome.count, count);
}

static void build_pcap(bool swapped, int resolution)
{
	capture_begin(&capture, swapped);
	capture_pcap_header(&capture, magics[resolution], LINK_ETHERNET);
	capture_pcap_packet(&capture, 1700000000, 999999, 60, 0xaa);
	capture_pcap_packet(&capture, 4294967295U, 5, 1514, 0xbb);
	capture_pcap_packet(&capture, 0, 1, 0, 0);
}

static void each_pcap_is_read(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		const uint64_t unit = kind & 1 ? 1 : 1000;
		struct outcome outcome;

		build_pcap(kind & 2, kind & 1);
		read_file(capture.size, &outcome);
		assert_int_equal(outcome.result, 0);
		assert_int_equal(outcome.count, 3);
		assert_int_equal(outcome.offset, capture.size);
		assert_int_equal(
		    outcome.records[0].packet.time_ns, 1700000000 * NSEC_PER_SEC + 999999 * unit);
		assert_int_equal(
		    outcome.records[1].packet.time_ns, 4294967295 * NSEC_PER_SEC + 5 * unit);
		assert_int_equal(outcome.records[0].packet.captured_length, 60);
		assert_int_equal(outcome.records[1].packet.wire_length, 1514);
		assert_int_equal(outcome.firsts[0], 0xaa);
		assert_int_equal(outcome.firsts[1], 0xbb);
		assert_int_equal(outcome.records[2].packet.captured_length, 0);
		assert_int_equal(outcome.records[2].link_type, LINK_ETHERNET);
		assert_true(outcome.records[2].has_time);
	}
}

static void what_stands_beside_the_link_type_is_left_away(void **state)
{
	struct outcome outcome;

	(void)state;
	capture_begin(&capture, false);
	capture_pcap_header(&capture, magics[PCAP_US], 0x30000000 | LINK_RAW);
	capture_pcap_packet(&capture, 1, 2, 20, 0x45);
	read_file(capture.size, &outcome);
	assert_int_equal(outcome.count, 1);
	assert_int_equal(outcome.records[0].link_type, LINK_RAW);
}

/* A file that is cut ends well where a packet ends, and else within what it ends within. */
static void a_pcap_cut_anywhere_says_so(void **state)
{
	const size_t ends[] = { HEADER, HEADER + RECORD + 60, HEADER + 2 * RECORD + 60 + 1514 };
	struct outcome outcome;

	(void)state;
	build_pcap(false, PCAP_NS);
	for (size_t size = 0; size < capture.size; size++) {
		size_t whole = 0, at = HEADER;
		const char *fault;

		for (size_t i = 0; i < COUNT_OF(ends); i++)
			if (ends[i] <= size) {
				whole = i;
				at = ends[i];
			}
		fault = size == 0            ? "is empty"
			: size < 4           ? "is too short for a capture"
			: size < HEADER      ? "ends within its header"
			: size == at         ? ""
			: size - at < RECORD ? "ends within a packet's header"
					     : "ends within a packet";
		read_file(size, &outcome);
		assert_string_equal(outcome.fault, fault);
		assert_int_equal(outcome.result, fault[0] ? -EBADMSG : 0);
		assert_int_equal(outcome.count, whole);
		/* Where a repair would cut. */
		if (size >= HEADER)
			assert_int_equal(outcome.offset, at);
	}
}

static void what_a_pcap_cannot_hold_is_a_fault(void **state)
{
	(void)state;
	build_pcap(true, PCAP_US);
	capture_set32(&capture, HEADER + RECORD + 60 + 8, 262145);
	capture_set32(&capture, HEADER + RECORD + 60 + 12, UINT32_MAX);
	expect_fault("a packet is longer than the file says any is", 1);
	capture_set32(&capture, HEADER + RECORD + 60 + 8, UINT32_MAX);
	expect_fault("a packet is longer than the file says any is", 1);
	capture_set32(&capture, HEADER + RECORD + 60 + 8, 262144);
	expect_fault("ends within a packet", 1);
	/* The snaplen makes room, but not for what nobody has memory for. */
	capture_set32(&capture, 16, UINT32_MAX);
	capture_set32(&capture, HEADER + RECORD + 60 + 8, 16 << 20);
	expect_fault("ends within a packet", 1);
	capture_set32(&capture, HEADER + RECORD + 60 + 8, (16 << 20) + 1);
	expect_fault("a packet is longer than the file says any is", 1);
	build_pcap(true, PCAP_US);
	capture_set32(&capture, HEADER + 12, 59);
	expect_fault("a packet is longer than it was on the wire", 0);
	build_pcap(false, PCAP_US);
	capture_set32(&capture, 4, 0x00040003);
	expect_fault("a pcap version that is not known; 2.4 is", 0);
	build_pcap(false, PCAP_US);
	memset(capture.bytes + HEADER + RECORD + 60, 0, 1000);
	expect_fault("zeroes where a packet should be, as in a file never finished", 1);
}

static void what_is_no_capture_is_named(void **state)
{
	static const struct {
		const char *bytes;
		const char *fault;
	} cases[] = {
		{ "\x1f\x8b\x08\x00", "is compressed by gzip; unpack it into a pipe" },
		{ "\x28\xb5\x2f\xfd", "ends within a frame" },
		{ "\x04\x22\x4d\x18", "ends within a frame" },
		{ "BZh9", "is compressed by bzip2; unpack it into a pipe" },
		{ "\xfd"
		  "7zX",
		    "is compressed by xz; unpack it into a pipe" },
		{ "\x34\xcd\xb2\xa1", "is a modified pcap, which is not read" },
		{ "\xa1\xb2\xcd\x34", "is a modified pcap, which is not read" },
		{ "snoop", "is a snoop capture, which is not read" },
		{ "#!/bin/sh", "is neither pcap nor pcapng" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		capture_begin(&capture, false);
		capture_put(&capture, cases[i].bytes, MOST(strlen(cases[i].bytes), (size_t)4));
		expect_fault(cases[i].fault, 0);
	}
	capture_begin(&capture, false);
	for (int i = 0; i < 100; i++)
		capture_put32(&capture, 0);
	expect_fault("begins with zeroes, as a file never finished", 0);
}

static void build_pcapng(bool swapped)
{
	capture_begin(&capture, swapped);
	capture_section(&capture);
	capture_interface(&capture, LINK_ETHERNET, 100, -1, 0);
	capture_interface(&capture, LINK_RAW, 0, 9, 0);
	capture_enhanced(&capture, 0, 1700000000000001, 60, 0xaa);
	/* Names, statistics, and what nobody knows. */
	capture_block_begin(&capture, 4);
	capture_put32(&capture, 0);
	capture_block_end(&capture);
	capture_enhanced(&capture, 1, 1700000000000000002, 61, 0xbb);
	capture_block_begin(&capture, 0x80000bad);
	capture_block_end(&capture);
	capture_simple(&capture, 150, 100, 0xcc);
	capture_older(&capture, 1, 3, 3, 0xdd);
}

static void each_pcapng_is_read(void **state)
{
	static const uint32_t lengths[] = { 60, 61, 100, 3 };
	static const uint32_t link_types[] = { LINK_ETHERNET, LINK_RAW, LINK_ETHERNET, LINK_RAW };
	struct outcome outcome;

	(void)state;
	for (int swapped = 0; swapped < 2; swapped++) {
		build_pcapng(swapped);
		read_file(capture.size, &outcome);
		assert_int_equal(outcome.result, 0);
		assert_int_equal(outcome.count, 4);
		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(outcome.records[i].packet.captured_length, lengths[i]);
			assert_int_equal(outcome.records[i].link_type, link_types[i]);
			assert_int_equal(outcome.firsts[i], 0xaa + 0x11 * i);
			assert_int_equal(outcome.records[i].has_time, i != 2);
		}
		assert_int_equal(outcome.records[0].packet.time_ns, 1700000000000001000);
		assert_int_equal(outcome.records[1].packet.time_ns, 1700000000000000002);
		assert_int_equal(outcome.records[2].packet.wire_length, 150);
		assert_int_equal(outcome.records[3].packet.time_ns, 3);
	}
}

static void sections_follow_each_other_in_any_order(void **state)
{
	struct outcome outcome;

	(void)state;
	capture_begin(&capture, true);
	capture_section(&capture);
	capture_interface(&capture, LINK_ETHERNET, 0, -1, 0);
	capture_enhanced(&capture, 0, 1, 14, 0x11);
	capture.is_swapped = false;
	capture_section(&capture);
	capture_interface(&capture, LINK_RAW, 0, -1, 0);
	capture_enhanced(&capture, 0, 2, 20, 0x22);
	read_file(capture.size, &outcome);
	assert_int_equal(outcome.result, 0);
	assert_int_equal(outcome.count, 2);
	assert_int_equal(outcome.records[1].link_type, LINK_RAW);
	/* The interfaces of one section are not those of the next. */
	capture_section(&capture);
	capture_enhanced(&capture, 0, 2, 20, 0x22);
	expect_fault("a packet of an interface that is not described", 2);
}

static void stamps_have_the_resolution_that_is_said(void **state)
{
	static const struct {
		int resolution;
		int64_t offset;
		uint64_t ticks;
		uint64_t ns;
	} cases[] = {
		{ -1, 0, 1700000000123456, 1700000000123456000 },
		{ 0, 0, 1700000000, 1700000000000000000 },
		{ 3, 0, 1700000000123, 1700000000123000000 },
		{ 9, 0, UINT64_MAX, UINT64_MAX },
		{ 12, 0, 1700000000123456789, 1700000000123456 },
		{ 127, 0, UINT64_MAX, 0 },
		{ 0x80, 0, 1700000000, 1700000000000000000 },
		{ 0x80 | 1, 0, 3, 1500000000 },
		{ 0x80 | 30, 0, UINT64_C(5) << 29, 2500000000 },
		{ 0xff, 0, UINT64_MAX, 0 },
		{ 9, 5, 7, 5000000007 },
		{ 9, -5, 5000000007, 7 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		const size_t k = i / 2;
		struct outcome outcome;

		capture_begin(&capture, i & 1);
		capture_section(&capture);
		capture_interface(&capture, LINK_ETHERNET, 0, cases[k].resolution, cases[k].offset);
		capture_enhanced(&capture, 0, cases[k].ticks, 14, 1);
		read_file(capture.size, &outcome);
		assert_int_equal(outcome.count, 1);
		assert_int_equal(outcome.records[0].packet.time_ns, cases[k].ns);
	}
}

static void a_stamp_beyond_time_is_a_fault(void **state)
{
	static const struct {
		int resolution;
		int64_t offset;
		uint64_t ticks;
	} cases[] = {
		{ 6, 0, UINT64_MAX },
		{ 0, 0, UINT64_MAX },
		{ 0x80, 0, UINT64_MAX },
		{ 9, 1, UINT64_MAX },
		{ 9, -5, 4999999999 },
		{ 9, INT64_MAX, 0 },
		{ 9, INT64_MIN, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		capture_begin(&capture, false);
		capture_section(&capture);
		capture_interface(&capture, LINK_ETHERNET, 0, cases[i].resolution, cases[i].offset);
		capture_enhanced(&capture, 0, cases[i].ticks, 14, 1);
		expect_fault("a stamp before 1970 or past 2554", 0);
	}
}

static void a_pcapng_cut_anywhere_never_ends_with_more(void **state)
{
	struct outcome outcome;
	size_t before = 0, clean = 0;

	(void)state;
	build_pcapng(false);
	for (size_t size = 28; size < capture.size; size++) {
		read_file(size, &outcome);
		assert_true(outcome.count >= before && outcome.count < 4);
		assert_true(outcome.offset <= size);
		before = outcome.count;
		clean += outcome.result == 0;
		if (outcome.result < 0)
			assert_memory_equal(outcome.fault, "ends within a block", 19);
	}
	/* At the ends of its blocks, of which the last is the whole file's. */
	assert_int_equal(clean, 8);
}

/* Where a block's parts lie. */
enum { SECTION_SIZE = 28, INTERFACE_SIZE = 32, PACKET_AT = SECTION_SIZE + INTERFACE_SIZE };

static void build_small(void)
{
	capture_begin(&capture, false);
	capture_section(&capture);
	capture_interface(&capture, LINK_ETHERNET, 0, -1, 0);
	capture_enhanced(&capture, 0, 1, 60, 0x11);
}

static void set_word(size_t at, uint32_t value, const char *fault)
{
	build_small();
	capture_set32(&capture, at, value);
	expect_fault(fault, 0);
}

static void what_a_pcapng_cannot_hold_is_a_fault(void **state)
{
	(void)state;
	build_small();
	set_word(8, 0x1a2b3c4e, "a section header without its byte-order magic");
	set_word(4, 27, "a block of a length that cannot be");
	set_word(4, 8, "a block of a length that cannot be");
	set_word(4, 24, "a block's two lengths differ");
	set_word(12, 2, "a pcapng version that is not known; 1.0 is");
	set_word(PACKET_AT - 4, 28, "a block's two lengths differ");
	/* The comment's length. */
	set_word(SECTION_SIZE + 16, 1 | 9U << 16, "an option reaches past its block");
	set_word(SECTION_SIZE + 16, 9 | 5U << 16, "an option about stamps has a wrong length");
	set_word(SECTION_SIZE + 16, 14 | 5U << 16, "an option about stamps has a wrong length");
	set_word(PACKET_AT + 4, 16 << 20, "ends within a block");
	set_word(PACKET_AT + 4, (16 << 20) + 4, "a block that is longer than any packet");
	set_word(PACKET_AT + 8, 1, "a packet of an interface that is not described");
	set_word(PACKET_AT + 20, 61, "a packet is longer than its block");
	set_word(PACKET_AT + 20, UINT32_MAX, "a packet is longer than its block");
	set_word(PACKET_AT + 24, 59, "a packet is longer than it was on the wire");
	capture_begin(&capture, false);
	capture_section(&capture);
	capture_simple(&capture, 60, 60, 1);
	expect_fault("a packet of an interface that is not described", 0);
	build_small();
	capture_simple(&capture, 64, 60, 1);
	expect_fault("a packet is longer than its block", 1);
	/* Blocks without room for what each of their kind has. */
	for (uint32_t type = 1; type <= 6; type++) {
		struct outcome outcome;

		build_small();
		capture_block_begin(&capture, type);
		capture_block_end(&capture);
		read_file(capture.size, &outcome);
		assert_int_equal(outcome.result, type == 4 || type == 5 ? 0 : -EBADMSG);
		assert_int_equal(outcome.count, 1);
	}
}

/* A block that nobody needs may be longer than memory. */
static void a_long_block_is_left_out(void **state)
{
	enum { LONG = (16 << 20) + 64 };
	struct outcome outcome;
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct capture_builder head;

	(void)state;
	build_small();
	capture_begin(&head, false);
	capture_put32(&head, 5);
	capture_put32(&head, LONG);
	assert_int_equal(write(fd, capture.bytes, capture.size), capture.size);
	assert_int_equal(write(fd, head.bytes, head.size), head.size);
	assert_int_equal(lseek(fd, (off_t)capture.size + LONG, SEEK_SET), capture.size + LONG);
	assert_int_equal(write(fd, capture.bytes + PACKET_AT, capture.size - PACKET_AT),
	    capture.size - PACKET_AT);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	read_all(fd, &outcome);
	assert_int_equal(outcome.result, 0);
	assert_int_equal(outcome.count, 2);
	assert_int_equal(ftruncate(fd, (off_t)capture.size + LONG - 1), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	read_all(fd, &outcome);
	assert_int_equal(outcome.result, -EBADMSG);
	assert_string_equal(outcome.fault, "ends within a block");
	close(fd);
}

/* Writes one byte more each time that the reader would wait. */
struct trickle {
	int fd;
	size_t sent;
	size_t limit;
	int result;
};

static int send_a_byte(void *context, int fd)
{
	struct trickle *trickle = context;

	(void)fd;
	if (trickle->sent == trickle->limit)
		return trickle->result;
	if (trickle->sent == capture.size)
		return 0;
	assert_int_equal(write(trickle->fd, capture.bytes + trickle->sent, 1), 1);
	trickle->sent++;
	if (trickle->sent == capture.size)
		close(trickle->fd);
	return 0;
}

static void a_pipe_is_read_as_it_comes(void **state)
{
	struct trickle trickle = { .limit = SIZE_MAX };
	struct reader_record record;
	struct reader *reader;
	int ends[2];

	(void)state;
	build_pcapng(true);
	assert_int_equal(pipe(ends), 0);
	trickle.fd = ends[1];
	assert_int_equal(reader_open(&reader, ends[0]), 0);
	reader_on_wait(reader, send_a_byte, &trickle);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(reader_next(reader, &record), 1);
		assert_int_equal(record.packet.bytes[0], 0xaa + 0x11 * i);
		/* It never waits for more than the packet needs. */
		assert_true(reader_offset(reader) == trickle.sent);
	}
	assert_int_equal(trickle.sent, capture.size);
	assert_int_equal(reader_next(reader, &record), 0);
	reader_close(reader);
	close(ends[0]);
}

static void who_waits_can_end_the_reading(void **state)
{
	struct trickle trickle = { .limit = 50, .result = -EINTR };
	struct reader_record record;
	struct reader *reader;
	int ends[2];

	(void)state;
	build_pcap(false, PCAP_US);
	assert_int_equal(pipe(ends), 0);
	trickle.fd = ends[1];
	assert_int_equal(reader_open(&reader, ends[0]), 0);
	reader_on_wait(reader, send_a_byte, &trickle);
	assert_int_equal(reader_next(reader, &record), -EINTR);
	assert_int_equal(reader_next(reader, &record), -EINTR);
	assert_int_equal(trickle.sent, 50);
	reader_close(reader);
	close(ends[0]);
	close(ends[1]);
}

static void what_cannot_be_read_says_why(void **state)
{
	struct outcome outcome;

	(void)state;
	read_all(-1, &outcome);
	assert_int_equal(outcome.result, -EBADF);
	assert_string_equal(outcome.fault, "");
	reader_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pcap_is_read),
		cmocka_unit_test(what_stands_beside_the_link_type_is_left_away),
		cmocka_unit_test(a_pcap_cut_anywhere_says_so),
		cmocka_unit_test(what_a_pcap_cannot_hold_is_a_fault),
		cmocka_unit_test(what_is_no_capture_is_named),
		cmocka_unit_test(each_pcapng_is_read),
		cmocka_unit_test(sections_follow_each_other_in_any_order),
		cmocka_unit_test(stamps_have_the_resolution_that_is_said),
		cmocka_unit_test(a_stamp_beyond_time_is_a_fault),
		cmocka_unit_test(a_pcapng_cut_anywhere_never_ends_with_more),
		cmocka_unit_test(what_a_pcapng_cannot_hold_is_a_fault),
		cmocka_unit_test(a_long_block_is_left_out),
		cmocka_unit_test(a_pipe_is_read_as_it_comes),
		cmocka_unit_test(who_waits_can_end_the_reading),
		cmocka_unit_test(what_cannot_be_read_says_why),
	};

	return RUN_TESTS(tests);
}
