/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is removed is what the catalog names, by this inode, and nothing else: over random trees
 * with files of others, links of every kind, files that were put in place of ours, and holds.
 */
#include "support/cmocka.h"
#include "support/finished_files.h"

#include "base/array.h"
#include "base/clock.h"
#include "build.h"
#include "storage/cull.h"
#include "storage/removal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TREES = 1000, ENTRIES_MOST = 24 };

/* ---- random trees ------------------------------------------------------------------------ */

enum kind {
	OURS,
	OURS_OF_ANOTHER_SENSOR,
	NOT_IN_THE_CATALOG,
	ANOTHER_INODE,
	SYMBOLIC_LINK,
	BEHIND_A_LINKED_DIRECTORY,
	OUTSIDE,
	STILL_OPEN,
	A_DIRECTORY,
	KIND_COUNT_,
};

struct entry {
	enum kind kind;
	char file[128]; /* as the catalog has it */
	int at;         /* where it is, in truth, */
	char name[128]; /* by what name, */
	uint64_t inode; /* and what */
	uint64_t time_ns;
	bool is_held;
};

static void make_entry(struct entry *entry, int number)
{
	static const char *const folders[] = { "", "day/", "day/hour/", "other/" };
	const char *folder = folders[rand() % (int)COUNT_OF(folders)];

	entry->kind = (enum kind)(rand() % KIND_COUNT_);
	/* Ours are the half. */
	if (rand() % 2)
		entry->kind = OURS;
	entry->time_ns = (uint64_t)(1 + rand() % 1000) * 100;
	entry->at = directory;
	snprintf(entry->file, sizeof(entry->file), "%s%d.pcap", folder, number);
	if (entry->kind == STILL_OPEN)
		strcat(entry->file, ".part");
	snprintf(entry->name, sizeof(entry->name), "%s", entry->file);
	(void)mkdirat(directory, "day", 0750);
	(void)mkdirat(directory, "day/hour", 0750);
	(void)mkdirat(directory, "other", 0750);
	if (entry->kind == OUTSIDE || entry->kind == BEHIND_A_LINKED_DIRECTORY) {
		entry->at = outside;
		snprintf(entry->name, sizeof(entry->name), "%d.pcap", number);
		snprintf(entry->file, sizeof(entry->file),
		    entry->kind == OUTSIDE ? "../%d.pcap" : "linked/%d.pcap", number);
		(void)!symlinkat("..", directory, "linked");
	}
	if (entry->kind == A_DIRECTORY) {
		assert_int_equal(mkdirat(entry->at, entry->name, 0750), 0);
		entry->inode = inode_of(entry->at, entry->name);
	} else if (entry->kind == SYMBOLIC_LINK) {
		char target[160];

		snprintf(target, sizeof(target), "target%d", number);
		(void)make_file(outside, target);
		snprintf(target, sizeof(target), "%s/target%d", outside_path, number);
		assert_int_equal(symlinkat(target, entry->at, entry->name), 0);
		entry->inode = inode_of(entry->at, entry->name);
	} else {
		entry->inode = make_file(entry->at, entry->name);
	}
	if (entry->kind != NOT_IN_THE_CATALOG)
		enter(entry->file, entry->inode + (entry->kind == ANOTHER_INODE),
		    entry->kind == OURS_OF_ANOTHER_SENSOR ? "other" : "mine", entry->time_ns);
}

static void make_holds(struct entry *entries, int count)
{
	for (int i = rand() % 3; i > 0; i--) {
		struct hold hold = { .since_ns = (uint64_t)(rand() % 1000) * 100 };

		snprintf(hold.name, sizeof(hold.name), "case-%d", i);
		hold.until_ns = hold.since_ns + (uint64_t)(rand() % 200) * 100;
		assert_int_equal(holds_add(directory, &hold), 0);
		for (int k = 0; k < count; k++)
			entries[k].is_held |= entries[k].time_ns <= hold.until_ns &&
					      entries[k].time_ns + 5 >= hold.since_ns;
	}
}

static bool is_to_go(const struct entry *entry)
{
	return entry->kind == OURS && !entry->is_held;
}

/* The oldest that are not held went, as many as were too many, and nothing else did. */
static void look_at_what_is_left(const struct entry *entries, int count, int bound, int seed)
{
	int ours = 0, left = 0, held = 0;
	uint64_t newest_gone = 0, oldest_left = UINT64_MAX;

	for (int i = 0; i < count; i++) {
		const struct entry *entry = &entries[i];
		bool is_there = inode_of(entry->at, entry->name) == entry->inode;

		ours += entry->kind == OURS;
		held += entry->kind == OURS && entry->is_held;
		left += entry->kind == OURS && is_there;
		if (!is_there && !is_to_go(entry))
			fail_msg("seed %d: %s (%d) is gone", seed, entry->file, (int)entry->kind);
		if (is_to_go(entry) && is_there)
			oldest_left = LEAST(oldest_left, entry->time_ns);
		if (!is_there)
			newest_gone = MOST(newest_gone, entry->time_ns);
	}
	if (left != LEAST(ours, MOST(bound, held)))
		fail_msg(
		    "seed %d: %d of %d left, bound %d, %d held", seed, left, ours, bound, held);
	if (newest_gone > oldest_left)
		fail_msg("seed %d: a newer one went before an older", seed);
}

