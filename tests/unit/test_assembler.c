/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "capture/assembler.h"
#include "support/interpreter.h"

#include <errno.h>

static const uint8_t frame[64] = { 0 };

static uint32_t run(const struct program *program)
{
	const struct passing passing = { .frame = frame, .length = sizeof(frame) };
	struct interpreter interpreter;
	uint32_t result;

	assert_true(interpreter_open(&interpreter, program));
	result = interpreter_run(&interpreter, &passing);
	interpreter_close(&interpreter);
	return result;
}

static void put_many(struct assembler *assembler, size_t count)
{
	while (count-- > 0)
		assembler_put(assembler, BPF_MISC | BPF_TAX, 0);
}

static void a_return_is_a_program(void **state)
{
	struct assembler assembler;
	struct program program;

	(void)state;
	assembler_begin(&assembler);
	assembler_put(&assembler, BPF_RET | BPF_K, 42);
	assert_int_equal(assembler_end(&assembler, &program), 0);
	assert_int_equal(program.count, 1);
	assert_int_equal(run(&program), 42);
	program_release(&program);
	assert_null(program.instructions);
}

/* A program that returns 1 where A was 7, else 2, with so much between the test and each end. */
static int branch(struct program *ret_program, uint32_t a, size_t before_yes, size_t before_no)
{
	struct assembler assembler;
	unsigned int yes, no;

	assembler_begin(&assembler);
	yes = assembler_label(&assembler);
	no = assembler_label(&assembler);
	assembler_put(&assembler, BPF_LD | BPF_IMM, a);
	assembler_test(&assembler, BPF_JEQ, 7, yes, no);
	put_many(&assembler, before_yes);
	assembler_place(&assembler, yes);
	assembler_put(&assembler, BPF_RET | BPF_K, 1);
	put_many(&assembler, before_no);
	assembler_place(&assembler, no);
	assembler_put(&assembler, BPF_RET | BPF_K, 2);
	return assembler_end(&assembler, ret_program);
}

static void a_test_reaches_its_labels_however_far(void **state)
{
	const size_t gaps[] = { 0, 1, 252, 253, 254, 255, 256, 257, 258, 1000, 1900 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(gaps); i++)
		for (size_t k = 0; k < COUNT_OF(gaps); k++)
			for (uint32_t a = 6; a <= 7; a++) {
				struct program program;

				assert_int_equal(branch(&program, a, gaps[i], gaps[k]), 0);
				assert_int_equal(run(&program), a == 7 ? 1 : 2);
				program_release(&program);
			}
}

static void what_is_near_takes_no_second_jump(void **state)
{
	struct program program;

	(void)state;
	assert_int_equal(branch(&program, 7, 0, 254), 0);
	assert_int_equal(program.count, 4 + 254);
	program_release(&program);
	assert_int_equal(branch(&program, 7, 0, 255), 0);
	assert_int_equal(program.count, 5 + 255);
	program_release(&program);
	assert_int_equal(branch(&program, 7, 300, 0), 0);
	assert_int_equal(program.count, 6 + 300);
	program_release(&program);
}

/* Each jump that becomes two may push another beyond what it reaches. */
static void jumps_that_grow_make_others_grow(void **state)
{
	enum { TESTS = 300 };
	struct assembler assembler;
	struct program program;
	unsigned int ends[TESTS];

	(void)state;
	assembler_begin(&assembler);
	assembler_put(&assembler, BPF_LD | BPF_IMM, 123);
	for (uint32_t i = 0; i < TESTS; i++) {
		ends[i] = assembler_label(&assembler);
		assembler_test(&assembler, BPF_JEQ, i, ends[i], ASSEMBLER_NEXT);
	}
	for (uint32_t i = 0; i < TESTS; i++) {
		assembler_place(&assembler, ends[i]);
		assembler_put(&assembler, BPF_RET | BPF_K, 1000 + i);
	}
	assert_int_equal(assembler_end(&assembler, &program), 0);
	assert_int_equal(run(&program), 1123);
	program_release(&program);
}

