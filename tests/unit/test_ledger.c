/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "ledger/finished.h"
#include "support/ledger_seeds.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];
static int directory = -1;
static struct ledger_worker *worker; /* shared with who is forked */

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-ledger-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	worker =
	    mmap(NULL, sizeof(*worker), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return directory < 0 || worker == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(worker, sizeof(*worker));
	(void)unlinkat(directory, "ledger", 0);
	close(directory);
	return rmdir(path);
}

static void whole_ledgers_open_and_damaged_ones_do_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ledger_seed_count; i++) {
		const struct ledger_seed *seed = &ledger_seeds[i];
		struct ledger *ledger = NULL;
		int r;

		assert_int_equal(ledger_seed_make(seed, directory), 0);
		r = ledger_open(&ledger, directory);
		if (r != (seed->is_whole ? 0 : -EBADMSG))
			print_error("%s\n", seed->name);
		assert_int_equal(r, seed->is_whole ? 0 : -EBADMSG);
		ledger_close(ledger);
	}
}

static void what_is_no_ledger_is_refused(void **state)
{
	struct ledger *ledger = NULL;

	(void)state;
	assert_int_equal(ledger_open(&ledger, directory), -ENOENT);
	assert_int_equal(mkfifoat(directory, "ledger", 0600), 0);
	assert_int_equal(ledger_open(&ledger, directory), -EBADMSG);
	assert_int_equal(unlinkat(directory, "ledger", 0), 0);
	assert_int_equal(symlinkat("/proc/version", directory, "ledger"), 0);
	assert_int_equal(ledger_open(&ledger, directory), -ELOOP);
	assert_null(ledger);
}

