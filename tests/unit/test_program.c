/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support/cmocka.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/program.h"
#include "capture/program_text.h"
#include "support/interpreter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "test-program.XXXXXX";
static char path[64];
static struct program program;

/* What was told last, as "LINE: text", and how often. */
static char told[256];
static size_t told_count;

static void on_fault(void *user, size_t line, const char *text)
{
	assert_ptr_equal(user, &program);
	snprintf(told, sizeof(told), "%zu: %s", line, text);
	told_count++;
}

static int read_bytes(const char *text, size_t length)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	fclose(file);
	told_count = 0;
	told[0] = 0;
	program_release(&program);
	return program_read(&program, path, on_fault, &program);
}

static int read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

/* ---- what is read ------------------------------------------------------------------------ */

static void both_forms_are_read(void **state)
{
	const char *const forms[] = {
		"4,40 0 0 12,21 0 1 2048,6 0 0 1,6 0 0 4294967295,\n",
		"4\n40 0 0 12\n21 0 1 2048\n6 0 0 1\n6 0 0 4294967295\n",
		"4\r\n40 0 0 12\r\n\r\n21\t0 1 2048\r\n6 0 0 1\r\n6 0 0 4294967295",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		assert_int_equal(read_text(forms[i]), 0);
		assert_int_equal(told_count, 0);
		assert_int_equal(program.count, 4);
		assert_int_equal(program.instructions[0].code, BPF_LD | BPF_H | BPF_ABS);
		assert_int_equal(program.instructions[1].jf, 1);
		assert_int_equal(program.instructions[3].k, UINT32_MAX);
	}
}

/* A fault, and what is told of it. */
static const struct {
	const char *text, *told;
} faulty[] = {
	{ "", "0: is empty" },
	{ "\n \n", "0: is empty" },
	{ "hello\n", "1: does not begin with a number of instructions" },
	{ "0\n", "1: does not begin" },
	{ "4093\n", "1: does not begin" },
	{ "6 0 0 1\n", "1: does not begin" },
	{ "1\n6 0 0\n", "2: is no instruction; code jt jf k" },
	{ "1\n6 0 0 1 1\n", "2: is no instruction" },
	{ "1\n6 0 0 0x1\n", "2: is no instruction" },
	{ "1\n6 0 0 -1\n", "2: is no instruction" },
	{ "1\n6 0 0 4294967296\n", "2: is no instruction" },
	{ "1\n6 0 0 99999999999999999999999\n", "2: is no instruction" },
	{ "1\n65536 0 0 1\n", "2: is no instruction" },
	{ "1\n6 256 0 1\n", "2: is no instruction" },
	{ "1\n6 0 256 1\n", "2: is no instruction" },
	{ "1\n{6 0 0 1}\n", "2: is no instruction" },
	{ "2\n6 0 0 1\n", "2: 1 instructions, and the first number says 2" },
	{ "1\n6 0 0 1\n6 0 0 1\n", "3: 2 instructions, and the first number says 1" },
	{ "1\n", "1: 0 instructions" },
	{ "2\n255 0 0 1\n6 0 0 1\n", "2: its code is none of classic BPF" },
	{ "2\n180 0 0 1\n6 0 0 1\n", "2: its code is none" },
	{ "2\n\n52 0 0 0\n6 0 0 1\n", "3: divides by 0" },
	{ "2\n148 0 0 0\n6 0 0 1\n", "2: divides by 0" },
	{ "2\n100 0 0 32\n6 0 0 1\n", "2: shifts by more than 31" },
	{ "2\n116 0 0 32\n6 0 0 1\n", "2: shifts by more than 31" },
	{ "2\n2 0 0 16\n6 0 0 1\n", "2: uses a word of memory that is not there" },
	{ "2\n5 0 0 1\n6 0 0 1\n", "2: jumps behind the end" },
	{ "2\n5 0 0 4294967295\n6 0 0 1\n", "2: jumps behind the end" },
	{ "2\n21 1 0 0\n6 0 0 1\n", "2: jumps behind the end" },
	{ "2\n21 0 1 0\n6 0 0 1\n", "2: jumps behind the end" },
	{ "2\n32 0 0 4294963201\n6 0 0 1\n", "2: loads what the kernel does not know" },
	{ "2\n32 0 0 4294963264\n6 0 0 1\n", "2: loads what the kernel does not know" },
	{ "2\n6 0 0 1\n4 0 0 1\n", "3: is the last and does not return" },
	{ "1\n5 0 0 0\n", "2: jumps behind the end" },
	{ "2\n96 0 0 3\n6 0 0 1\n", "2: reads a word of memory that may not be written" },
	/* Written on one of two ways only. */
	{ "5\n0 0 0 1\n21 0 1 1\n2 0 0 3\n96 0 0 3\n22 0 0 0\n",
	    "5: reads a word of memory that may not be written" },
};