static void a_go_leads_anywhere(void **state)
{
	struct assembler assembler;
	struct program program;
	unsigned int end;

	(void)state;
	assembler_begin(&assembler);
	end = assembler_label(&assembler);
	assembler_go(&assembler, end);
	for (uint32_t i = 0; i < 2000; i++)
		assembler_put(&assembler, BPF_RET | BPF_K, 1);
	assembler_place(&assembler, end);
	assembler_put(&assembler, BPF_RET | BPF_K, 2);
	assert_int_equal(assembler_end(&assembler, &program), 0);
	assert_int_equal(run(&program), 2);
	program_release(&program);
}

static void the_kernels_limit_is_kept(void **state)
{
	(void)state;
	for (size_t count = 4095; count <= 4097; count++) {
		struct assembler assembler;
		struct program program = { 0 };

		assembler_begin(&assembler);
		put_many(&assembler, count - 1);
		assembler_put(&assembler, BPF_RET | BPF_K, 1);
		assert_int_equal(assembler_end(&assembler, &program), count > 4096 ? -E2BIG : 0);
		program_release(&program);
	}
}

static void long_jumps_count(void **state)
{
	struct assembler assembler;
	struct program program = { 0 };
	unsigned int end;

	(void)state;
	assembler_begin(&assembler);
	end = assembler_label(&assembler);
	assembler_test(&assembler, BPF_JEQ, 0, end, ASSEMBLER_NEXT);
	put_many(&assembler, 4094);
	assembler_place(&assembler, end);
	assembler_put(&assembler, BPF_RET | BPF_K, 1);
	assert_int_equal(assembler_end(&assembler, &program), -E2BIG);
}

enum misuse {
	BACK,
	NOWHERE,
	BEHIND_THE_END,
	TWICE,
	NO_LABEL,
	NO_RETURN,
	NOTHING,
	JUMP_BY_PUT,
	TEST_THAT_IS_NONE,
	MISUSE_COUNT,
};

static void commit(struct assembler *assembler, enum misuse misuse)
{
	unsigned int label = assembler_label(assembler);

	if (misuse == NOTHING)
		return;
	if (misuse == BACK || misuse == TWICE)
		assembler_place(assembler, label);
	assembler_put(assembler, BPF_LD | BPF_IMM, 1);
	if (misuse == TWICE)
		assembler_place(assembler, label);
	if (misuse == JUMP_BY_PUT)
		assembler_put(assembler, BPF_JMP | BPF_JA, 0);
	if (misuse == TEST_THAT_IS_NONE)
		assembler_test(assembler, BPF_JA, 0, ASSEMBLER_NEXT, ASSEMBLER_NEXT);
	if (misuse == NO_LABEL)
		assembler_go(assembler, 77);
	if (misuse == BACK || misuse == NOWHERE || misuse == BEHIND_THE_END)
		assembler_test(assembler, BPF_JEQ, 1, label, ASSEMBLER_NEXT);
	if (misuse != NO_RETURN)
		assembler_put(assembler, BPF_RET | BPF_K, 1);
	if (misuse == BEHIND_THE_END)
		assembler_place(assembler, label);
}

static void misuse_is_told_at_the_end(void **state)
{
	(void)state;
	for (enum misuse misuse = 0; misuse < MISUSE_COUNT; misuse++) {
		struct assembler assembler;
		struct program program = { 0 };

		assembler_begin(&assembler);
		commit(&assembler, misuse);
		assert_int_equal(assembler_end(&assembler, &program), -EINVAL);
		assert_null(program.instructions);
	}
}

static void too_many_labels_are_told(void **state)
{
	struct assembler assembler;
	struct program program = { 0 };

	(void)state;
	assembler_begin(&assembler);
	for (int i = 0; i < 2000; i++)
		(void)assembler_label(&assembler);
	assembler_put(&assembler, BPF_RET | BPF_K, 1);
	assert_int_equal(assembler_end(&assembler, &program), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_return_is_a_program),
		cmocka_unit_test(a_test_reaches_its_labels_however_far),
		cmocka_unit_test(what_is_near_takes_no_second_jump),
		cmocka_unit_test(jumps_that_grow_make_others_grow),
		cmocka_unit_test(a_go_leads_anywhere),
		cmocka_unit_test(the_kernels_limit_is_kept),
		cmocka_unit_test(long_jumps_count),
		cmocka_unit_test(misuse_is_told_at_the_end),
		cmocka_unit_test(too_many_labels_are_told),
	};

	return RUN_TESTS(tests);
}
