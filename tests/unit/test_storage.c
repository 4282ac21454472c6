/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the storage that stand alone: rotation, pcap bytes, the books, the stage. */
#include "support/cmocka.h"

#include "ledger/ledger.h"
#include "storage/append.h"
#include "storage/books.h"
#include "storage/name.h"
#include "storage/rotation.h"
#include "storage/segment.h"
#include "storage/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t second = 1000000000;

/* ---- rotation ---------------------------------------------------------------------------- */

static void a_file_rotates_before_it_passes_a_bound(void **state)
{
	const struct rotate_config size = { .size = 1000 }, packets = { .packets = 10 };
	const struct rotation_file file = { .bytes = 900, .packets = 9 }, empty = { .bytes = 24 };

	(void)state;
	assert_false(rotation_is_full(&size, &file, 100, 5));
	assert_true(rotation_is_full(&size, &file, 101, 5));
	assert_false(rotation_is_full(&packets, &file, 5000, 1));
	assert_true(rotation_is_full(&packets, &file, 1, 2));
	/* A block that is larger than a file may be has one for itself. */
	assert_false(rotation_is_full(&size, &empty, 5000, 5));
}

static void intervals_are_multiples_of_the_epoch(void **state)
{
	const struct rotate_config config = { .interval = 300 * second }, never = { 0 };
	struct rotation_file file = { .packets = 1, .begun_ns = 1000 * second };

	(void)state;
	assert_int_equal(rotation_deadline(&config, 1000 * second), 1200 * second);
	assert_int_equal(rotation_deadline(&config, 1200 * second), 1500 * second);
	assert_int_equal(rotation_deadline(&never, 1000 * second), UINT64_MAX);
	assert_false(rotation_is_old(&config, &file, 1200 * second - 1));
	assert_true(rotation_is_old(&config, &file, 1200 * second));
	/* A clock that was set back, beyond the interval. */
	assert_false(rotation_is_old(&config, &file, 900 * second));
	assert_true(rotation_is_old(&config, &file, 899 * second));
	file.packets = 0;
	assert_false(rotation_is_old(&config, &file, 5000 * second));
}

/* ---- pcap bytes -------------------------------------------------------------------------- */

static void put(struct append *append, uint8_t *room, const struct packet *packet)
{
	memset(room, 0xee, 256);
	append->at = room;
	append->size = 0;
	append_packet(append, packet);
	assert_int_equal(room[append->size], 0xee);
}

static void headers_are_as_the_draft_has_them(void **state)
{
	uint32_t words[PCAP_HEADER_SIZE / 4];

	(void)state;
	pcap_header((uint8_t *)words, 113, 262144, RESOLUTION_NS);
	assert_int_equal(words[0], 0xa1b23c4d);
	assert_int_equal(words[1], 2 | 4 << 16);
	assert_int_equal(words[2] | words[3], 0);
	assert_int_equal(words[4], 262144);
	assert_int_equal(words[5], 113);
	pcap_header((uint8_t *)words, 1, 96, RESOLUTION_US);
	assert_int_equal(words[0], 0xa1b2c3d4);
}

static void a_tag_goes_back_where_it_was(void **state)
{
	static const uint8_t bytes[] = "DDDDDDSSSSSS\x08\x00payload";
	static const uint8_t tagged[] = "DDDDDDSSSSSS\x88\xa8\xf0\x05\x08\x00payload";
	const struct packet packet = { .time_ns = 5 * second + 6789,
		.bytes = bytes,
		.captured_length = sizeof(bytes) - 1,
		.wire_length = 100,
		.vlan_tci = 0xf005,
		.vlan_tpid = 0x88a8,
		.flags = PACKET_HAS_TAG };
	struct pcap_record record;
	uint8_t room[256];

	(void)state;
	/* Cut before, within and behind the tag, and not at all. */
	for (uint32_t snaplen = 1; snaplen < 40; snaplen++) {
		struct append append = {
			.snaplen = snaplen, .cut_at = snaplen, .first_ns = UINT64_MAX
		};
		uint32_t length = snaplen < sizeof(tagged) - 1 ? snaplen : sizeof(tagged) - 1;

		put(&append, room, &packet);
		memcpy(&record, room, sizeof(record));
		assert_int_equal(record.seconds, 5);
		assert_int_equal(record.fraction, 6789);
		assert_int_equal(record.captured_length, length);
		assert_int_equal(record.wire_length, 104);
		assert_memory_equal(room + PCAP_RECORD_SIZE, tagged, length);
		assert_int_equal(append.size, PCAP_RECORD_SIZE + length);
	}
}