static void a_fault_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(faulty); i++) {
		if (read_text(faulty[i].text) != -EINVAL || told_count != 1 ||
		    strncmp(told, faulty[i].told, strlen(faulty[i].told)) != 0)
			fail_msg("%s-> %zu, %s", faulty[i].text, told_count, told);
		assert_null(strchr(told, '\n'));
		assert_non_null(strchr(told, ';'));
		assert_null(program.instructions);
	}
}

static void every_fault_is_told(void **state)
{
	(void)state;
	assert_int_equal(read_text("4\n255 0 0 1\n52 0 0 0\n5 0 0 9\n4 0 0 1\n"), -EINVAL);
	assert_int_equal(told_count, 4);
	assert_int_equal(read_text("3\nx\n6 0 0\n6 0 0 1\n"), -EINVAL);
	assert_int_equal(told_count, 2);
}

static void one_that_is_too_long_is_told_once(void **state)
{
	static char text[6000 * 9];
	size_t used = (size_t)sprintf(text, "4092\n");

	(void)state;
	for (int i = 0; i < 5000; i++)
		used += (size_t)sprintf(text + used, "6 0 0 1\n");
	assert_int_equal(read_text(text), -EINVAL);
	assert_int_equal(told_count, 1);
	assert_non_null(strstr(told, "4094: is too long; 4092 instructions"));
	text[5 + 4092 * 8] = 0;
	assert_int_equal(read_text(text), 0);
	assert_int_equal(program.count, 4092);
	/* As long as it may be, all that is done to it later has room. */
	assert_int_equal(program_bind(&program, 4), 0);
	assert_int_equal(program_bind(&program, 3), 0);
	assert_int_equal(program.count, BPF_MAXINSNS);
}

static void bytes_that_are_no_text_are_told(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("1\n6 0 0 1\0garbage\n", 18), -EINVAL);
	assert_string_equal(told, "2: holds a zero byte; text");
	assert_int_equal(read_bytes("\x7f\x45LF\x02\x01\0\0", 8), -EINVAL);
	assert_int_equal(told_count, 1);
}

static void what_is_no_plain_file_is_told(void **state)
{
	const char *const paths[] = { directory, "/dev/zero", "test-program.absent" };
	const int errors[] = { -EISDIR, -ENODEV, -ENOENT };

	(void)state;
	program_release(&program);
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		told_count = 0;
		assert_int_equal(program_read(&program, paths[i], on_fault, &program), errors[i]);
		assert_int_equal(told_count, 1);
		assert_non_null(strstr(told, "0: cannot be read: "));
	}
	/* Nobody writes to it: to open it must not wait. */
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(program_read(&program, path, on_fault, &program), -ENODEV);
	unlink(path);
	assert_int_equal(program_read(&program, path, NULL, NULL), -ENOENT);
}

/* ---- by the kernel's own check ----------------------------------------------------------- */

static bool kernel_takes(int fd, struct sock_filter *all, size_t count)
{
	const struct sock_fprog given = { (unsigned short)count, all };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &given, sizeof(given)) == 0;
}

/* Some instruction, more often than not a right one. */
static struct sock_filter draw(void)
{
	static const uint16_t codes[] = { BPF_ST, BPF_STX, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM,
		BPF_JMP | BPF_JA, BPF_JMP | BPF_JEQ, BPF_ALU | BPF_DIV, BPF_ALU | BPF_LSH,
		BPF_ALU | BPF_NEG, BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_IMM, BPF_RET };
	static const uint32_t odd[] = { 0, 31, 32, 16, 0xfffff000, 0xfffff024, 0xfffff03d,
		0xfffff040, 0xffffffff };
	struct sock_filter one = { .code = codes[(size_t)rand() % COUNT_OF(codes)] };

