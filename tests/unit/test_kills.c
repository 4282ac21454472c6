/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A writer is killed before and after each of its steps: commits to the ledger and calls into the
 * storage.  Whatever life goes on with what it left, each packet is in one file or counted as
 * discarded, the books balance, and nothing unfinished is left behind.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/segment.h"
#include "storage/writer.h"
#include "support/writer_stand.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BLOCKS = 24,
	BLOCK_PACKETS = 60,
	LARGE_BLOCK_PACKETS = STAND_STAGE / 2 / (PCAP_RECORD_SIZE + STAND_PACKET),
	STEPS_MOST = 2000,
};

/* What goes wrong besides; shared with the lives. */
struct course {
	unsigned int step, die_at;    /* 0: never */
	unsigned int writes, fail_at; /* the write that finds the disk full; 0: none */
	bool steal;                   /* somebody takes each final name once, at the last moment */
	bool stolen;
	unsigned int block_packets; /* BLOCK_PACKETS, where a plan does not say */
	bool no_flags;              /* of renameat2(2): the file is linked to its name */
	unsigned int tick_each;     /* the quiet tail is written after so many blocks; 0: never */
};

static struct stand stand;
static struct course *course;

static void step(void)
{
	if (++course->step == course->die_at)
		(void)kill(getpid(), SIGKILL);
}

/* ---- the seams --------------------------------------------------------------------------- */

void __real_ledger_commit_write(struct ledger_worker *worker, const struct ledger_commit *commit);
void __wrap_ledger_commit_write(struct ledger_worker *worker, const struct ledger_commit *commit);
void __wrap_ledger_commit_write(struct ledger_worker *worker, const struct ledger_commit *commit)
{
	step();
	__real_ledger_commit_write(worker, commit);
	step();
}

int __real_segment_create(struct segment **ret_segment, int directory, const char *name);
int __wrap_segment_create(struct segment **ret_segment, int directory, const char *name);
int __wrap_segment_create(struct segment **ret_segment, int directory, const char *name)
{
	int r;

	step();
	r = __real_segment_create(ret_segment, directory, name);
	step();
	return r;
}

int __real_segment_write(struct segment *segment, const void *bytes, size_t length, uint64_t at);
int __wrap_segment_write(struct segment *segment, const void *bytes, size_t length, uint64_t at);
int __wrap_segment_write(struct segment *segment, const void *bytes, size_t length, uint64_t at)
{
	int r;

	step();
	if (++course->writes == course->fail_at) {
		/* As a full disk has it: some of it is in the file. */
		(void)__real_segment_write(segment, bytes, length / 2 & ~(size_t)4095, at);
		return -ENOSPC;
	}
	r = __real_segment_write(segment, bytes, length, at);
	step();
	return r;
}

int __real_segment_write_tail(
    struct segment *segment, const void *bytes, size_t length, uint64_t at);
int __wrap_segment_write_tail(
    struct segment *segment, const void *bytes, size_t length, uint64_t at);
int __wrap_segment_write_tail(
    struct segment *segment, const void *bytes, size_t length, uint64_t at)
{
	int r;

	step();
	r = __real_segment_write_tail(segment, bytes, length, at);
	step();
	return r;
}

int __real_segment_cut(struct segment *segment, uint64_t length);
int __wrap_segment_cut(struct segment *segment, uint64_t length);
int __wrap_segment_cut(struct segment *segment, uint64_t length)
{
	int r;

	step();
	r = __real_segment_cut(segment, length);
	step();
	return r;
}

int __real_segment_publish(struct segment *segment, const char *final, enum sync_policy sync);
int __wrap_segment_publish(struct segment *segment, const char *final, enum sync_policy sync);
int __wrap_segment_publish(struct segment *segment, const char *final, enum sync_policy sync)
{
	int r;

	step();
	if (course->steal && !course->stolen) {
		course->stolen = true;
		close(openat(stand.seat.directory, final, O_CREAT | O_EXCL | O_WRONLY, 0600));
	}
	r = __real_segment_publish(segment, final, sync);
	step();
	return r;
}