static void microseconds_are_cut_down(void **state)
{
	const struct packet packet = { .time_ns = second - 1,
		.bytes = (const uint8_t *)"x",
		.captured_length = 1,
		.wire_length = 1 };
	struct append append = {
		.snaplen = 100, .cut_at = 100, .microseconds = true, .first_ns = UINT64_MAX
	};
	struct pcap_record record;
	uint8_t room[256];

	(void)state;
	put(&append, room, &packet);
	memcpy(&record, room, sizeof(record));
	assert_int_equal(record.seconds, 0);
	assert_int_equal(record.fraction, 999999);
}

static void a_cut_packet_is_counted_by_what_cut_it(void **state)
{
	static const uint8_t bytes[200];
	struct packet packet = { .bytes = bytes, .captured_length = 100, .wire_length = 100 };
	struct append append = { .snaplen = 100, .cut_at = 100, .first_ns = UINT64_MAX };
	uint8_t room[256];

	(void)state;
	put(&append, room, &packet);
	assert_int_equal(append.truncated_snaplen + append.truncated_block, 0);
	packet.wire_length = 101; /* cut by the snaplen in the kernel */
	put(&append, room, &packet);
	assert_int_equal(append.truncated_snaplen, 1);
	packet.captured_length = 99; /* no snaplen cuts there: the block's end did */
	put(&append, room, &packet);
	assert_int_equal(append.truncated_snaplen, 1);
	assert_int_equal(append.truncated_block, 1);
}

static void what_the_kernel_says_is_counted(void **state)
{
	static const struct {
		uint32_t flag;
		enum counter counter;
	} cases[] = {
		{ 0, COUNTER_COUNT_ },
		{ PACKET_LOSING, COUNTER_LOSING },
		{ PACKET_CHECKSUM_PENDING, COUNTER_CHECKSUM_PENDING },
		{ PACKET_CHECKSUM_VALID, COUNTER_CHECKSUM_VALID },
		{ PACKET_GSO, COUNTER_GSO },
		{ PACKET_STAMPED_SOFTWARE, COUNTER_STAMPED_SOFTWARE },
		{ PACKET_STAMPED_HARDWARE, COUNTER_STAMPED_HARDWARE },
		{ 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6, COUNTER_COUNT_ },
	};
	uint8_t room[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct packet packet = {
			.bytes = room, .wire_length = 1518, .flags = cases[i].flag
		};
		struct append append = {
			.snaplen = 100, .cut_at = 100, .longest = 1518, .first_ns = UINT64_MAX
		};

		put(&append, room, &packet);
		for (int k = 0; k < COUNTER_SAID_COUNT; k++)
			assert_int_equal(append.said[k], COUNTER_SAID + k == (int)cases[i].counter);
	}
}

static void a_frame_longer_than_the_link_takes_is_several(void **state)
{
	const struct packet packet = { .bytes = (const uint8_t *)"", .wire_length = 1519 };
	struct append append = {
		.snaplen = 100, .cut_at = 100, .longest = 1518, .first_ns = UINT64_MAX
	};
	uint8_t room[256];

	(void)state;
	put(&append, room, &packet);
	assert_int_equal(append.said[COUNTER_GSO - COUNTER_SAID], 1);
}

/* Whole as the kernel gave it, and too long with its tag. */
static void a_packet_cut_by_its_tag_is_counted(void **state)
{
	static const uint8_t bytes[200];
	struct packet packet = {
		.bytes = bytes, .captured_length = 96, .wire_length = 96, .flags = PACKET_HAS_TAG
	};
	struct append append = { .snaplen = 100, .cut_at = 100, .first_ns = UINT64_MAX };
	uint8_t room[256];

	(void)state;
	put(&append, room, &packet);
	assert_int_equal(append.truncated_snaplen, 0);
	for (uint32_t length = 97; length <= 100; length++) {
		packet.captured_length = packet.wire_length = length;
		put(&append, room, &packet);
	}
	assert_int_equal(append.truncated_snaplen, 4);
	assert_int_equal(append.truncated_block, 0);
}

/* ---- the books --------------------------------------------------------------------------- */

static void packets_are_written_once_all_their_bytes_are(void **state)
{
	struct ledger_commit books = { 0 };
	const uint64_t *value = books.counters.value;

	(void)state;
	books_begin(&books, 4096);
	for (uint64_t i = 1; i <= 4; i++)
		books_stage(
		    &books, &(struct ledger_mark) { 4096 + i * 3000, 10, 1000, 1, 2 }, 65536);
	assert_int_equal(value[COUNTER_STAGED], 40);
	books_flush(&books, 8192); /* the first is whole, of the second a part */
	assert_int_equal(value[COUNTER_STAGED], 30);
	assert_int_equal(value[COUNTER_WRITTEN], 10);
	assert_int_equal(value[COUNTER_WRITTEN_BYTES], 1000);
	assert_int_equal(value[COUNTER_TRUNCATED_SNAPLEN], 1);
	assert_int_equal(value[COUNTER_TRUNCATED_BLOCK], 2);
	assert_int_equal(books.whole, 7096);
	assert_int_equal(books_refuse(&books), 30);
	assert_int_equal(value[COUNTER_STAGED], 0);
	assert_int_equal(value[COUNTER_DISCARDED], 30);
	assert_int_equal(value[COUNTER_DISCARDED_BYTES], 3000);
	assert_int_equal(books_refuse(&books), 0);
}