static void empty_both(void)
{
	assert_int_equal(remove_directory(NULL), 0);
	assert_int_equal(make_directory(NULL), 0);
}

static void cull_down_to(int bound)
{
	struct cull cull;
	struct cull_outcome outcome;
	int r;

	cull_begin(&cull, directory, "mine");
	cull.retain.files = (uint64_t)bound;
	assert_int_equal(cull_look(&cull), 0);
	while ((r = cull_step(&cull, &outcome)) > 0)
		assert_int_equal(outcome.bound, RETENTION_FILES);
	assert_int_equal(r, 0);
	cull_end(&cull);
}

static void only_what_is_ours_goes(void **state)
{
	struct entry entries[ENTRIES_MOST];

	(void)state;
	for (int seed = 1; seed <= TREES; seed++) {
		int count, bound;

		srand((unsigned int)seed);
		memset(entries, 0, sizeof(entries));
		count = 1 + rand() % ENTRIES_MOST;
		bound = 1 + rand() % 12;
		for (int i = 0; i < count; i++)
			make_entry(&entries[i], i);
		make_holds(entries, count);
		cull_down_to(bound);
		look_at_what_is_left(entries, count, bound, seed);
		empty_both();
	}
}

/* ---- one by one -------------------------------------------------------------------------- */

static void a_directory_that_is_empty_goes_too(void **state)
{
	uint64_t one, other;

	(void)state;
	(void)mkdirat(directory, "2026", 0750);
	(void)mkdirat(directory, "2026/03", 0750);
	one = make_file(directory, "2026/03/one.pcap");
	other = make_file(directory, "2026/other.pcap");
	assert_int_equal(removal_run(directory, "2026/03/one.pcap", one), 0);
	assert_int_equal(inode_of(directory, "2026/03"), 0);
	assert_int_equal(removal_run(directory, "2026/other.pcap", other), 0);
	assert_int_equal(inode_of(directory, "2026"), 0);
	assert_int_equal(removal_run(directory, "2026/other.pcap", other), -ENOENT);
	assert_true(inode_of(outside, "output") > 0);
}

static void what_a_hold_cannot_say_holds_everything(void **state)
{
	struct holds holds;
	int fd;

	(void)state;
	assert_int_equal(holds_read(&holds, directory), 0);
	assert_false(holds_cover(&holds, 1, 2));
	assert_int_equal(
	    holds_add(directory, &(struct hold) { .name = "a", .since_ns = 100, .until_ns = 200 }),
	    0);
	assert_int_equal(holds_add(directory, &(struct hold) { .name = "a" }), -EEXIST);
	assert_int_equal(holds_read(&holds, directory), 0);
	assert_int_equal(holds.count, 1);
	assert_true(holds_cover(&holds, 50, 100));
	assert_true(holds_cover(&holds, 200, 300));
	assert_true(holds_cover(&holds, 0, 1000));
	assert_false(holds_cover(&holds, 0, 99));
	assert_false(holds_cover(&holds, 201, 300));
	holds_release(&holds);
	fd = openat(directory, "holds/b.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	assert_int_equal(write(fd, "{\"since\":", 9), 9);
	close(fd);
	assert_int_equal(holds_read(&holds, directory), 0);
	assert_true(holds.is_unsure);
	assert_true(holds_cover(&holds, 0, 99));
	holds_release(&holds);
	assert_int_equal(holds_remove(directory, "b"), 0);
	assert_int_equal(holds_remove(directory, "a"), 0);
	assert_int_equal(holds_remove(directory, "a"), -ENOENT);
	assert_int_equal(holds_remove(directory, "../../b"), -ENOENT);
}

/* To remove what has another name, too, frees nothing. */
static void what_is_linked_elsewhere_does_not_go_for_room(void **state)
{
	struct cull_outcome outcome;
	struct cull cull;

	(void)state;
	for (int i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%d.pcap", i);
		enter(name, make_file(directory, name), "mine", (uint64_t)(i + 1) * 100);
	}
	assert_int_equal(linkat(directory, "0.pcap", outside, "copy", 0), 0);
	cull_begin(&cull, directory, "mine");
	/* Nearer than all of ours can bring it: over the oldest, as the open files need it. */
	cull.retain.free = 10000;
	cull.facts.open_files = 1;
	assert_int_equal(cull_look(&cull), 0);
	cull.facts.disk_free = 0;
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_true(outcome.was_removed && outcome.is_out_of_reach);
	assert_string_equal(outcome.file->file, "1.pcap");
	cull.facts.disk_free = 0;
	cull.removed = 0;
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, "2.pcap");
	cull.removed = 0;
	assert_int_equal(cull_step(&cull, &outcome), 0);
	assert_true(inode_of(directory, "0.pcap") > 0);
	/* Another bound asks for no room. */
	cull.retain = (struct retain_config) { .files = 1 };
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, "0.pcap");
	cull_end(&cull);
}