static void a_ledger_is_for_its_group(void **state)
{
	struct stat status;

	(void)state;
	umask(0);
	assert_int_equal(ledger_seed_make(&ledger_seeds[0], directory), 0);
	assert_int_equal(fstatat(directory, "ledger", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	/* Its space is taken: a full disk shows when it is made. */
	assert_true(status.st_blocks * 512 >= status.st_size);
}

static void the_newest_whole_commit_is_read(void **state)
{
	struct ledger_commit commit = { .block_number = 1 }, read;

	(void)state;
	assert_int_equal(ledger_commit_read(worker, &read), -ENODATA);
	for (uint64_t number = 1; number <= 5; number++) {
		commit.block_number = number;
		ledger_commit_write(worker, &commit);
		assert_int_equal(ledger_commit_read(worker, &read), 0);
		assert_int_equal(read.block_number, number);
	}
	/* Killed within the next: the copy under way is worth nothing, the other is whole. */
	for (int i = 0; i < 2; i++)
		if (worker->copies[i].commit.block_number != 5)
			atomic_store(&worker->copies[i].sequence, 0);
	assert_int_equal(ledger_commit_read(worker, &read), 0);
	assert_int_equal(read.block_number, 5);
	commit.block_number = 6;
	ledger_commit_write(worker, &commit);
	assert_int_equal(ledger_commit_read(worker, &read), 0);
	assert_int_equal(read.block_number, 6);
}

static void a_commit_stays_within_its_arrays_whatever_it_says(void **state)
{
	struct ledger_commit commit = { .mark_count = UINT32_MAX, .statistics_slot = UINT32_MAX };
	struct ledger_commit read;

	(void)state;
	memset(commit.open.name, 'x', sizeof(commit.open.name));
	memset(commit.closing.name, 'x', sizeof(commit.closing.name));
	ledger_commit_write(worker, &commit);
	assert_int_equal(ledger_commit_read(worker, &read), 0);
	assert_int_equal(read.mark_count, LEDGER_MARKS);
	assert_true(read.statistics_slot <= 1);
	assert_int_equal(strlen(read.open.name), LEDGER_NAME_LENGTH - 1);
	assert_int_equal(strlen(read.closing.name), LEDGER_NAME_LENGTH - 1);
}

static void a_commit_with_a_flipped_bit_is_refused(void **state)
{
	struct ledger_commit commit = { .mark_count = 2, .filled = 8000, .block_number = 3 }, read;
	uint8_t *bytes = (uint8_t *)&worker->copies[0];
	size_t used =
	    offsetof(struct ledger_copy, commit) + offsetof(struct ledger_commit, marks[2]);

	(void)state;
	strcpy(commit.open.name, "day/file.pcap");
	ledger_commit_write(worker, &commit);
	assert_int_equal(ledger_commit_read(worker, &read), 0);
	for (size_t bit = 0; bit < used * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		/* Without its number it is one that was never finished. */
		assert_int_equal(ledger_commit_read(worker, &read), bit == 0 ? -ENODATA : -EBADMSG);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(ledger_commit_read(worker, &read), 0);
}

static _Noreturn void write_for_ever(void)
{
	struct ledger_commit commit = { .mark_count = LEDGER_MARKS };

	for (uint64_t number = 1;; number++) {
		commit.ring_cookie = commit.block_number = commit.filled = number;
		commit.marks[LEDGER_MARKS - 1].end = number;
		ledger_commit_write(worker, &commit);
	}
}

static void no_read_is_torn(void **state)
{
	struct ledger_commit read;
	unsigned int whole = 0;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		write_for_ever();
	while (whole < 200000) {
		int r = ledger_commit_read(worker, &read);

		assert_true(r == 0 || r == -ENODATA || r == -EAGAIN);
		if (r < 0)
			continue;
		whole++;
		assert_int_equal(read.ring_cookie, read.block_number);
		assert_int_equal(read.filled, read.block_number);
		assert_int_equal(read.marks[LEDGER_MARKS - 1].end, read.block_number);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/*
 * The kernel's answers, each of 10 packets, as a worker takes them; stopped behind a step of the
 * last.  Whatever the step, the supervisor's settling counts each once.
 */
enum step { STEP_READ, STEP_COMMITTED, STEP_CLEARED };

static void take_statistics(struct ledger_commit *commit, enum step last)
{
	worker->statistics[1 - commit->statistics_slot].packets = 10;
	if (last == STEP_READ)
		return;
	ledger_statistics_add(worker, commit);
	ledger_commit_write(worker, commit);
	if (last == STEP_CLEARED)
		ledger_statistics_clear(worker, commit);
}

static void statistics_are_counted_once_wherever_a_life_ends(void **state)
{
	(void)state;
	for (unsigned int answers = 1; answers <= 3; answers++) {
		for (enum step last = STEP_READ; last <= STEP_CLEARED; last++) {
			struct ledger_commit commit = { .block_number = 1 };

			memset(worker, 0, sizeof(*worker));
			ledger_commit_write(worker, &commit);
			for (unsigned int i = 1; i < answers; i++)
				take_statistics(&commit, STEP_CLEARED);
			take_statistics(&commit, last);

			assert_int_equal(ledger_settle(worker), answers * 10);
			/* And what the kernel says at last, which goes where the read one was. */
			ledger_statistics_free_slot(worker)->packets = 7;
			ledger_statistics_free_slot(worker)->drops = 2;
			assert_int_equal(ledger_settle(worker), 5);
			assert_int_equal(ledger_commit_read(worker, &commit), 0);
			assert_int_equal(commit.counters.value[COUNTER_SEEN], answers * 10 + 7);
			assert_int_equal(
			    commit.counters.value[COUNTER_DISCARDED], answers * 10 + 5);
			assert_int_equal(ledger_settle(worker), 0);
			assert_true(counters_are_settled(&commit.counters));
		}
	}
}

static void a_worker_without_a_commit_is_settled_too(void **state)
{
	struct ledger_commit commit;

	(void)state;
	ledger_statistics_free_slot(worker)->packets = 3;
	assert_int_equal(ledger_settle(worker), 3);
	assert_int_equal(ledger_commit_read(worker, &commit), 0);
	assert_int_equal(commit.counters.value[COUNTER_DISCARDED], 3);
}

static void the_numbers_of_files_go_on_without_a_commit(void **state)
{
	const struct ledger_finished file = { .number = 4, .name = "a.pcap" };
	struct ledger_commit commit;

	(void)state;
	ledger_finished_write(worker, &file);
	atomic_store(&worker->entered, 4);
	assert_int_equal(ledger_settle(worker), 0);
	assert_int_equal(ledger_commit_read(worker, &commit), 0);
	assert_int_equal(commit.counters.value[COUNTER_FILES], 4);
}

/* It counts on from the copy that is whole, and goes on with nothing that either says. */
static void a_record_that_begins_anew_counts_on(void **state)
{
	struct ledger_commit commit = { .filled = 9000, .flushed = 8192, .ring_cookie = 7 }, read;
	uint64_t *value = commit.counters.value;

	(void)state;
	value[COUNTER_SEEN] = 10;
	value[COUNTER_WRITTEN] = 6;
	value[COUNTER_STAGED] = 3;
	strcpy(commit.open.name, "a.pcap");
	ledger_commit_write(worker, &commit);
	value[COUNTER_SEEN] = 20;
	ledger_commit_write(worker, &commit);
	worker->copies[1].commit.flushed ^= 1;
	atomic_store(&worker->entered, 4);
	assert_int_equal(ledger_commit_read(worker, &read), -EBADMSG);
	ledger_begin_anew(worker);
	assert_int_equal(ledger_commit_read(worker, &read), 0);
	value = read.counters.value;
	assert_int_equal(value[COUNTER_SEEN], 10);
	assert_int_equal(value[COUNTER_WRITTEN], 6);
	assert_int_equal(value[COUNTER_DISCARDED], 3);
	assert_int_equal(value[COUNTER_STAGED], 0);
	assert_int_equal(value[COUNTER_FILES], 4);
	assert_int_equal(read.open.name[0], 0);
	assert_int_equal(read.filled, 0);
	assert_int_equal(read.ring_cookie, 0);
	/* Where nothing is whole, from nothing. */
	worker->copies[0].commit.filled ^= 1;
	worker->copies[1].commit.filled ^= 1;
	ledger_begin_anew(worker);
	assert_int_equal(ledger_commit_read(worker, &read), 0);
	assert_int_equal(read.counters.value[COUNTER_SEEN], 0);
}

static void finish(uint64_t number)
{
	const struct ledger_finished file = { .number = number, .name = "a.pcap" };

	assert_true(ledger_finished_has_room(worker, number));
	ledger_finished_write(worker, &file);
}

static void finished_files_wait_until_each_is_entered(void **state)
{
	struct ledger_finished file;

	(void)state;
	assert_int_equal(ledger_finished_next(worker, &file), 0);
	for (uint64_t number = 1; number <= LEDGER_FINISHED; number++)
		finish(number);
	assert_false(ledger_finished_has_room(worker, LEDGER_FINISHED + 1));
	assert_int_equal(ledger_finished_last(worker), LEDGER_FINISHED);
	for (uint64_t number = 1; number <= LEDGER_FINISHED; number++) {
		assert_int_equal(ledger_finished_next(worker, &file), 1);
		assert_int_equal(file.number, number);
		assert_string_equal(file.name, "a.pcap");
		atomic_store(&worker->entered, number);
	}
	assert_int_equal(ledger_finished_next(worker, &file), 0);
	/* Again, by a life whose forerunner was killed before its commit. */
	finish(LEDGER_FINISHED);
	assert_int_equal(ledger_finished_next(worker, &file), 0);
	finish(LEDGER_FINISHED + 1);
	assert_int_equal(ledger_finished_next(worker, &file), 1);
	assert_int_equal(file.number, LEDGER_FINISHED + 1);
}

/* Neither entered nor waited for. */
static void a_damaged_finished_file_is_none(void **state)
{
	struct ledger_finished file;
	uint8_t *bytes = (uint8_t *)&worker->finished[1];

	(void)state;
	finish(1);
	for (size_t bit = 0; bit < sizeof(worker->finished[1]) * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(ledger_finished_next(worker, &file), 0);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(ledger_finished_next(worker, &file), 1);
	atomic_store(&worker->entered, UINT64_MAX);
	finish(2);
	assert_int_equal(ledger_finished_next(worker, &file), 1);
	assert_int_equal(file.number, 2);
}

#define LEDGER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(whole_ledgers_open_and_damaged_ones_do_not),
		LEDGER_TEST(what_is_no_ledger_is_refused),
		LEDGER_TEST(a_ledger_is_for_its_group),
		LEDGER_TEST(the_newest_whole_commit_is_read),
		LEDGER_TEST(a_commit_stays_within_its_arrays_whatever_it_says),
		LEDGER_TEST(a_commit_with_a_flipped_bit_is_refused),
		LEDGER_TEST(no_read_is_torn),
		LEDGER_TEST(a_record_that_begins_anew_counts_on),
		LEDGER_TEST(finished_files_wait_until_each_is_entered),
		LEDGER_TEST(a_damaged_finished_file_is_none),
		LEDGER_TEST(statistics_are_counted_once_wherever_a_life_ends),
		LEDGER_TEST(a_worker_without_a_commit_is_settled_too),
		LEDGER_TEST(the_numbers_of_files_go_on_without_a_commit),
	};

	return RUN_TESTS(tests);
}