	if (rand() % 12 == 0)
		one.code = (uint16_t)(rand() % 256);
	one.jt = (uint8_t)(rand() % 3);
	one.jf = (uint8_t)(rand() % 3);
	one.k = rand() % 6 ? (uint32_t)rand() % 3 : odd[(size_t)rand() % COUNT_OF(odd)];
	return one;
}

static void the_kernel_takes_what_passes_and_nothing_else(void **state)
{
	enum { ROUNDS = 30000, LENGTH = 5 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t taken = 0;

	(void)state;
	srand(7);
	for (int round = 0; round < ROUNDS; round++) {
		struct sock_filter all[LENGTH + 1] = { 0 };
		char text[256];
		size_t used = (size_t)sprintf(text, "%d", LENGTH + 1);
		bool takes;

		for (size_t i = 0; i <= LENGTH; i++) {
			all[i] = i < LENGTH || rand() % 8 == 0
				     ? draw()
				     : (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 1);
			used += (size_t)sprintf(text + used, ",%u %u %u %u", all[i].code, all[i].jt,
			    all[i].jf, all[i].k);
		}
		takes = kernel_takes(fd, all, LENGTH + 1);
		taken += takes;
		if ((read_text(text) == 0) != takes)
			fail_msg(
			    "%s: the kernel %s, %s", text, takes ? "takes it" : "does not", told);
	}
	close(fd);
	assert_true(taken > 100 && taken < ROUNDS - 1000);
}

/* ---- modes ------------------------------------------------------------------------------- */

static void each_mode_that_runs_by_a_program_has_one(void **state)
{
	const unsigned int modes[] = { FANOUT_FLOW, FANOUT_CPU, FANOUT_QUEUE, FANOUT_RANDOM };
	const uint32_t words[] = { 0, SKF_AD_CPU, SKF_AD_QUEUE, SKF_AD_RANDOM };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		const struct fanout_config config = { .mode = modes[i] };

		assert_true(program_runs(modes[i]));
		program_release(&program);
		assert_int_equal(program_make(&program, &config, 14), 0);
		if (modes[i] == FANOUT_FLOW)
			continue;
		assert_int_equal(program.count, 2);
		assert_int_equal(program.instructions[0].k, (uint32_t)SKF_AD_OFF + words[i]);
		assert_int_equal(program.instructions[1].code, BPF_RET | BPF_A);
	}
}

static struct program copy_of(const struct sock_filter *instructions, size_t count)
{
	struct program copy = { calloc(count, sizeof(*instructions)), count };

	assert_non_null(copy.instructions);
	memcpy(copy.instructions, instructions, count * sizeof(*instructions));
	return copy;
}

static uint32_t run(const struct program *which, const uint8_t *frame, size_t length)
{
	const struct passing passing = { frame, length, 14, false };
	struct interpreter interpreter;
	uint32_t result;

	assert_true(interpreter_open(&interpreter, which));
	result = interpreter_run(&interpreter, &passing);
	interpreter_close(&interpreter);
	return result;
}