/* A name is free once its file is gone, and so is the inode. */
static void a_name_that_comes_again_is_one_file(void **state)
{
	uint64_t inode = make_file(directory, "0.pcap");
	struct cull cull;

	(void)state;
	enter("0.pcap", inode, "mine", 100);
	enter("0.pcap", inode, "mine", 200);
	cull_begin(&cull, directory, "mine");
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull.stock.there, 1);
	assert_int_equal(cull.stock.bytes, 10);
	assert_int_equal(stock_oldest(&cull.stock, &(struct holds) { 0 })->last_ns, 205);
	enter("0.pcap", inode, "mine", 300);
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull.stock.there, 1);
	cull_end(&cull);
}

/* Deeper than removal goes: told once, and the others go. */
static void one_that_cannot_be_removed_stops_no_other(void **state)
{
	char deep[128] = "";
	struct cull cull;
	struct cull_outcome outcome;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		strcat(deep, "d/");
		assert_int_equal(mkdirat(directory, deep, 0750), 0);
	}
	strcat(deep, "0.pcap");
	enter(deep, make_file(directory, deep), "mine", 50);
	make_numbered(1, 5);
	cull_begin(&cull, directory, "mine");
	cull.retain.files = 2;
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, deep);
	assert_true(outcome.error < 0 && !outcome.was_removed);
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, "1.pcap");
	assert_true(outcome.was_removed);
	/* Tried again, in case that it was mended, and not told again. */
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_string_equal(outcome.file->file, deep);
	assert_int_equal(outcome.error, 0);
	assert_false(outcome.was_removed);
	while (cull_step(&cull, &outcome) > 0)
		assert_true(outcome.was_removed);
	assert_int_equal(cull.stock.there, 2);
	cull_end(&cull);
}

/* A reload comes while many go. */
static void what_must_wait_does_so_at_once(void **state)
{
	struct cull cull;
	struct cull_outcome outcome;

	(void)state;
	make_numbered(0, 5);
	cull_begin(&cull, directory, "mine");
	cull.retain.files = 1;
	assert_int_equal(cull_look(&cull), 0);
	assert_int_equal(cull_step(&cull, &outcome), 1);
	assert_true(outcome.was_removed);
	cull.retain.after_close = true;
	assert_int_equal(cull_step(&cull, &outcome), 0);
	assert_int_equal(outcome.waiting, 4);
	assert_int_equal(cull.stock.there, 4);
	cull_end(&cull);
}

/* ---- many -------------------------------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static void finish_one(int number)
{
	char name[32];

	snprintf(name, sizeof(name), "day%d/%d.pcap", number / 1000, number);
	if (number % 1000 == 0) {
		char folder[16];

		snprintf(folder, sizeof(folder), "day%d", number / 1000);
		(void)mkdirat(directory, folder, 0750);
	}
	enter(name, make_file(directory, name), "mine", (uint64_t)(number + 1) * 100);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/*
 * With all bounds and a hold, a file that is finished costs what is looked at for it, and one that
 * goes.  CPU time: what else the machine does is none of it.
 */
static void one_among_many_is_cheap(void **state)
{
	enum { MANY = 100000, ROUNDS = 25, MOST_NS = 5000000 };
	const struct hold hold = { .name = "a", .since_ns = 1000, .until_ns = 90000 };
	struct cull_outcome outcome;
	uint64_t costs[ROUNDS];
	struct cull cull;

	(void)state;
	for (int i = 0; i < MANY; i++)
		finish_one(i);
	assert_int_equal(holds_add(directory, &hold), 0);
	cull_begin(&cull, directory, "mine");
	cull.retain = (struct retain_config) {
		.size = UINT64_MAX, .files = MANY, .age = UINT64_MAX, .free = 1
	};
	assert_int_equal(cull_look(&cull), 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t began;

		finish_one(MANY + i);
		began = cpu_ns();
		assert_int_equal(cull_look(&cull), 0);
		assert_int_equal(cull_step(&cull, &outcome), 1);
		assert_true(outcome.was_removed);
		assert_int_equal(cull_step(&cull, &outcome), 0);
		costs[i] = cpu_ns() - began;
		assert_int_equal(cull.stock.there, MANY);
	}
	cull_end(&cull);
	qsort(costs, ROUNDS, sizeof(costs[0]), by_size);
	print_message(
	    "a rotation with retention, %d files: %lu us of CPU\n", MANY, costs[ROUNDS / 2] / 1000);
#ifndef WITH_SANITIZERS
	assert_true(costs[ROUNDS / 2] < MOST_NS);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    only_what_is_ours_goes, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    a_directory_that_is_empty_goes_too, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(what_is_linked_elsewhere_does_not_go_for_room,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    a_name_that_comes_again_is_one_file, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_a_hold_cannot_say_holds_everything, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    one_that_cannot_be_removed_stops_no_other, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_must_wait_does_so_at_once, make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    one_among_many_is_cheap, make_directory, remove_directory),
	};

	return RUN_TESTS(tests);
}