static void there_are_never_more_marks_than_room(void **state)
{
	struct ledger_commit books = { 0 };
	uint64_t end = 0;

	(void)state;
	books_begin(&books, 0);
	for (unsigned int i = 0; i < 1000; i++) {
		end += 60;
		books_stage(&books, &(struct ledger_mark) { end, 1, 44, 0, 0 }, 65536);
		assert_true(books.mark_count <= LEDGER_MARKS);
		assert_int_equal(books.marks[books.mark_count - 1].end, end);
	}
	assert_int_equal(books.counters.value[COUNTER_STAGED], 1000);
	books_flush(&books, end);
	assert_int_equal(books.counters.value[COUNTER_WRITTEN], 1000);
	assert_int_equal(books.mark_count, 0);
	assert_int_equal(books.whole, end);
}

/* ---- the stage --------------------------------------------------------------------------- */

static void a_stage_never_wraps(void **state)
{
	struct stage *stage = NULL;
	int fd = memfd_create("stage", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_int_equal(stage_open(&stage, fd, 1000), -EINVAL);
	assert_int_equal(stage_open(&stage, fd, 65536), 0);
	memcpy(stage_at(stage, 3 * 65536 - 2), "abcd", 4);
	assert_memory_equal(stage_at(stage, 0), "cd", 2);
	assert_memory_equal(stage_at(stage, 65534), "abcd", 4);
	stage_close(stage);
	close(fd);
}

/* ---- files ------------------------------------------------------------------------------- */

static char path[64];
static int directory = -1;
/* What the file system refuses; 0: nothing. */
static int rename_error, lock_error;

static int make_directory(void **state)
{
	(void)state;
	rename_error = lock_error = 0;
	strcpy(path, "/tmp/fancap-storage-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	close(directory);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

static unsigned int syncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	syncs++;
	return __real_fsync(fd);
}

static bool is_there(const char *name)
{
	return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int __real_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned int flags);
int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned int flags);
int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned int flags)
{
	errno = rename_error;
	return errno ? -1 : __real_renameat2(from_at, from, to_at, to, flags);
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
	errno = lock_error;
	return errno ? -1 : __real_flock(fd, operation);
}

