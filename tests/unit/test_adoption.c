/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "ledger/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Going on with the ledger that an earlier life left, and the runs of slots in it. */
static char path[64];
static int directory = -1;

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/fancap-adoption-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(directory, "ledger", 0);
	close(directory);
	return rmdir(path);
}

static const struct ledger_shape_interface left_interfaces[] = { { "eth0", 2 }, { "eth1", 1 } };
static const struct ledger_shape left = {
	.sensor = "dmz",
	.interface_count = 2,
	.interfaces = left_interfaces,
	.output = "/var/lib/fancap/dmz",
	.terms = { .stage_size = 1 << 22 },
	.ring = { 1 << 26, 1 << 20, 100000000 },
	.is_fixed = true,
};

static void leave_a_ledger(void)
{
	struct ledger *ledger = NULL;

	assert_int_equal(ledger_create(&ledger, directory, &left), 0);
	atomic_store(&ledger_slot(ledger, 2)->generation, 7);
	ledger_close(ledger);
}

static void a_ledger_of_the_same_shape_is_gone_on_with(void **state)
{
	struct ledger *ledger = NULL, *seen = NULL;

	(void)state;
	leave_a_ledger();
	assert_int_equal(ledger_adopt(&ledger, directory, &left), 0);
	assert_int_equal(atomic_load(&ledger_slot(ledger, 2)->generation), 7);
	/* What is written to it is seen by others. */
	atomic_store(&ledger_slot(ledger, 2)->generation, 8);
	assert_int_equal(ledger_open(&seen, directory), 0);
	assert_int_equal(atomic_load(&ledger_slot(seen, 2)->generation), 8);
	ledger_close(seen);
	ledger_close(ledger);
}

static void a_ledger_of_another_shape_is_not(void **state)
{
	static const struct ledger_shape_interface renamed[] = { { "eth0", 2 }, { "eth2", 1 } };
	static const struct ledger_shape_interface shifted[] = { { "eth0", 1 }, { "eth1", 2 } };
	struct ledger_shape others[7];

	(void)state;
	leave_a_ledger();
	for (size_t i = 0; i < COUNT_OF(others); i++)
		others[i] = left;
	others[0].sensor = "lan";
	others[1].interfaces = renamed;
	others[2].interfaces = shifted;
	others[3].output = "/srv/dmz";
	others[4].ring.memory *= 2;
	others[5].ring.retire_timeout_ns += 1;
	others[6].terms.stage_size *= 2;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct ledger *ledger = NULL;
		int r = ledger_adopt(&ledger, directory, &others[i]);

		if (r != -ESTALE)
			fail_msg("shape %zu: %d", i, r);
		assert_null(ledger);
	}
}

