/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/assembler.h"

#include "base/cleanup.h"

#include <errno.h>

enum {
	LABELS_MOST = 1024,
	NEAR_MOST = 255, /* what the eight bits of a test's jump reach */
	LINES_MOST = 4096,
};

struct assembler_line {
	uint16_t code;
	uint32_t k;
	unsigned int yes, no; /* labels, of a jump */
	bool far_yes, far_no; /* the test leads to a jump of its own, behind it */
	size_t at;            /* of the instruction in the program */
};

static const size_t unplaced = SIZE_MAX;

static bool is_test(const struct assembler_line *line)
{
	return BPF_CLASS(line->code) == BPF_JMP && BPF_OP(line->code) != BPF_JA;
}

static bool is_go(const struct assembler_line *line)
{
	return BPF_CLASS(line->code) == BPF_JMP && BPF_OP(line->code) == BPF_JA;
}

static void fail(struct assembler *assembler, int error)
{
	if (assembler->error == 0)
		assembler->error = error;
}

void assembler_begin(struct assembler *assembler)
{
	*assembler = (struct assembler) {
		.lines = calloc(LINES_MOST, sizeof(*assembler->lines)),
		.labels = calloc(LABELS_MOST, sizeof(*assembler->labels)),
		.label_count = 1, /* 0 is ASSEMBLER_NEXT */
	};
	if (!assembler->lines || !assembler->labels)
		fail(assembler, -ENOMEM);
}

unsigned int assembler_label(struct assembler *assembler)
{
	if (assembler->label_count == LABELS_MOST)
		fail(assembler, -E2BIG);
	if (assembler->error < 0)
		return ASSEMBLER_NEXT;
	assembler->labels[assembler->label_count] = unplaced;
	return (unsigned int)assembler->label_count++;
}

void assembler_place(struct assembler *assembler, unsigned int label)
{
	if (assembler->error < 0)
		return;
	if (label == ASSEMBLER_NEXT || label >= assembler->label_count ||
	    assembler->labels[label] != unplaced)
		fail(assembler, -EINVAL);
	else
		assembler->labels[label] = assembler->count;
}

static void put(struct assembler *assembler, const struct assembler_line *line)
{
	if (assembler->count == LINES_MOST)
		fail(assembler, -E2BIG);
	if (line->yes >= assembler->label_count || line->no >= assembler->label_count)
		fail(assembler, -EINVAL);
	if (assembler->error < 0)
		return;
	assembler->lines[assembler->count++] = *line;
}

void assembler_put(struct assembler *assembler, uint16_t code, uint32_t k)
{
	const struct assembler_line line = { .code = code, .k = k };

	if (BPF_CLASS(code) == BPF_JMP)
		fail(assembler, -EINVAL);
	put(assembler, &line);
}

void assembler_test(
    struct assembler *assembler, uint16_t code, uint32_t k, unsigned int yes, unsigned int no)
{
	const struct assembler_line line = { BPF_JMP | code, k, yes, no, false, false, 0 };

	if (!is_test(&line))
		fail(assembler, -EINVAL);
	put(assembler, &line);
}

void assembler_go(struct assembler *assembler, unsigned int label)
{
	const struct assembler_line line = { .code = BPF_JMP | BPF_JA, .yes = label };

	put(assembler, &line);
}

static size_t length_of(const struct assembler_line *line)
{
	return 1 + (size_t)line->far_yes + (size_t)line->far_no;
}

static size_t place_lines(struct assembler *assembler)
{
	size_t at = 0;

	for (size_t i = 0; i < assembler->count; i++) {
		assembler->lines[i].at = at;
		at += length_of(&assembler->lines[i]);
	}
	return at;
}

/* How many instructions lie between the line's first and the target. */
static size_t distance(const struct assembler *assembler, size_t from, unsigned int label)
{
	size_t to = label == ASSEMBLER_NEXT ? from + 1 : assembler->labels[label];

	return assembler->lines[to].at - assembler->lines[from].at - 1;
}

static bool becomes_far(const struct assembler *assembler, size_t from, unsigned int label)
{
	return distance(assembler, from, label) > NEAR_MOST;
}

/* Lines only grow, and what was far stays so: it comes to an end. */
static size_t settle(struct assembler *assembler)
{
	size_t length, before;

	length = place_lines(assembler);
	do {
		before = length;
		for (size_t i = 0; i < assembler->count; i++) {
			struct assembler_line *line = &assembler->lines[i];

			if (!is_test(line))
				continue;
			line->far_yes = line->far_yes || becomes_far(assembler, i, line->yes);
			line->far_no = line->far_no || becomes_far(assembler, i, line->no);
		}
		length = place_lines(assembler);
	} while (length != before);
	return length;
}

static bool leads_on(const struct assembler *assembler, size_t from, unsigned int label)
{
	size_t to = label == ASSEMBLER_NEXT ? from + 1 : assembler->labels[label];

	return to > from && to < assembler->count;
}

static bool all_lead_on(const struct assembler *assembler)
{
	for (size_t i = 0; i < assembler->count; i++) {
		const struct assembler_line *line = &assembler->lines[i];

		if (is_go(line) && !leads_on(assembler, i, line->yes))
			return false;
		if (is_test(line) &&
		    (!leads_on(assembler, i, line->yes) || !leads_on(assembler, i, line->no)))
			return false;
	}
	return assembler->count > 0 &&
	       BPF_CLASS(assembler->lines[assembler->count - 1].code) == BPF_RET;
}

static void write_line(const struct assembler *assembler, size_t i, struct sock_filter *all)
{
	const struct assembler_line *line = &assembler->lines[i];
	struct sock_filter *to = &all[line->at];
	size_t yes = 0, no = 0;

	*to = (struct sock_filter) { .code = line->code, .k = line->k };
	if (is_go(line))
		to->k = (uint32_t)distance(assembler, i, line->yes);
	if (!is_test(line))
		return;
	yes = distance(assembler, i, line->yes);
	no = distance(assembler, i, line->no);
	/* A jump behind the test is nearer to the target than the test, by one or by two. */
	if (line->far_yes)
		to[1] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)yes - 1);
	if (line->far_no)
		to[1 + line->far_yes] = (struct sock_filter)BPF_STMT(
		    BPF_JMP | BPF_JA, (uint32_t)no - 1 - line->far_yes);
	to->jt = line->far_yes ? 0 : (uint8_t)yes;
	to->jf = line->far_no ? (uint8_t)line->far_yes : (uint8_t)no;
}

static int resolve(struct assembler *assembler, struct program *ret_program)
{
	struct sock_filter *all;
	size_t length;

	if (assembler->error < 0)
		return assembler->error;
	if (!all_lead_on(assembler))
		return -EINVAL;
	length = settle(assembler);
	if (length > BPF_MAXINSNS)
		return -E2BIG;
	all = calloc(length, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < assembler->count; i++)
		write_line(assembler, i, all);
	*ret_program = (struct program) { all, length };
	return 0;
}

int assembler_end(struct assembler *assembler, struct program *ret_program)
{
	int r = resolve(assembler, ret_program);

	free(assembler->lines);
	free(assembler->labels);
	*assembler = (struct assembler) { 0 };
	return r;
}
