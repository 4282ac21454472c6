/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of the protocol that is the code itself: a writer is stepped through its life one
 * instruction at a time, and wherever ledger, stage or files have changed since the last, a copy of
 * them is what a kill there would leave.  The real successor goes on with each copy, and must come
 * to the same end: each packet in one file, the books balanced, nothing unfinished.
 *
 * Every state that a kill can leave is seen, but for the middle of a system call (test_kills has
 * calls that are cut short).  FANCAP_TEST_STRIDE=N tries each Nth state; without it, all are.
 */
#include "support/cmocka.h"

#include "base/array.h"
#include "storage/writer.h"
#include "support/writer_stand.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BLOCKS = 8,
	BLOCK_PACKETS = 40, /* more than a unit of the disk */
	FILE_BLOCKS = 3,
	TICK_EACH = 2, /* blocks, after which the tail goes to the file */
	FILES_MOST = 16,
	STEPS_MOST = 20000000,
};

/* What a kill leaves, as the tracer saw it last. */
struct state {
	struct ledger_worker record;
	uint8_t stage[STAND_STAGE];
	uint64_t arrived, kernel_counts;
	unsigned int finished;
};

static struct stand life, trial; /* the one that is stepped through; what goes on with a copy */
static uint8_t *life_stage, *trial_stage;
static struct state seen;
static unsigned int steps, states, trials, stride;

static _Noreturn void live(struct stand *stand)
{
	struct writer *writer = NULL;
	struct ledger_commit commit;
	uint64_t next = 1;

	if (ledger_commit_read(stand->seat.record, &commit) == 0)
		next = commit.block_number + 1;
	if (writer_open(&writer, &stand->seat) < 0)
		_exit(2);
	if (next > 1)
		writer_note(writer, LOSSES_TAKEOVER);
	for (; next <= BLOCKS; next++) {
		stand_store(stand, writer, next, BLOCK_PACKETS);
		if (next % TICK_EACH == 0)
			writer_tick(
			    writer, UINT64_C(5000000000), (uint64_t)STAND_START * 1000000000);
	}
	writer_finish(writer, CAUSE_STOPPED);
	_exit(0);
}

/* ---- what a kill would leave ------------------------------------------------------------- */

static bool has_changed(void)
{
	const struct stand_shared *shared = life.shared;

	return memcmp(&seen.record, life.seat.record, sizeof(seen.record)) != 0 ||
	       seen.arrived != shared->arrived || seen.kernel_counts != shared->kernel_counts ||
	       seen.finished != shared->finished ||
	       memcmp(seen.stage, life_stage, sizeof(seen.stage)) != 0;
}

static void look(void)
{
	memcpy(&seen.record, life.seat.record, sizeof(seen.record));
	memcpy(seen.stage, life_stage, sizeof(seen.stage));
	seen.arrived = life.shared->arrived;
	seen.kernel_counts = life.shared->kernel_counts;
	seen.finished = life.shared->finished;
}

struct inodes {
	uint64_t from[FILES_MOST], to[FILES_MOST];
	size_t count;
};

static uint64_t moved(const struct inodes *inodes, uint64_t inode)
{
	for (size_t i = 0; i < inodes->count; i++)
		if (inodes->from[i] == inode)
			return inodes->to[i];
	return inode;
}