static void a_ledger_that_is_not_whole_is_not(void **state)
{
	struct ledger *ledger = NULL;

	(void)state;
	assert_int_equal(ledger_adopt(&ledger, directory, &left), -ENOENT);
	assert_int_equal(mkdirat(directory, "ledger", 0700), 0);
	assert_int_equal(ledger_adopt(&ledger, directory, &left), -EBADMSG);
	assert_int_equal(unlinkat(directory, "ledger", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/proc/version", directory, "ledger"), 0);
	assert_int_equal(ledger_adopt(&ledger, directory, &left), -EBADMSG);
	assert_int_equal(unlinkat(directory, "ledger", 0), 0);
	leave_a_ledger();
	/* Whoever may write to it could have this life write anywhere in a file. */
	assert_int_equal(fchmodat(directory, "ledger", 0660, 0), 0);
	assert_int_equal(ledger_adopt(&ledger, directory, &left), -EBADMSG);
	assert_int_equal(fchmodat(directory, "ledger", 0640, 0), 0);
	assert_int_equal(ledger_adopt(&ledger, directory, &left), 0);
	ledger_close(ledger);
}

/* Where others may come, a ledger is gone on with whatever they are, as long as there is room. */
static void a_ledger_whose_workers_may_change_is(void **state)
{
	struct ledger_shape_interface interfaces[] = { { "eth0", 2, 4 }, { "eth1", 1, 2 } };
	struct ledger_shape shape = left;
	struct ledger *ledger = NULL;

	(void)state;
	shape.interfaces = interfaces;
	shape.is_fixed = false;
	assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
	ledger_close(TAKE(ledger));
	shape.ring.memory *= 2;
	interfaces[0].workers = 4;
	assert_int_equal(ledger_adopt(&ledger, directory, &shape), 0);
	assert_int_equal(ledger_interface(ledger, 0)->serving.count, 2);
	assert_int_equal(ledger_slot(ledger, 1)->ring.memory, 1 << 26);
	ledger_close(TAKE(ledger));
	interfaces[0].workers = 5;
	assert_int_equal(ledger_adopt(&ledger, directory, &shape), -ESTALE);
	interfaces[0].workers = 2;
	shape.is_fixed = true;
	assert_int_equal(ledger_adopt(&ledger, directory, &shape), -ESTALE);
}

/* ---- interfaces that come and go ---------------------------------------------------------- */

/* Two, and two records for others. */
static void leave_a_roster(struct ledger **ret_ledger)
{
	struct ledger_shape shape = left;

	shape.spare_interfaces = 2;
	shape.spare_slots = 4;
	assert_int_equal(ledger_create(ret_ledger, directory, &shape), 0);
}

static void count_in(struct ledger *ledger, size_t slot, enum counter counter)
{
	struct ledger_commit commit = { 0 };

	commit.counters.value[COUNTER_SEEN] = 5;
	commit.counters.value[counter] = 5;
	ledger_commit_write(ledger_worker(ledger, slot), &commit);
}

static int come(struct ledger *ledger, const char *name, size_t workers)
{
	int index = roster_plan(ledger, name, workers, &left.ring);

	if (index >= 0)
		roster_enter(ledger_interface(ledger, (size_t)index));
	return index;
}

static void an_interface_comes_to_a_record_that_none_had(void **state)
{
	struct ledger *ledger = NULL, *again = NULL;

	(void)state;
	leave_a_roster(&ledger);
	assert_int_equal(roster_find(ledger, "eth1"), 1);
	assert_int_equal(roster_find(ledger, "eth2"), -ENOENT);
	assert_int_equal(roster_find(ledger, ""), -ENOENT);
	assert_int_equal(roster_plan(ledger, "eth2", 5, &left.ring), -ENOSPC);
	assert_int_equal(roster_plan(ledger, "eth2", 3, &left.ring), 2);
	/* Planned is not there, and not free either. */
	assert_int_equal(roster_find(ledger, "eth2"), -ENOENT);
	assert_int_equal(roster_plan(ledger, "eth3", 1, &left.ring), 3);
	assert_int_equal(roster_plan(ledger, "eth4", 1, &left.ring), -ENOSPC);
	assert_int_equal(ledger_interface(ledger, 2)->serving.first, 3);
	assert_int_equal(ledger_interface(ledger, 2)->serving.count, 3);
	assert_int_equal(ledger_slot(ledger, 5)->worker, 2);
	assert_true(ledger_is_sound(ledger));
	roster_enter(ledger_interface(ledger, 2));
	assert_int_equal(roster_find(ledger, "eth2"), 2);
	assert_int_equal(ledger_open(&again, directory), 0);
	assert_true(ledger_is_sound(again));
	ledger_close(again);
	ledger_close(ledger);
}

/* What it counted before is its own for ever, and so is its record. */
static void one_that_went_comes_back_to_its_own(void **state)
{
	struct ledger *ledger = NULL;
	struct ledger_interface *record;

	(void)state;
	leave_a_roster(&ledger);
	assert_int_equal(come(ledger, "eth2", 2), 2);
	record = ledger_interface(ledger, 2);
	count_in(ledger, record->serving.first, COUNTER_WRITTEN);
	roster_leave(record);
	ledger_free_run(ledger, &record->serving);
	assert_true(ledger_is_sound(ledger));
	assert_int_equal(come(ledger, "eth3", 1), 3);
	assert_int_equal(come(ledger, "eth4", 1), -ENOSPC);
	assert_int_equal(come(ledger, "eth2", 4), 2);
	/* No socket's name is as one of before. */
	assert_int_equal(atomic_load(&ledger_slot(ledger, record->serving.first)->generation), 2);
	ledger_close(ledger);
}

static void a_ledger_without_an_interface_is_not_gone_on_with(void **state)
{
	struct ledger *ledger = NULL;

	(void)state;
	leave_a_roster(&ledger);
	roster_leave(ledger_interface(ledger, 0));
	assert_true(ledger_is_sound(ledger));
	roster_leave(ledger_interface(ledger, 1));
	assert_false(ledger_is_sound(ledger));
	ledger_close(ledger);
}

/* Those that it has too many are drained beside the others. */
static void a_ledger_with_room_for_the_others_is_gone_on_with(void **state)
{
	struct ledger_shape_interface wanted[] = { { "eth1", 1 }, { "eth2", 2 }, { "eth3", 4 },
		{ "eth4", 1 } };
	struct ledger_shape shape = left;
	struct ledger *ledger = NULL;
	struct ledger_interface *record;

	(void)state;
	leave_a_roster(&ledger);
	shape.interfaces = wanted;
	for (shape.interface_count = 1; shape.interface_count <= 3; shape.interface_count++)
		assert_true(ledger_is_of_shape(ledger, &shape));
	assert_false(ledger_is_of_shape(ledger, &shape));
	wanted[2].workers = 5;
	shape.interface_count = 3;
	assert_false(ledger_is_of_shape(ledger, &shape));
	wanted[2].workers = 4;
	/* What a killed life had planned, or had drained and not put away, is in no one's way. */
	assert_int_equal(roster_plan(ledger, "eth5", 4, &left.ring), 2);
	assert_true(ledger_is_of_shape(ledger, &shape));
	record = ledger_interface(ledger, 2);
	count_in(ledger, record->serving.first, COUNTER_WRITTEN);
	assert_false(ledger_is_of_shape(ledger, &shape));
	wanted[1].name = "eth5";
	assert_true(ledger_is_of_shape(ledger, &shape));
	/* What is not yet written is. */
	count_in(ledger, record->serving.first + 1, COUNTER_STAGED);
	wanted[1].workers = 3;
	assert_false(ledger_is_of_shape(ledger, &shape));
	ledger_close(ledger);
}

/* ---- damage that no sum tells of ---------------------------------------------------------- */

static void serves_nobody(struct ledger *ledger)
{
	ledger_interface(ledger, 0)->serving.count = 0;
}

static void serves_behind_all(struct ledger *ledger)
{
	struct ledger_interface *last = ledger_interface(ledger, 1);

	last->serving = (struct ledger_run) { last->first_slot + last->slot_count, 0 };
}

static void moves_to_nobody(struct ledger *ledger)
{
	struct ledger_interface *interface = ledger_interface(ledger, 0);

	interface->next = (struct ledger_run) { 2, 0 };
	atomic_store(&interface->change, CHANGE_MOVES);
}

static void moves_to_those_who_serve(struct ledger *ledger)
{
	struct ledger_interface *interface = ledger_interface(ledger, 0);

	interface->next = interface->serving;
	atomic_store(&interface->change, CHANGE_MOVES);
}

static void opens_those_who_serve(struct ledger *ledger)
{
	struct ledger_interface *interface = ledger_interface(ledger, 0);

	interface->next = (struct ledger_run) { 1, 2 };
	atomic_store(&interface->change, CHANGE_OPENS);
}

static void settles_on_free_slots(struct ledger *ledger)
{
	struct ledger_interface *interface = ledger_interface(ledger, 0);

	interface->next = (struct ledger_run) { 2, 2 };
	atomic_store(&interface->change, CHANGE_SETTLES);
}

static void shares_slots_with_another(struct ledger *ledger)
{
	ledger_interface(ledger, 1)->first_slot--;
}

static void has_slots_of_nobody(struct ledger *ledger)
{
	ledger_interface(ledger, 1)->slot_count--;
}

static void is_served_by_a_free_slot(struct ledger *ledger)
{
	atomic_store(&ledger_slot(ledger, 1)->is_used, 0);
}

static void is_served_by_anothers_slot(struct ledger *ledger)
{
	ledger_slot(ledger, 1)->interface = 1;
}

static void has_a_worker_twice(struct ledger *ledger)
{
	ledger_slot(ledger, 1)->worker = 0;
}

static void has_two_rings(struct ledger *ledger)
{
	ledger_slot(ledger, 1)->ring.memory *= 2;
}

/* It would end each life that goes on with it, the one after the other. */
static void a_ledger_of_damaged_runs_is_not_gone_on_with(void **state)
{
	static void (*const damages[])(struct ledger *) = { serves_nobody, serves_behind_all,
		moves_to_nobody, moves_to_those_who_serve, opens_those_who_serve,
		settles_on_free_slots, shares_slots_with_another, has_slots_of_nobody,
		is_served_by_a_free_slot, is_served_by_anothers_slot, has_a_worker_twice,
		has_two_rings };
	const struct ledger_shape_interface interfaces[] = { { "eth0", 2, 4 }, { "eth1", 1, 2 } };
	struct ledger_shape shape = left;

	(void)state;
	shape.interfaces = interfaces;
	shape.is_fixed = false;
	for (size_t i = 0; i < COUNT_OF(damages); i++) {
		struct ledger *ledger = NULL;
		int r;

		assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
		damages[i](ledger);
		ledger_close(TAKE(ledger));
		r = ledger_adopt(&ledger, directory, &shape);
		if (r != -EBADMSG)
			fail_msg("damage %zu: %d", i, r);
		/* What its workers left unfinished can be finished all the same. */
		assert_int_equal(ledger_take(&ledger, directory), 0);
		ledger_close(ledger);
	}
}

/* A kill may find it at each of these, the run on its way half made or gone. */
static void a_ledger_amid_a_change_is_gone_on_with(void **state)
{
	const struct ledger_shape_interface interface = { "eth0", 2, 4 };
	struct ledger_shape shape = left;

	(void)state;
	shape.interfaces = &interface;
	shape.interface_count = 1;
	shape.is_fixed = false;
	for (uint32_t change = CHANGE_OPENS; change <= CHANGE_SETTLES; change++) {
		struct ledger *ledger = NULL;
		struct ledger_interface *record;

		assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
		record = ledger_interface(ledger, 0);
		record->next = (struct ledger_run) { 2, 3 };
		if (change >= CHANGE_MOVES)
			ledger_take_run(ledger, &record->next, &shape.ring);
		if (change == CHANGE_SETTLES)
			record->serving.first = 5;
		atomic_store(&record->change, change);
		ledger_close(TAKE(ledger));
		assert_int_equal(ledger_adopt(&ledger, directory, &shape), 0);
		ledger_close(ledger);
	}
}

static void runs_are_side_by_side_and_of_one_interface(void **state)
{
	const struct ledger_shape_interface interfaces[] = { { "eth0", 2, 4 }, { "eth1", 1, 2 } };
	const struct ledger_ring ring = { 1, 2, 3 };
	struct ledger_shape shape = left;
	struct ledger *ledger = NULL;
	struct ledger_interface *first;
	struct ledger_run run = { 0 }, more = { 0 };

	(void)state;
	shape.interfaces = interfaces;
	assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
	first = ledger_interface(ledger, 0);
	assert_int_equal(ledger_find_run(ledger, first, 5, &run), -ENOSPC);
	assert_int_equal(ledger_find_run(ledger, first, 3, &run), 0);
	assert_int_equal(run.first, 3);
	ledger_take_run(ledger, &run, &ring);
	assert_int_equal(ledger_slot(ledger, 5)->worker, 2);
	assert_int_equal(ledger_slot(ledger, 5)->ring.retire_timeout_ns, 3);
	assert_int_equal(ledger_find_run(ledger, first, 2, &more), -ENOSPC);
	ledger_free_run(ledger, &first->serving);
	assert_int_equal(ledger_find_run(ledger, first, 2, &more), 0);
	assert_int_equal(more.first, 0);
	assert_int_equal(ledger_find_run(ledger, first, 4, &more), -ENOSPC);
	assert_int_equal(ledger_find_run(ledger, ledger_interface(ledger, 1), 2, &more), 0);
	assert_int_equal(more.first, 7);
	ledger_close(ledger);
}

/* Each change of workers finds room beside those that serve, wherever these came to lie. */
static void a_run_leaves_its_room_in_one_piece(void **state)
{
	static const size_t counts[] = { 3, 4, 4, 2, 3, 4, 4, 3, 4 };
	const struct ledger_shape_interface interface = { "eth0", 2, 6 };
	const struct ledger_shape shape = {
		.sensor = "s", .interface_count = 1, .interfaces = &interface
	};
	const struct ledger_ring ring = { 1, 2, 3 };
	struct ledger_run serving = { 0, 2 };
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ledger_create(&ledger, directory, &shape), 0);
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct ledger_run next;

		assert_int_equal(
		    ledger_find_run(ledger, ledger_interface(ledger, 0), counts[i], &next), 0);
		ledger_take_run(ledger, &next, &ring);
		ledger_free_run(ledger, &serving);
		serving = next;
	}
	ledger_close(ledger);
}

#define ADOPTION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADOPTION_TEST(a_ledger_of_the_same_shape_is_gone_on_with),
		ADOPTION_TEST(a_ledger_of_another_shape_is_not),
		ADOPTION_TEST(a_ledger_whose_workers_may_change_is),
		ADOPTION_TEST(an_interface_comes_to_a_record_that_none_had),
		ADOPTION_TEST(one_that_went_comes_back_to_its_own),
		ADOPTION_TEST(a_ledger_without_an_interface_is_not_gone_on_with),
		ADOPTION_TEST(a_ledger_with_room_for_the_others_is_gone_on_with),
		ADOPTION_TEST(a_ledger_of_damaged_runs_is_not_gone_on_with),
		ADOPTION_TEST(a_ledger_amid_a_change_is_gone_on_with),
		ADOPTION_TEST(runs_are_side_by_side_and_of_one_interface),
		ADOPTION_TEST(a_run_leaves_its_room_in_one_piece),
		ADOPTION_TEST(a_ledger_that_is_not_whole_is_not),
	};

	return RUN_TESTS(tests);
}
