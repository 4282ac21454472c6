/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which finished files output.on_close is still to be run for: over random lives of a catalog that
 * grows and is compacted, files that people remove, programs that fail, and ends at any moment,
 * each file is taken until it is done, and once it is in the record never again.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/clock.h"
#include "storage/catalog.h"
#include "storage/compaction.h"
#include "storage/cull.h"
#include "tool/closings.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIVES = 300, STEPS = 60, FILES_MOST = STEPS + 1 };

static char path[64];
static int directory = -1;
static struct closings closings;

static int remove_entry(const char *name, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status;
	(void)flag;
	(void)walk;
	return remove(name);
}

static int make_directory(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-closings-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	closings_begin(&closings, directory, "mine");
	return directory < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
	(void)state;
	closings_release(&closings);
	close(directory);
	return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- files and the catalog --------------------------------------------------------------- */

static struct file {
	char name[32];
	uint64_t inode;
	bool is_there, was_done;
} files[FILES_MOST];
static int file_count;

static void finish_file(const char *sensor)
{
	struct file *file = &files[file_count];
	struct catalog catalog = { .directory = directory };
	struct catalog_entry entry = {
		.sensor = sensor,
		.interface = "eth0",
		.first_ns = 100,
		.last_ns = 200,
		.packets = 1,
		.bytes = 10,
		.closed_ns = (uint64_t)file_count + 1,
		.cause = "rotated",
	};
	struct stat status;
	int fd;

	snprintf(file->name, sizeof(file->name), "%d.pcap", file_count);
	fd = openat(directory, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	close(fd);
	entry.file = file->name;
	entry.inode = file->inode = status.st_ino;
	file->is_there = true;
	file->was_done = false;
	assert_int_equal(catalog_append(&catalog, &entry), 0);
	catalog_release(&catalog);
	file_count++;
}

static void remove_one(void)
{
	struct file *file;

	if (file_count == 0)
		return;
	file = &files[rand() % file_count];
	(void)unlinkat(directory, file->name, 0);
	file->is_there = false;
}

static struct file *file_of(const struct closing *closing)
{
	int number = atoi(closing->mark.file);

	assert_in_range(number, 0, file_count - 1);
	assert_string_equal(files[number].name, closing->mark.file);
	return &files[number];
}

/* ---- lives ------------------------------------------------------------------------------- */

static void begin_life(void)
{
	closings_begin(&closings, directory, "mine");
	assert_int_equal(close_record_open(&closings.record), 0);
	assert_int_equal(closings_look(&closings), 0);
}

static void take_one(int seed)
{
	struct closing *closing = closings_take(&closings, UINT64_MAX);
	struct file *file;

	if (!closing)
		return;
	file = file_of(closing);
	if (file->was_done)
		fail_msg("seed %d: %s is run again", seed, file->name);
	if (rand() % 3 == 0) {
		(void)closings_again(&closings, closing, 0);
		return;
	}
	file->was_done = true;
	closings_finish(&closings, closing);
	assert_int_equal(closings_record(&closings), 0);
}

/* Over a line of the record that was just being written, now and then. */
static void end_life(void)
{
	int fd = openat(directory, "on-close/mine.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);

	closings_release(&closings);
	assert_true(fd >= 0);
	if (rand() % 2)
		assert_true(write(fd, "{\"file\":\"0.pca", 14) == 14);
	close(fd);
}

static void step(int seed)
{
	switch (rand() % 8) {
	case 0:
	case 1:
		finish_file("mine");
		break;
	case 2:
		remove_one();
		break;
	case 3:
		(void)compaction_run(directory);
		break;
	case 4:
		end_life();
		begin_life();
		break;
	case 5:
		assert_int_equal(close_record_trim(&closings.record), 0);
		break;
	default:
		assert_int_equal(closings_look(&closings), 0);
		take_one(seed);
	}
}

static void finish_all(int seed)
{
	assert_int_equal(closings_look(&closings), 0);
	for (int i = 0; closings.count > 0; i++) {
		assert_true(i < 100 * FILES_MOST);
		take_one(seed);
	}
	for (int i = 0; i < file_count; i++)
		if (files[i].is_there && !files[i].was_done)
			fail_msg("seed %d: %s was never done", seed, files[i].name);
}

static void each_file_is_done_once(void **state)
{
	for (int seed = 1; seed <= LIVES; seed++) {
		srand((unsigned int)seed);
		file_count = 0;
		finish_file("mine");
		begin_life();
		for (int i = 0; i < STEPS; i++)
			step(seed);
		finish_all(seed);
		assert_int_equal(remove_directory(state), 0);
		assert_int_equal(make_directory(state), 0);
	}
}

/* ---- one by one -------------------------------------------------------------------------- */

static void another_sensors_files_are_its_own(void **state)
{
	(void)state;
	file_count = 0;
	finish_file("other");
	finish_file("mine");
	begin_life();
	assert_int_equal(closings.count, 1);
	assert_string_equal(closings_take(&closings, 0)->mark.file, "1.pcap");
	assert_null(closings_take(&closings, 0));
}

/* What another process gets that would write it, too. */
static int open_elsewhere(const char *sensor)
{
	struct close_record record;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		close_record_begin(&record, directory, sensor);
		_exit(-close_record_open(&record));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void one_alone_writes(void **state)
{
	(void)state;
	file_count = 0;
	begin_life();
	assert_int_equal(open_elsewhere("mine"), EBUSY);
	assert_int_equal(open_elsewhere("other"), 0);
	closings_release(&closings);
	assert_int_equal(open_elsewhere("mine"), 0);
}

/* 1 s, doubling, 10 min at most; the earliest first, and new ones in turns with them. */
static void what_fails_waits_longer_each_time(void **state)
{
	static const uint64_t seconds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600 };
	struct closing *first, *second;

	(void)state;
	file_count = 0;
	finish_file("mine");
	finish_file("mine");
	begin_life();
	first = closings_take(&closings, 0);
	second = closings_take(&closings, 0);
	for (size_t i = 0; i < COUNT_OF(seconds); i++) {
		assert_int_equal(closings_again(&closings, first, 5), seconds[i] * NSEC_PER_SEC);
		assert_int_equal(closings_due(&closings), 5 + seconds[i] * NSEC_PER_SEC);
		assert_null(closings_take(&closings, 4 + seconds[i] * NSEC_PER_SEC));
		assert_ptr_equal(closings_take(&closings, 5 + seconds[i] * NSEC_PER_SEC), first);
	}
	(void)closings_again(&closings, first, 5);
	(void)closings_again(&closings, second, 5);
	assert_int_equal(closings_due(&closings), 5 + NSEC_PER_SEC);
	finish_file("mine");
	finish_file("mine");
	assert_int_equal(closings_look(&closings), 0);
	assert_string_equal(closings_take(&closings, UINT64_MAX)->mark.file, "2.pcap");
	assert_ptr_equal(closings_take(&closings, UINT64_MAX), second);
	assert_string_equal(closings_take(&closings, UINT64_MAX)->mark.file, "3.pcap");
	assert_ptr_equal(closings_take(&closings, UINT64_MAX), first);
}

/* A reader sees what is added, also in one that was rewritten or made anew. */
static void who_reads_it_follows(void **state)
{
	struct close_record reader;
	struct closing *closing;
	struct stat before, after;

	(void)state;
	file_count = 0;
	close_record_begin(&reader, directory, "mine");
	assert_int_equal(close_record_follow(&reader), 0);
	for (int i = 0; i < 3; i++)
		finish_file("mine");
	begin_life();
	for (int i = 0; i < 3; i++) {
		struct close_mark mark = { files[i].name, files[i].inode, (uint64_t)i + 1 };

		assert_int_equal(close_record_follow(&reader), 0);
		assert_false(close_record_has(&reader, &mark));
		closing = closings_take(&closings, 0);
		closings_finish(&closings, closing);
		assert_int_equal(closings_record(&closings), 0);
		assert_int_equal(close_record_follow(&reader), 0);
		assert_true(close_record_has(&reader, &mark));
		mark.closed_ns++;
		assert_false(close_record_has(&reader, &mark));
	}
	(void)unlinkat(directory, "0.pcap", 0);
	assert_int_equal(compaction_run(directory), 0);
	assert_int_equal(fstatat(directory, "on-close/mine.jsonl", &before, 0), 0);
	assert_int_equal(close_record_trim(&closings.record), 0);
	assert_int_equal(fstatat(directory, "on-close/mine.jsonl", &after, 0), 0);
	assert_true(after.st_size < before.st_size);
	assert_int_equal(close_record_follow(&reader), 0);
	assert_int_equal(reader.lines, 2);
	closings_release(&closings);
	assert_int_equal(unlinkat(directory, "on-close/mine.jsonl", 0), 0);
	assert_int_equal(close_record_follow(&reader), 0);
	assert_false(
	    close_record_has(&reader, &(struct close_mark) { files[1].name, files[1].inode, 2 }));
	close_record_release(&reader);
}

static void what_is_no_line_of_it_marks_nothing(void **state)
{
	static const char *const texts[] = { "\n", "{}\n", "[1]\n",
		"{\"file\":\"0.pcap\",\"inode\":-1,\"closed\":\"1970-01-01T00:00:01Z\"}\n",
		"{\"file\":\"0.pcap\",\"inode\":1,\"closed\":\"yesterday\"}\n" };
	char *longest = malloc(20000);
	int fd;

	(void)state;
	file_count = 0;
	finish_file("mine");
	assert_int_equal(mkdirat(directory, "on-close", 0750), 0);
	fd = openat(directory, "on-close/mine.jsonl", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		assert_true(write(fd, texts[i], strlen(texts[i])) > 0);
	memset(longest, 'x', 20000);
	longest[19999] = '\n';
	assert_int_equal(write(fd, longest, 20000), 20000);
	close(fd);
	free(longest);
	begin_life();
	assert_int_equal(closings.count, 1);
	closings_finish(&closings, closings_take(&closings, 0));
	assert_int_equal(closings_record(&closings), 0);
	closings_release(&closings);
	begin_life();
	assert_int_equal(closings.count, 0);
}

static void many_lines_of_files_that_are_no_more_go(void **state)
{
	struct close_mark mark = { "gone.pcap", 4711, 0 };

	(void)state;
	file_count = 0;
	finish_file("mine");
	begin_life();
	closings_finish(&closings, closings_take(&closings, 0));
	assert_int_equal(closings_record(&closings), 0);
	for (; mark.closed_ns < 2000; mark.closed_ns++)
		assert_int_equal(close_record_add(&closings.record, &mark), 0);
	closings_release(&closings);
	begin_life();
	assert_int_equal(closings.record.lines, 1);
	assert_int_equal(closings.count, 0);
}

/* ---- retention --------------------------------------------------------------------------- */

static void what_is_not_done_stays(void **state)
{
	struct cull_outcome outcome;
	struct cull cull;

	(void)state;
	file_count = 0;
	for (int i = 0; i < 6; i++)
		finish_file("mine");
	cull_begin(&cull, directory, "mine");
	cull.retain.files = 1;
	cull.retain.after_close = true;
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull_step(&cull, &outcome), 0);
	assert_int_equal(outcome.waiting, 6);
	begin_life();
	for (int i = 0; i < 3; i++)
		closings_finish(&closings, closings_take(&closings, 0));
	assert_int_equal(closings_record(&closings), 0);
	assert_int_equal(cull_look(&cull), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cull_step(&cull, &outcome), 1);
		assert_string_equal(outcome.file->file, files[i].name);
	}
	assert_int_equal(cull_step(&cull, &outcome), 0);
	assert_int_equal(outcome.waiting, 3);
	assert_int_equal(outcome.bound, RETENTION_FILES);
	/* Read anew, it is the same. */
	assert_int_equal(compaction_run(directory), 0);
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull_step(&cull, &outcome), 0);
	cull.retain.after_close = false;
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, "3.pcap");
	cull_end(&cull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    each_file_is_done_once, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    another_sensors_files_are_its_own, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(one_alone_writes, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_fails_waits_longer_each_time, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    who_reads_it_follows, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_is_no_line_of_it_marks_nothing, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    many_lines_of_files_that_are_no_more_go, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_is_not_done_stays, make_directory, remove_directory),
	};

	return RUN_TESTS(tests);
}