static void a_file_gets_its_name_once_it_is_whole(void **state)
{
	struct segment *segment = NULL;
	struct stat status;

	(void)state;
	umask(0);
	assert_int_equal(segment_create(&segment, directory, "a/b/c.pcap"), 0);
	assert_true(is_there("a/b/c.pcap.part"));
	syncs = 0;
	assert_int_equal(segment_publish(segment, "a/b/c.pcap", SYNC_CLOSE), 0);
	assert_int_equal(syncs, 4); /* its bytes, and its name: a/b, a, and where that is */
	assert_false(is_there("a/b/c.pcap.part"));
	assert_int_equal(fstatat(directory, "a/b/c.pcap", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(status.st_ino, segment_inode(segment));
	assert_int_equal(fstatat(directory, "a/b", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0750);
	segment_close(segment);
}

static void nothing_is_overwritten(void **state)
{
	struct segment *segment = NULL, *other = NULL;

	(void)state;
	assert_int_equal(segment_create(&segment, directory, "c.pcap"), 0);
	assert_int_equal(segment_create(&other, directory, "c.pcap"), -EEXIST);
	close(openat(directory, "c.pcap", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(segment_publish(segment, "c.pcap", SYNC_NONE), -EEXIST);
	assert_true(is_there("c.pcap.part"));
	assert_int_equal(segment_publish(segment, "c-1.pcap", SYNC_NONE), 0);
	assert_int_equal(segment_create(&other, directory, "c.pcap"), -EEXIST);
	segment_close(segment);
}

/* NFS and others know no rename that overwrites nothing. */
static void a_file_gets_its_name_where_renames_take_no_flags(void **state)
{
	struct segment *segment = NULL;
	struct stat status;

	(void)state;
	assert_int_equal(segment_create(&segment, directory, "h.pcap"), 0);
	close(openat(directory, "h.pcap", O_CREAT | O_WRONLY, 0600));
	rename_error = EINVAL;
	assert_int_equal(segment_publish(segment, "h.pcap", SYNC_NONE), -EEXIST);
	assert_true(is_there("h.pcap.part"));
	/* As a life leaves it that is killed between its two steps. */
	assert_int_equal(linkat(directory, "h.pcap.part", directory, "h-1.pcap", 0), 0);
	assert_int_equal(segment_publish(segment, "h-1.pcap", SYNC_NONE), 0);
	rename_error = 0;
	assert_true(segment_is_published(segment));
	assert_false(is_there("h.pcap.part"));
	assert_int_equal(fstatat(directory, "h-1.pcap", &status, 0), 0);
	assert_int_equal(status.st_ino, segment_inode(segment));
	assert_int_equal(status.st_nlink, 1);
	segment_close(segment);
}

static void a_file_that_cannot_be_held_is_not_left(void **state)
{
	struct segment *segment = NULL;

	(void)state;
	lock_error = ENOLCK;
	assert_int_equal(segment_create(&segment, directory, "i.pcap"), -ENOLCK);
	assert_false(is_there("i.pcap.part"));
	/* Another's, by now. */
	lock_error = EWOULDBLOCK;
	assert_int_equal(segment_create(&segment, directory, "i.pcap"), -EEXIST);
	lock_error = 0;
	assert_true(is_there("i.pcap.part"));
}

static void no_link_is_followed(void **state)
{
	struct segment *segment = NULL;

	(void)state;
	assert_int_equal(symlinkat("/dev/null", directory, "d.pcap.part"), 0);
	assert_int_equal(segment_create(&segment, directory, "d.pcap"), -EEXIST);
	assert_int_equal(symlinkat("/nowhere", directory, "e.pcap"), 0);
	assert_int_equal(segment_create(&segment, directory, "e.pcap"), -EEXIST);
}

static void an_earlier_life_is_found_by_its_inode(void **state)
{
	struct segment *segment = NULL, *found = NULL;
	uint64_t inode;

	(void)state;
	assert_int_equal(segment_create(&segment, directory, "f.pcap"), 0);
	inode = segment_inode(segment);
	segment_close(segment);
	assert_int_equal(segment_open(&found, directory, "f.pcap", "f.pcap", inode + 1), -ENOENT);
	assert_int_equal(segment_open(&found, directory, "f.pcap", "f.pcap", inode), 0);
	assert_false(segment_is_published(found));
	assert_int_equal(segment_publish(found, "f-3.pcap", SYNC_NONE), 0);
	segment_close(found);
	assert_int_equal(segment_open(&found, directory, "f.pcap", "f.pcap", inode), -ENOENT);
	assert_int_equal(segment_open(&found, directory, "f.pcap", "f-3.pcap", inode), 0);
	assert_true(segment_is_published(found));
	assert_int_equal(segment_remove(found), 0);
	assert_false(is_there("f-3.pcap"));
	segment_close(found);
}

static void only_an_empty_file_that_nobody_holds_is_an_orphan(void **state)
{
	struct segment *segment = NULL;

	(void)state;
	assert_int_equal(segment_create(&segment, directory, "g.pcap"), 0);
	segment_remove_orphan(directory, "g.pcap"); /* held */
	assert_true(is_there("g.pcap.part"));
	assert_int_equal(segment_cut(segment, 24), 0);
	segment_close(segment);
	segment_remove_orphan(directory, "g.pcap"); /* not empty */
	assert_true(is_there("g.pcap.part"));
	assert_int_equal(unlinkat(directory, "g.pcap.part", 0), 0);
	close(openat(directory, "g.pcap.part", O_CREAT | O_WRONLY, 0600));
	segment_remove_orphan(directory, "g.pcap");
	assert_false(is_there("g.pcap.part"));
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_rotates_before_it_passes_a_bound),
		cmocka_unit_test(intervals_are_multiples_of_the_epoch),
		cmocka_unit_test(headers_are_as_the_draft_has_them),
		cmocka_unit_test(a_tag_goes_back_where_it_was),
		cmocka_unit_test(microseconds_are_cut_down),
		cmocka_unit_test(a_cut_packet_is_counted_by_what_cut_it),
		cmocka_unit_test(a_packet_cut_by_its_tag_is_counted),
		cmocka_unit_test(what_the_kernel_says_is_counted),
		cmocka_unit_test(a_frame_longer_than_the_link_takes_is_several),
		cmocka_unit_test(packets_are_written_once_all_their_bytes_are),
		cmocka_unit_test(there_are_never_more_marks_than_room),
		cmocka_unit_test(a_stage_never_wraps),
		FILE_TEST(a_file_gets_its_name_once_it_is_whole),
		FILE_TEST(nothing_is_overwritten),
		FILE_TEST(a_file_gets_its_name_where_renames_take_no_flags),
		FILE_TEST(a_file_that_cannot_be_held_is_not_left),
		FILE_TEST(no_link_is_followed),
		FILE_TEST(an_earlier_life_is_found_by_its_inode),
		FILE_TEST(only_an_empty_file_that_nobody_holds_is_an_orphan),
	};

	return RUN_TESTS(tests);
}