int __real_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned int flags);
int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned int flags);
int __wrap_renameat2(int from_at, const char *from, int to_at, const char *to, unsigned int flags)
{
	errno = EINVAL;
	return course->no_flags ? -1 : __real_renameat2(from_at, from, to_at, to, flags);
}

int __real_linkat(int from_at, const char *from, int to_at, const char *to, int flags);
int __wrap_linkat(int from_at, const char *from, int to_at, const char *to, int flags);
int __wrap_linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	int r = __real_linkat(from_at, from, to_at, to, flags), error = errno;

	step();
	errno = error;
	return r;
}

int __real_segment_remove(struct segment *segment);
int __wrap_segment_remove(struct segment *segment);
int __wrap_segment_remove(struct segment *segment)
{
	int r;

	step();
	r = __real_segment_remove(segment);
	step();
	return r;
}

static void on_finished(void *user, const struct finished_file *file)
{
	struct stand_shared *shared = user;
	struct stand_file *entry = &shared->files[shared->finished];

	step();
	snprintf(entry->name, sizeof(entry->name), "%s", file->name);
	entry->number = file->number;
	entry->inode = file->segment->inode;
	entry->packets = file->segment->packets;
	entry->bytes = file->bytes;
	shared->finished++;
	step();
}

/* ---- lives ------------------------------------------------------------------------------- */

static _Noreturn void live(void)
{
	struct writer *writer = NULL;
	struct ledger_commit commit;
	uint64_t next = 1;

	if (ledger_commit_read(stand.seat.record, &commit) == 0)
		next = commit.block_number + 1;
	if (writer_open(&writer, &stand.seat) < 0)
		_exit(2);
	for (; next <= BLOCKS; next++) {
		stand_store(&stand, writer, next, course->block_packets);
		if (course->tick_each > 0 && next % course->tick_each == 0)
			writer_tick(
			    writer, UINT64_C(5000000000), (uint64_t)STAND_START * 1000000000);
	}
	writer_finish(writer, CAUSE_STOPPED);
	_exit(0);
}

/* Returns whether it came to its end. */
static bool run_life(unsigned int die_at)
{
	int status = -1;
	pid_t pid;

	course->step = 0;
	course->die_at = die_at;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		live();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	return status == 0;
}

/* ---- what they must have left ------------------------------------------------------------ */

struct findings {
	unsigned int times[(BLOCKS + 1) * STAND_BLOCK_MOST];
	uint64_t packets, files;
};

static void take(void *user, uint64_t value)
{
	struct findings *findings = user;

	assert_true(value < COUNT_OF(findings->times));
	assert_int_equal(findings->times[value]++, 0);
	findings->packets++;
}

/* Told once or more, always alike, and as it is; again only before the next one is told. */
static void check_told(const char *name, const struct stat *status, int64_t packets)
{
	unsigned int times = 0;

	for (unsigned int i = 0; i < stand.shared->finished; i++) {
		const struct stand_file *file = &stand.shared->files[i];
		bool is_first = i == 0 || file->number != file[-1].number;

		if (strcmp(file->name, name) != 0)
			continue;
		assert_int_equal(is_first, times == 0);
		times++;
		assert_int_equal(file->inode, status->st_ino);
		assert_int_equal(file->bytes, status->st_size);
		assert_int_equal(file->packets, packets);
	}
	assert_true(times >= 1);
}

static void look_at_files(struct findings *findings)
{
	DIR *directory = opendir(stand.directory);
	const struct dirent *entry;
	struct stat status;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		int64_t packets;

		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(fstatat(dirfd(directory), entry->d_name, &status, 0), 0);
		if (status.st_mode & 0040) { /* ours; the thief's is 0600 */
			assert_null(strstr(entry->d_name, ".part"));
			packets = stand_read(&stand, entry->d_name, take, findings);
			assert_true(packets > 0);
			check_told(entry->d_name, &status, packets);
			findings->files++;
		}
	}
	closedir(directory);
}

