/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unfinished files of each kind: cut behind the last whole packet, and never anything else. */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/repair.h"
#include "support/capture_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PACKETS = 12, HEADER = 24, RECORD = 16 };

static char path[64];
static int directory = -1;
static struct capture_builder capture;
static size_t ends[PACKETS + 1]; /* where packet i ends; ends[0]: the header */

static const struct {
	uint32_t magic;
	bool is_swapped;
} formats[] = {
	{ 0xa1b2c3d4, false },
	{ 0xa1b2c3d4, true },
	{ 0xa1b23c4d, false },
	{ 0xa1b23c4d, true },
};

static void build(size_t format)
{
	capture_begin(&capture, formats[format].is_swapped);
	capture_pcap_header(&capture, formats[format].magic, 1);
	ends[0] = capture.size;
	for (uint32_t i = 1; i <= PACKETS; i++) {
		capture_pcap_packet(
		    &capture, 1700000000 + i, i * 1000 + 987000, 5 * i % 47, (uint8_t)(i % 3));
		ends[i] = capture.size;
	}
}

static void put(const char *name, const void *bytes, size_t size)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

/* A file holds the first `size` bytes of the capture, and is removed. */
static void take(const char *name, size_t size)
{
	static uint8_t bytes[CAPTURE_SIZE_MOST];
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), size);
	assert_memory_equal(bytes, capture.bytes, size);
	close(fd);
	assert_int_equal(unlinkat(directory, name, 0), 0);
}

static bool is_there(const char *name)
{
	return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct repair_report repair(void)
{
	const struct repair_wish wish = { 0 };
	struct repair_report report;

	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), 0);
	return report;
}

static void a_file_cut_anywhere_keeps_each_whole_packet(void **state)
{
	(void)state;
	for (size_t format = 0; format < COUNT_OF(formats); format++) {
		build(format);
		for (size_t size = 0, whole = 0; size <= capture.size; size++) {
			struct repair_report report;

			while (whole < PACKETS && ends[whole + 1] <= size)
				whole++;
			put("f.pcap.part", capture.bytes, size);
			report = repair();
			assert_int_equal(report.packets, size < HEADER ? 0 : whole);
			if (whole == 0) {
				assert_int_equal(report.verdict, REPAIR_NO_PACKET);
				take("f.pcap.part", size);
				continue;
			}
			assert_int_equal(report.verdict, REPAIR_DONE);
			assert_int_equal(report.whole, ends[whole]);
			assert_int_equal(report.size, size);
			assert_int_equal(report.last_ns / 1000000000, 1700000000 + whole);
			assert_false(is_there("f.pcap.part"));
			take("f.pcap", ends[whole]);
		}
	}
}

static void append(const void *bytes, size_t size)
{
	int fd = openat(directory, "f.pcap.part", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

/* Zeroes as far as a direct write is rounded up, or a disk reserved; and what a bad disk makes. */
static void what_stands_behind_is_cut(void **state)
{
	static uint8_t rest[3 << 20];
	unsigned int seed = 5;

	(void)state;
	for (unsigned int round = 0; round < 40; round++) {
		size_t size = round % 8 == 0 ? sizeof(rest) : 1 + 97 * (size_t)round;
		struct repair_report report;

		build(round % COUNT_OF(formats));
		memset(rest, 0, sizeof(rest));
		for (size_t i = 0; round >= 20 && i < size; i++)
			rest[i] = (uint8_t)(rand_r(&seed) >> 4);
		put("f.pcap.part", capture.bytes, capture.size);
		append(rest, size);
		report = repair();
		assert_int_equal(report.verdict, REPAIR_DONE);
		assert_int_equal(report.size, capture.size + size);
		assert_int_equal(report.whole, capture.size);
		take("f.pcap", capture.size);
	}
}

static void packets_behind_a_damaged_place_are_never_cut(void **state)
{
	(void)state;
	for (size_t format = 0; format < COUNT_OF(formats); format++) {
		for (size_t packet = 0; packet + 2 < PACKETS; packet++) {
			struct repair_report report;

			build(format);
			/* No such length can be. */
			capture_set32(&capture, ends[packet] + 8, 0x7fffffff);
			put("f.pcap.part", capture.bytes, capture.size);
			report = repair();
			assert_int_equal(report.verdict, REPAIR_DAMAGED);
			assert_int_equal(report.packets, packet);
			assert_int_equal(report.whole, ends[packet]);
			assert_int_equal(report.next, ends[packet + 1]);
			assert_false(is_there("f.pcap"));
			take("f.pcap.part", capture.size);
		}
	}
}

static void no_name_is_taken_twice(void **state)
{
	struct repair_report report;

	(void)state;
	build(0);
	put("f.pcap", "one", 3);
	put("f-1.pcap", "two", 3);
	put("f.pcap.part", capture.bytes, capture.size);
	report = repair();
	assert_int_equal(report.verdict, REPAIR_DONE);
	assert_int_equal(report.number, 2);
	take("f-2.pcap", capture.size);
	memcpy(capture.bytes, "onetwo", 6);
	take("f.pcap", 3);
	memmove(capture.bytes, capture.bytes + 3, 3);
	take("f-1.pcap", 3);
}

static bool always(void *user, uint64_t inode)
{
	*(uint64_t *)user = inode;
	return true;
}

static void what_somebody_holds_is_left_alone(void **state)
{
	uint64_t inode = 0;
	const struct repair_wish wish = { .is_claimed = always, .user = &inode };
	struct repair_report report;
	int fd;

	(void)state;
	build(0);
	put("f.pcap.part", capture.bytes, capture.size - 3);
	fd = openat(directory, "f.pcap.part", O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(repair().verdict, REPAIR_HELD);
	close(fd);
	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), 0);
	assert_int_equal(report.verdict, REPAIR_HELD);
	assert_int_not_equal(inode, 0);
	take("f.pcap.part", capture.size - 3);
}

static void a_look_changes_nothing(void **state)
{
	const struct repair_wish wish = { .dry_run = true };
	struct repair_report report;
	struct stat before, after;

	(void)state;
	build(2);
	put("f.pcap", "one", 3);
	put("f.pcap.part", capture.bytes, capture.size - 3);
	assert_int_equal(fstatat(directory, "f.pcap.part", &before, 0), 0);
	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), 0);
	assert_int_equal(report.verdict, REPAIR_DONE);
	assert_int_equal(report.number, 1);
	assert_int_equal(report.whole, ends[PACKETS - 1]);
	assert_int_equal(fstatat(directory, "f.pcap.part", &after, 0), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_false(is_there("f-1.pcap"));
	take("f.pcap.part", capture.size - 3);
	assert_int_equal(unlinkat(directory, "f.pcap", 0), 0);
}

