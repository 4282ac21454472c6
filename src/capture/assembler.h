/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "capture/program.h"

#include <stdint.h>

/*
 * Puts a program of classic BPF together.  Jumps go to labels that are placed later, since the
 * kernel knows no way back, and reach them however far away they are.
 *
 * No step returns a failure: the first one is kept, and assembler_end() tells it.
 */
struct assembler {
	struct assembler_line *lines;
	size_t count;
	size_t *labels; /* the line that each stands before */
	size_t label_count;
	int error;
};

/* For a jump's target: go on with what follows. */
enum { ASSEMBLER_NEXT = 0 };

void assembler_begin(struct assembler *assembler);

/* A new label, to be placed once. */
unsigned int assembler_label(struct assembler *assembler);

/* The label stands before what is put next. */
void assembler_place(struct assembler *assembler, unsigned int label);

/* Anything but a jump. */
void assembler_put(struct assembler *assembler, uint16_t code, uint32_t k);

/* Compare: BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET, with BPF_X in place of k. */
void assembler_test(
    struct assembler *assembler, uint16_t code, uint32_t k, unsigned int yes, unsigned int no);

void assembler_go(struct assembler *assembler, unsigned int label);

/*
 * Resolve the jumps, and forget all but the program.  Returns 0; -E2BIG above the 4096 instructions
 * that the kernel takes; -EINVAL where a jump leads back, or to a label that was never placed, or
 * behind the end; or -ENOMEM.
 */
int assembler_end(struct assembler *assembler, struct program *ret_program);