static void check_all(void)
{
	static struct findings findings;
	struct ledger_commit commit;
	const uint64_t *value = commit.counters.value;

	memset(&findings, 0, sizeof(findings));
	look_at_files(&findings);
	assert_int_equal(ledger_commit_read(stand.seat.record, &commit), 0);
	assert_int_equal(value[COUNTER_SEEN], BLOCKS * course->block_packets);
	assert_int_equal(value[COUNTER_STAGED], 0);
	assert_int_equal(value[COUNTER_WRITTEN], findings.packets);
	assert_int_equal(
	    value[COUNTER_DISCARDED], BLOCKS * course->block_packets - findings.packets);
	assert_int_equal(value[COUNTER_FILES], findings.files);
	if (course->fail_at == 0)
		assert_int_equal(value[COUNTER_DISCARDED], 0);
}

static void begin(const struct course *plan)
{
	stand_clear(&stand);
	*course = *plan;
	if (course->block_packets == 0)
		course->block_packets = BLOCK_PACKETS;
}

/* Every step of one life, and for each the first steps of the one that goes on. */
static void kill_everywhere(const struct course *plan, unsigned int second_kills)
{
	bool came_to_its_end = false;

	for (unsigned int at = 1; !came_to_its_end; at++) {
		assert_true(at < STEPS_MOST);
		for (unsigned int second = 0; second <= second_kills && !came_to_its_end;
		     second++) {
			begin(plan);
			came_to_its_end = run_life(at);
			if (!came_to_its_end && second > 0)
				(void)run_life(second);
			assert_true(run_life(0));
			check_all();
		}
	}
}

/* In memory where that can be, since there are thousands of lives. */
static int set_up(void **state)
{
	const char *above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)state;
	course =
	    mmap(NULL, sizeof(*course), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (course == MAP_FAILED || stand_open(&stand, above) < 0)
		return -1;
	umask(0027);
	stand.seat.output = &stand.output;
	stand.seat.events.finished = on_finished;
	stand.output.rotate.packets = 7 * BLOCK_PACKETS;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stand_close(&stand);
	munmap(course, sizeof(*course));
	return 0;
}

static void at_each_step(void **state)
{
	const struct course plan = { 0 };

	(void)state;
	kill_everywhere(&plan, 0);
}

static void at_each_step_and_again(void **state)
{
	const struct course plan = { .tick_each = 3 };

	(void)state;
	kill_everywhere(&plan, 14);
}

/* A life may leave so much in the stage that the next block has no room. */
static void with_blocks_of_half_a_stage(void **state)
{
	const struct course plan = { .block_packets = LARGE_BLOCK_PACKETS };

	(void)state;
	stand.output.rotate.packets = (uint64_t)7 * LARGE_BLOCK_PACKETS;
	kill_everywhere(&plan, 2);
}

static void while_names_are_taken(void **state)
{
	const struct course plan = { .steal = true };

	(void)state;
	kill_everywhere(&plan, 4);
}

static void while_names_are_linked(void **state)
{
	const struct course plan = { .no_flags = true, .steal = true };

	(void)state;
	kill_everywhere(&plan, 4);
}

static void while_files_are_synced(void **state)
{
	const struct course plan = { 0 };

	(void)state;
	stand.output.sync = SYNC_BLOCK;
	kill_everywhere(&plan, 0);
}

static void while_the_disk_is_full(void **state)
{
	struct course plan = { .tick_each = 4 };

	(void)state;
	for (plan.fail_at = 1; plan.fail_at <= 6; plan.fail_at++)
		kill_everywhere(&plan, 2);
}

#define KILL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KILL_TEST(at_each_step),
		KILL_TEST(at_each_step_and_again),
		KILL_TEST(with_blocks_of_half_a_stage),
		KILL_TEST(while_names_are_taken),
		KILL_TEST(while_names_are_linked),
		KILL_TEST(while_files_are_synced),
		KILL_TEST(while_the_disk_is_full),
	};

	return RUN_TESTS(tests);
}