/* Whoever joins beyond the members is sent nothing, whatever the program does. */
static void a_bound_one_returns_what_the_kernel_makes_of_it(void **state)
{
	enum { ROUNDS = 20000, LENGTH = 5 };
	const uint8_t frame[64] = { 0, 1, 2, 3, 0xfe, 0xff, 77, 8, 0x45, 9, 1, 200, 3 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t bound = 0, beyond = 0;

	(void)state;
	srand(11);
	for (int round = 0; round < ROUNDS; round++) {
		const uint32_t members = (uint32_t)(rand() % 5 + 1);
		struct sock_filter all[LENGTH + 2] = { { BPF_LD | BPF_W | BPF_LEN, 0, 0, 0 } };
		CLEANUP(program_release) struct program plain = { 0 }, made = { 0 };

		for (size_t i = 1; i <= LENGTH; i++) {
			all[i] = draw();
			/* Nothing that only the kernel can answer. */
			if (BPF_CLASS(all[i].code) == BPF_LD)
				all[i].k %= sizeof(frame);
		}
		all[LENGTH + 1] = (struct sock_filter)BPF_STMT(
		    (uint16_t)(rand() % 2 ? BPF_RET | BPF_K : BPF_RET | BPF_A), (uint32_t)rand());
		if (!kernel_takes(fd, all, COUNT_OF(all)))
			continue;
		plain = copy_of(all, COUNT_OF(all));
		made = copy_of(all, COUNT_OF(all));
		assert_int_equal(program_bind(&made, members), 0);
		assert_true(kernel_takes(fd, made.instructions, made.count));
		for (size_t length = 0; length <= sizeof(frame); length += 16) {
			uint32_t result = run(&plain, frame, length);

			assert_int_equal(run(&made, frame, length), result % members);
			beyond += result >= members;
		}
		bound++;
	}
	close(fd);
	assert_true(bound > 100 && beyond > 100);
}

static void one_that_has_no_room_left_is_not_bound(void **state)
{
	struct program full = { calloc(BPF_MAXINSNS, sizeof(struct sock_filter)), BPF_MAXINSNS };

	(void)state;
	assert_non_null(full.instructions);
	assert_int_equal(program_bind(&full, 4), -E2BIG);
	assert_int_equal(full.count, BPF_MAXINSNS);
	program_release(&full);
}

static void one_made_narrow_sends_the_last_ones_share_to_the_others(void **state)
{
	const uint8_t frame[64] = { 0 };

	(void)state;
	for (uint32_t picked = 0; picked < 5; picked++) {
		const struct sock_filter all[] = { BPF_STMT(BPF_LD | BPF_IMM, picked),
			BPF_STMT(BPF_RET | BPF_A, 0) };
		struct program made = copy_of(all, COUNT_OF(all)), narrow = { 0 };

		assert_int_equal(program_bind(&made, 5), 0);
		assert_int_equal(program_narrow(&narrow, &made, 4), 0);
		assert_int_equal(run(&narrow, frame, sizeof(frame)), picked % 4);
		/* It is as it was. */
		assert_int_equal(run(&made, frame, sizeof(frame)), picked);
		program_release(&narrow);
		program_release(&made);
	}
}

static void one_is_not_bound_to_nobody(void **state)
{
	const struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, 3) };
	struct program made = copy_of(all, COUNT_OF(all));

	(void)state;
	assert_int_equal(program_bind(&made, 0), -EINVAL);
	assert_int_equal(made.count, 1);
	program_release(&made);
}

static void the_kernels_own_modes_have_none(void **state)
{
	const unsigned int modes[] = { FANOUT_HASH, FANOUT_LB, FANOUT_ROLLOVER, 1000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		const struct fanout_config config = { .mode = modes[i] };
		struct program none = { 0 };

		assert_false(program_runs(modes[i]));
		assert_int_equal(program_make(&none, &config, 14), -EOPNOTSUPP);
		assert_null(none.instructions);
	}
}

static void a_program_of_ones_own_is_made_of_its_file(void **state)
{
	const struct fanout_config config = { .mode = FANOUT_PROGRAM, .program = path };

	(void)state;
	assert_int_equal(read_text("1,6 0 0 3,\n"), 0);
	program_release(&program);
	assert_int_equal(program_make(&program, &config, 14), 0);
	assert_int_equal(program.count, 1);
	assert_int_equal(program.instructions[0].k, 3);
	assert_int_equal(read_text("1,6 0 0,\n"), -EINVAL);
	assert_int_equal(program_make(&program, &config, 14), -EINVAL);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/program", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	program_release(&program);
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_are_read),
		cmocka_unit_test(a_fault_is_told_with_its_line),
		cmocka_unit_test(every_fault_is_told),
		cmocka_unit_test(one_that_is_too_long_is_told_once),
		cmocka_unit_test(bytes_that_are_no_text_are_told),
		cmocka_unit_test(what_is_no_plain_file_is_told),
		cmocka_unit_test(the_kernel_takes_what_passes_and_nothing_else),
		cmocka_unit_test(each_mode_that_runs_by_a_program_has_one),
		cmocka_unit_test(a_bound_one_returns_what_the_kernel_makes_of_it),
		cmocka_unit_test(one_that_has_no_room_left_is_not_bound),
		cmocka_unit_test(one_made_narrow_sends_the_last_ones_share_to_the_others),
		cmocka_unit_test(one_is_not_bound_to_nobody),
		cmocka_unit_test(the_kernels_own_modes_have_none),
		cmocka_unit_test(a_program_of_ones_own_is_made_of_its_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
