/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "supervisor/suspicion.h"

static siginfo_t died_of(int signal_number)
{
	return (siginfo_t) { .si_code = CLD_KILLED, .si_status = signal_number };
}

static uint32_t weigh(struct suspicion *suspicion, int signal_number, uint32_t leased)
{
	const siginfo_t how = died_of(signal_number);

	return suspicion_weigh(suspicion, &how, leased);
}

static void two_deaths_in_a_row_at_a_block_are_enough(void **state)
{
	const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(own); i++) {
		struct suspicion suspicion = { 0 };

		assert_int_equal(weigh(&suspicion, own[i], 7), 0);
		assert_int_equal(weigh(&suspicion, SIGABRT, 7), 7);
		assert_int_equal(weigh(&suspicion, SIGABRT, 7), 7);
	}
}

static void a_dumped_core_is_a_death_too(void **state)
{
	siginfo_t how = died_of(SIGSEGV);
	struct suspicion suspicion = { 0 };

	(void)state;
	how.si_code = CLD_DUMPED;
	assert_int_equal(suspicion_weigh(&suspicion, &how, 7), 0);
	assert_int_equal(suspicion_weigh(&suspicion, &how, 7), 7);
}

static void another_block_begins_anew(void **state)
{
	struct suspicion suspicion = { 0 };

	(void)state;
	assert_int_equal(weigh(&suspicion, SIGSEGV, 7), 0);
	assert_int_equal(weigh(&suspicion, SIGSEGV, 8), 0);
	assert_int_equal(weigh(&suspicion, SIGSEGV, 7), 0);
	assert_int_equal(weigh(&suspicion, SIGSEGV, 7), 7);
}

static void what_others_do_to_a_worker_says_nothing_of_a_block(void **state)
{
	const int foreign[] = { SIGKILL, SIGTERM, SIGSYS };
	struct suspicion suspicion = { 0 };
	siginfo_t how;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(foreign); i++) {
		assert_int_equal(weigh(&suspicion, foreign[i], 7), 0);
		assert_int_equal(weigh(&suspicion, foreign[i], 7), 0);
		/* And the row is broken. */
		assert_int_equal(weigh(&suspicion, SIGSEGV, 7), 0);
		assert_int_equal(weigh(&suspicion, foreign[i], 7), 0);
		assert_int_equal(weigh(&suspicion, SIGSEGV, 7), 0);
		suspicion = (struct suspicion) { 0 };
	}
	how = (siginfo_t) { .si_code = CLD_EXITED, .si_status = SIGSEGV };
	assert_int_equal(suspicion_weigh(&suspicion, &how, 7), 0);
	assert_int_equal(suspicion_weigh(&suspicion, &how, 7), 0);
}

static void a_death_without_a_block_says_nothing(void **state)
{
	struct suspicion suspicion = { 0 };

	(void)state;
	assert_int_equal(weigh(&suspicion, SIGSEGV, 0), 0);
	assert_int_equal(weigh(&suspicion, SIGSEGV, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_deaths_in_a_row_at_a_block_are_enough),
		cmocka_unit_test(a_dumped_core_is_a_death_too),
		cmocka_unit_test(another_block_begins_anew),
		cmocka_unit_test(what_others_do_to_a_worker_says_nothing_of_a_block),
		cmocka_unit_test(a_death_without_a_block_says_nothing),
	};

	return RUN_TESTS(tests);
}
