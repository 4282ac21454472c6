/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ledgers of other versions.  tests/unit/ledger-N is one of layout N as it was released; a layout
 * that comes after it is made up here, with more in every record.
 */
#include "support/cmocka.h"

#include "ledger/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAMPLE_MOST = 1 << 18, MORE = 192, WORKERS = 2, FIRST_VERSION = 2 };

static char path[64];
static int directory = -1;
static uint8_t sample[SAMPLE_MOST], other[SAMPLE_MOST];
static size_t sample_size;

static int read_sample(uint32_t version)
{
	const char *source = getenv("srcdir");
	char name[512];
	FILE *file;

	snprintf(
	    name, sizeof(name), "%s/tests/unit/ledger-%" PRIu32, source ? source : ".", version);
	file = fopen(name, "re");
	if (!file)
		return -1;
	sample_size = fread(sample, 1, sizeof(sample), file);
	fclose(file);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-salvage-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : read_sample(FIRST_VERSION);
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(directory, "ledger", 0);
	close(directory);
	return rmdir(path);
}

static void put(const uint8_t *bytes, size_t size)
{
	int fd = openat(directory, "ledger", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void put_version(const uint8_t *bytes, size_t size, uint32_t version)
{
	memcpy(other, bytes, size);
	((struct ledger_header *)other)->version = version;
	put(other, size);
}

/* What the sample says, as whoever made it put it there. */
static void check_worker(const struct ledger *ledger, uint32_t index)
{
	const struct ledger_worker *worker = ledger_worker(ledger, index);
	const struct ledger_segment *segment;
	struct ledger_commit commit;
	char name[64];

	snprintf(name, sizeof(name), "stage.eth1.%u", index);
	assert_string_equal(worker->stage.file, name);
	assert_string_equal(worker->stage.interface, "eth1");
	assert_int_equal(worker->stage.size, 4 << 20);
	assert_int_equal(worker->stage.worker, index);
	assert_false(ledger_commit_is_damaged(worker));
	assert_int_equal(ledger_commit_read(worker, &commit), 0);
	assert_int_equal(commit.flushed, (index + 1) << 20);
	assert_int_equal(commit.filled, commit.flushed + 7000);
	assert_int_equal(commit.whole, commit.flushed - 300);
	assert_int_equal(commit.mark_count, 1);
	assert_int_equal(commit.marks[0].end, commit.filled);
	segment = index ? &commit.closing : &commit.open;
	snprintf(name, sizeof(name), "2023-11-14/dmz-eth1-%u-20231114T221320Z%s.pcap", index,
	    index ? "-1" : "");
	assert_string_equal(segment->name, name);
	assert_int_equal((index ? &commit.open : &commit.closing)->name[0], 0);
	assert_int_equal(segment->number, index);
	assert_int_equal(segment->final_number, 2 * index);
	assert_int_equal(segment->inode, 123456789 + index);
	assert_int_equal(segment->start, 8192);
	assert_int_equal(segment->end, index ? commit.filled : 0);
	assert_int_equal(segment->packets, 2000);
	assert_int_equal(segment->first_ns, 1700000000000000001);
	assert_int_equal(segment->last_ns, 1700000009000000002);
}

static void check(void)
{
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_salvage(&ledger, directory), 0);
	assert_int_equal(ledger_header(ledger)->version, LEDGER_VERSION);
	assert_string_equal(ledger_header(ledger)->sensor, "dmz");
	assert_string_equal(ledger_header(ledger)->output, "/var/lib/fancap/dmz");
	assert_int_equal(ledger_header(ledger)->worker_count, WORKERS);
	for (uint32_t i = 0; i < WORKERS; i++)
		check_worker(ledger, i);
	ledger_close(ledger);
}

static void each_released_layout_is_read(void **state)
{
	(void)state;
	for (uint32_t version = FIRST_VERSION; version <= LEDGER_VERSION; version++) {
		assert_int_equal(read_sample(version), 0);
		assert_int_equal(((const struct ledger_header *)sample)->version, version);
		put(sample, sample_size);
		check();
	}
	put_version(sample, sample_size, LEDGER_VERSION + 1);
	check();
	/* It is of this version now, and can be read again. */
	check();
}

/* As a later version may have it: more behind what is fixed, and so every place another. */
static size_t grow(uint8_t *to)
{
	const struct ledger_header *old = (const struct ledger_header *)sample;
	struct ledger_header header = *old;
	size_t used = header.copy_size - offsetof(struct ledger_copy, commit) - 64;

	header.version = 77;
	header.workers_at += MORE;
	header.worker_size += (uint32_t)4 * MORE;
	header.copies_at += MORE;
	header.copy_size += MORE;
	header.size = header.workers_at + header.worker_count * (uint64_t)header.worker_size;
	memset(to, 0xee, header.size);
	memcpy(to, &header, sizeof(header));
	for (uint32_t i = 0; i < WORKERS; i++) {
		const uint8_t *from = sample + old->workers_at + i * (size_t)old->worker_size;
		uint8_t *at = to + header.workers_at + i * (size_t)header.worker_size;

		memcpy(at, from, sizeof(struct ledger_stage));
		for (size_t k = 0; k < 2; k++) {
			struct ledger_copy *copy =
			    (struct ledger_copy *)(at + header.copies_at + k * header.copy_size);

			memcpy(copy, from + old->copies_at + k * old->copy_size, old->copy_size);
			copy->length = used;
			copy->sum =
			    ledger_commit_sum(atomic_load(&copy->sequence), &copy->commit, used);
		}
	}
	return header.size;
}

static void a_layout_that_has_grown_is_read(void **state)
{
	(void)state;
	put(other, grow(other));
	check();
}

static void a_cut_one_is_refused(void **state)
{
	size_t size = grow(other);
	struct ledger *ledger = NULL;

	(void)state;
	for (size_t cut = 0; cut < size; cut += 509) {
		put(other, cut);
		assert_int_equal(ledger_salvage(&ledger, directory), -EBADMSG);
	}
	for (size_t cut = 0; cut < sample_size; cut += 509) {
		put(sample, cut);
		assert_int_equal(ledger_salvage(&ledger, directory), -EBADMSG);
	}
	assert_null(ledger);
}

static void one_with_a_flipped_bit_in_a_commit_is_refused(void **state)
{
	size_t size = grow(other), from, to;
	const struct ledger_header *header = (const struct ledger_header *)other;
	struct ledger *ledger = NULL;

	(void)state;
	from = header->workers_at + header->copies_at + sizeof(uint64_t);
	to = header->workers_at + header->copies_at + 1500;
	for (size_t bit = from * 8; bit < to * 8; bit += 11) {
		other[bit / 8] ^= (uint8_t)(1U << bit % 8);
		put(other, size);
		assert_int_equal(ledger_salvage(&ledger, directory), -EBADMSG);
		other[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_null(ledger);
}

static void what_others_may_write_to_is_not_trusted(void **state)
{
	struct ledger *ledger = NULL;

	(void)state;
	assert_int_equal(ledger_salvage(&ledger, directory), -ENOENT);
	put(sample, sample_size);
	assert_int_equal(fchmodat(directory, "ledger", 0666, 0), 0);
	assert_int_equal(ledger_salvage(&ledger, directory), -EPERM);
	assert_int_equal(unlinkat(directory, "ledger", 0), 0);
	assert_int_equal(symlinkat("/proc/version", directory, "ledger"), 0);
	assert_int_equal(ledger_salvage(&ledger, directory), -EBADMSG);
	assert_null(ledger);
}

#define SALVAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SALVAGE_TEST(each_released_layout_is_read),
		SALVAGE_TEST(a_layout_that_has_grown_is_read),
		SALVAGE_TEST(a_cut_one_is_refused),
		SALVAGE_TEST(one_with_a_flipped_bit_in_a_commit_is_refused),
		SALVAGE_TEST(what_others_may_write_to_is_not_trusted),
	};

	return RUN_TESTS(tests);
}
