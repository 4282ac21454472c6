/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A catalog is compacted: no line of what is there is lost, whoever else is at it. */
#include "support/cmocka.h"
#include "support/finished_files.h"

#include "build.h"
#include "storage/catalog_reader.h"
#include "storage/compaction.h"
#include "storage/cull.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t count_lines(void)
{
	struct catalog_reader reader;
	struct catalog_line line;
	uint64_t count = 0;

	assert_int_equal(catalog_reader_open(&reader, directory, 0), 0);
	while (catalog_reader_next(&reader, &line) > 0)
		count++;
	count += reader.bad;
	catalog_reader_close(&reader);
	return count;
}

/* Others' lines, and what is no line of ours, are nobody's to throw away. */
static void a_catalog_is_compacted_and_followed(void **state)
{
	struct cull cull;
	struct cull_outcome outcome;
	int fd;

	(void)state;
	make_numbered(0, 10);
	fd = openat(directory, "catalog.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "a note\n", 7), 7);
	close(fd);
	cull_begin(&cull, directory, "mine");
	cull.retain.files = 4;
	assert_int_equal(cull_look(&cull), 0);
	while (cull_step(&cull, &outcome) > 0)
		assert_true(outcome.was_removed);
	assert_int_equal(count_lines(), 11);
	/* Somebody else does it just now. */
	fd = openat(directory, "catalog.jsonl.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(compaction_run(directory), -EAGAIN);
	assert_true(inode_of(directory, "catalog.jsonl.new") > 0);
	close(fd);
	assert_int_equal(compaction_run(directory), 0);
	assert_int_equal(count_lines(), 5);
	enter("10.pcap", make_file(directory, "10.pcap"), "mine", 1100);
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull.stock.there, 5);
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, "6.pcap");
	assert_int_equal(cull_step(&cull, &outcome), 0);
	cull_end(&cull);
}

/* As a worker does that writes a line. */
static void a_catalog_in_use_is_compacted_between_two_lines(void **state)
{
	const struct timespec line = { .tv_nsec = 20000000 };
	pid_t child;
	int fd, status;

	(void)state;
	enter("0.pcap", 1, "mine", 100);
	fd = openat(directory, "catalog.jsonl", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)nanosleep(&line, NULL);
		_exit(0);
	}
	/* The child's from here on. */
	close(fd);
	assert_int_equal(compaction_run(directory), 0);
	assert_int_equal(count_lines(), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_catalog_is_compacted_and_followed, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(a_catalog_in_use_is_compacted_between_two_lines,
		    make_directory, remove_directory),
	};

	return RUN_TESTS(tests);
}