static void only_regular_files_are_touched(void **state)
{
	const struct repair_wish wish = { 0 };
	struct repair_report report;

	(void)state;
	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), -ENOENT);
	assert_int_equal(repair_file(directory, "f.cap", &wish, &report), -EINVAL);
	build(0);
	put("other", capture.bytes, capture.size - 1);
	assert_int_equal(symlinkat("other", directory, "f.pcap.part"), 0);
	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), -ELOOP);
	assert_int_equal(unlinkat(directory, "f.pcap.part", 0), 0);
	take("other", capture.size - 1);
	assert_int_equal(mkfifoat(directory, "f.pcap.part", 0600), 0);
	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), -EMEDIUMTYPE);
	assert_int_equal(unlinkat(directory, "f.pcap.part", 0), 0);
	assert_int_equal(mkdirat(directory, "f.pcap.part", 0700), 0);
	assert_int_equal(repair_file(directory, "f.pcap", &wish, &report), -EISDIR);
	assert_int_equal(unlinkat(directory, "f.pcap.part", AT_REMOVEDIR), 0);
}

static void what_is_no_capture_is_left(void **state)
{
	static const uint8_t zeroes[8192];

	(void)state;
	memset(capture.bytes, 'x', sizeof(capture.bytes));
	put("f.pcap.part", capture.bytes, 5000);
	assert_int_equal(repair().verdict, REPAIR_FOREIGN);
	take("f.pcap.part", 5000);
	/* Reserved, and never written to. */
	put("f.pcap.part", zeroes, sizeof(zeroes));
	assert_int_equal(repair().verdict, REPAIR_NO_PACKET);
	memset(capture.bytes, 0, sizeof(zeroes));
	capture.bytes[8191] = 1;
	put("f.pcap.part", capture.bytes, sizeof(zeroes));
	assert_int_equal(repair().verdict, REPAIR_FOREIGN);
	take("f.pcap.part", sizeof(zeroes));
}

/* In memory where that can be, since each file is synced. */
static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/fancap-repair-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "f.pcap.part", "f.pcap", "f-1.pcap", "f-2.pcap",
		"other" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++)
		(void)unlinkat(directory, names[i], 0);
	close(directory);
	return rmdir(path);
}

#define REPAIR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPAIR_TEST(a_file_cut_anywhere_keeps_each_whole_packet),
		REPAIR_TEST(what_stands_behind_is_cut),
		REPAIR_TEST(packets_behind_a_damaged_place_are_never_cut),
		REPAIR_TEST(no_name_is_taken_twice),
		REPAIR_TEST(what_somebody_holds_is_left_alone),
		REPAIR_TEST(a_look_changes_nothing),
		REPAIR_TEST(only_regular_files_are_touched),
		REPAIR_TEST(what_is_no_capture_is_left),
	};

	return RUN_TESTS(tests);
}