static void copy_file(const char *name, struct inodes *inodes)
{
	static uint8_t bytes[1 << 20];
	int from = openat(life.seat.directory, name, O_RDONLY | O_CLOEXEC);
	int to = openat(trial.seat.directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	struct stat status;
	ssize_t n;

	assert_true(from >= 0 && to >= 0);
	n = read(from, bytes, sizeof(bytes));
	assert_int_equal(write(to, bytes, (size_t)n), n);
	assert_true(inodes->count < FILES_MOST);
	assert_int_equal(fstat(from, &status), 0);
	inodes->from[inodes->count] = status.st_ino;
	assert_int_equal(fstat(to, &status), 0);
	inodes->to[inodes->count++] = status.st_ino;
	close(from);
	close(to);
}

/* The files are others, but what the ledger says of them is the same. */
static void copy_record(const struct inodes *inodes)
{
	*trial.seat.record = seen.record;
	for (int i = 0; i < 2; i++) {
		struct ledger_copy *copy = &trial.seat.record->copies[i];
		uint64_t number = atomic_load(&copy->sequence);

		if (number == 0 || copy->length > sizeof(copy->commit) ||
		    copy->sum != ledger_commit_sum(number, &copy->commit, copy->length))
			continue;
		copy->commit.open.inode = moved(inodes, copy->commit.open.inode);
		copy->commit.closing.inode = moved(inodes, copy->commit.closing.inode);
		copy->sum = ledger_commit_sum(number, &copy->commit, copy->length);
	}
}

static void copy_life(void)
{
	DIR *directory = opendir(life.directory);
	const struct dirent *entry;
	struct inodes inodes = { .count = 0 };

	stand_clear(&trial);
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			copy_file(entry->d_name, &inodes);
	closedir(directory);
	copy_record(&inodes);
	memcpy(trial_stage, seen.stage, sizeof(seen.stage));
	trial.shared->arrived = seen.arrived;
	trial.shared->kernel_counts = seen.kernel_counts;
	trial.shared->finished = seen.finished;
	for (unsigned int i = 0; i < seen.finished; i++) {
		trial.shared->files[i] = life.shared->files[i];
		trial.shared->files[i].inode = moved(&inodes, life.shared->files[i].inode);
	}
}

/* ---- what the successor must have made of it --------------------------------------------- */

static unsigned int times[(BLOCKS + 1) * STAND_BLOCK_MOST];

static void take(void *user, uint64_t value)
{
	assert_true(value < COUNT_OF(times));
	assert_int_equal(times[value]++, 0);
	(*(uint64_t *)user)++;
}

/* Its statistics at the end are there once, and not before the last packet. */
static void check_end(const char *name)
{
	static uint8_t bytes[1 << 20];
	uint32_t head[2], last = 0, before = 0;
	int fd = stand_open_file(&trial, name);
	size_t size;

	assert_true(fd >= 0);
	size = (size_t)read(fd, bytes, sizeof(bytes));
	close(fd);
	if (trial.output.format != FORMAT_PCAPNG)
		return;
	for (size_t at = 0; at + sizeof(head) <= size; at += head[1]) {
		memcpy(head, bytes + at, sizeof(head));
		assert_true(head[1] >= PCAPNG_BLOCK_LEAST);
		before = last;
		last = head[0];
	}
	assert_int_equal(last, PCAPNG_STATISTICS);
	assert_int_equal(before, PCAPNG_PACKET);
}

static void check_file(const char *name, uint64_t *packets)
{
	unsigned int told = 0;
	struct stat status;
	int64_t found;

	assert_null(strstr(name, ".part"));
	check_end(name);
	found = stand_read(&trial, name, take, packets);
	assert_true(found > 0);
	assert_int_equal(fstatat(trial.seat.directory, name, &status, 0), 0);
	for (unsigned int i = 0; i < trial.shared->finished; i++) {
		const struct stand_file *file = &trial.shared->files[i];

		if (strcmp(file->name, name) != 0)
			continue;
		told++;
		assert_int_equal(file->inode, status.st_ino);
		assert_int_equal(file->packets, found);
		assert_int_equal(file->bytes, status.st_size);
	}
	assert_true(told > 0);
}

static void check_all(void)
{
	DIR *directory = opendir(trial.directory);
	const struct dirent *entry;
	struct ledger_commit commit;
	const uint64_t *value = commit.counters.value;
	uint64_t packets = 0;

	memset(times, 0, sizeof(times));
	assert_non_null(directory);
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			check_file(entry->d_name, &packets);
	closedir(directory);
	assert_int_equal(packets, BLOCKS * BLOCK_PACKETS);
	assert_int_equal(ledger_commit_read(trial.seat.record, &commit), 0);
	assert_int_equal(value[COUNTER_SEEN], BLOCKS * BLOCK_PACKETS);
	assert_int_equal(value[COUNTER_WRITTEN], BLOCKS * BLOCK_PACKETS);
	assert_int_equal(value[COUNTER_STAGED], 0);
	assert_int_equal(value[COUNTER_DISCARDED], 0);
}

static void try_kill(void)
{
	int status = -1;
	pid_t pid;

	if (states++ % stride != 0)
		return;
	trials++;
	copy_life();
	/* No kill leaves what looks like a damaged ledger. */
	assert_false(ledger_commit_is_damaged(trial.seat.record));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		live(&trial);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	check_all();
}

/* ---- one life, step by step -------------------------------------------------------------- */

#ifdef __x86_64__
/* The code is the same here: the life is a fork of this process. */
static bool is_at_call(pid_t pid)
{
	static const uint8_t call[] = { 0x0f, 0x05 };
	struct user_regs_struct registers;

	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &registers), 0);
	return memcmp((const void *)registers.rip, call, sizeof(call)) == 0;
}

/* False at its end. */
static bool step(pid_t pid)
{
	int status = -1;

	assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 0);
		return false;
	}
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	return true;
}

static void walk(pid_t pid)
{
	bool was_call = false;

	while (step(pid)) {
		assert_true(++steps < STEPS_MOST);
		if (atomic_load(&life.shared->in_kernel) == 0 && (was_call || has_changed())) {
			look();
			try_kill();
		}
		was_call = is_at_call(pid);
	}
}

/* Both on one CPU: neither runs while the other does, and a wake-up across takes its time. */
static void share_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t one;

	CPU_ZERO(&one);
	if (cpu < 0)
		return;
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static pid_t start(void)
{
	int status = -1;
	pid_t pid;

	share_cpu();
	pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		(void)raise(SIGSTOP);
		live(&life);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return 0;
	assert_true(WIFSTOPPED(status));
	return pid;
}
#endif

static void a_kill_anywhere_is_made_whole(void)
{
#ifdef __x86_64__
	pid_t pid = start();

	if (pid == 0) {
		print_message("SKIP: no process may be traced here\n");
		skip();
	}
	look();
	walk(pid);
	print_message("%u instructions, %u states that a kill leaves, %u of them tried\n", steps,
	    states, trials);
	assert_true(trials > 100 / stride);
#else
	print_message("SKIP: knows how a system call looks on x86-64 alone\n");
	skip();
#endif
}

static void wherever_a_kill_comes_the_next_life_makes_it_whole(void **state)
{
	(void)state;
	a_kill_anywhere_is_made_whole();
}

/* With blocks of statistics: one that a successor puts, and one at each file's end. */
static void so_it_does_with_pcapng(void **state)
{
	(void)state;
	life.output.format = trial.output.format = FORMAT_PCAPNG;
	a_kill_anywhere_is_made_whole();
}

/* The stage has frames, which are made anew of a block that was not committed. */
static void so_it_does_with_what_is_compressed(void **state)
{
	(void)state;
	life.output.format = trial.output.format = FORMAT_PCAPNG;
	life.output.compression = trial.output.compression = COMPRESSION_LZ4;
	a_kill_anywhere_is_made_whole();
}

static int open_stand(struct stand *stand, uint8_t **ret_stage)
{
	const char *above = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	if (stand_open(stand, above) < 0)
		return -1;
	stand->seat.output = &stand->output;
	stand->output.rotate.packets = (uint64_t)FILE_BLOCKS * BLOCK_PACKETS;
	*ret_stage =
	    mmap(NULL, STAND_STAGE, PROT_READ | PROT_WRITE, MAP_SHARED, stand->seat.stage, 0);
	return *ret_stage == MAP_FAILED ? -1 : 0;
}

static int set_up(void **state)
{
	const char *wish = getenv("FANCAP_TEST_STRIDE");
	const char *scale = getenv("FANCAP_TEST_SCALE");

	(void)state;
	umask(0027);
	steps = states = trials = 0;
	stride = wish ? (unsigned int)atoi(wish) : 1;
	if (!wish && scale)
		stride *= (unsigned int)atoi(scale);
	return stride == 0 || open_stand(&life, &life_stage) < 0 ||
		       open_stand(&trial, &trial_stage) < 0
		   ? -1
		   : 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(life_stage, STAND_STAGE);
	munmap(trial_stage, STAND_STAGE);
	stand_close(&life);
	stand_close(&trial);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    wherever_a_kill_comes_the_next_life_makes_it_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(so_it_does_with_pcapng, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    so_it_does_with_what_is_compressed, set_up, tear_down),
	};

	return RUN_TESTS(tests);
}
